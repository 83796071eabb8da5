//! One entry of a beat_schedule as a schedule of hooks.yaml.

use std::collections::{BTreeMap, BTreeSet};

use hookbox_core::config::Config;
use hookbox_core::cron::Zones;
use hookbox_core::name::{NAME_BYTES_MAX, PluginName};
use hookbox_core::schedule::{Schedule, ZoneName};
use hookbox_core::time::Timestamp;
use serde_json::json;

use super::value::Value;
use super::{one_line, options};

pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a Value,
    pub(super) place: &'a str,
    pub(super) only_if: Option<&'a str>,
    pub(super) zone: &'a Option<ZoneName>,
    /// That its schedule names, in the place of any other.
    pub(super) nearer: Option<ZoneName>,
    pub(super) plugin: Option<&'a PluginName>,
    pub(super) now: Timestamp,
}

/// The lines of hooks.yaml for it.
pub(super) enum Outcome {
    Carried(String),
    /// As comments.
    Left(String),
}

/// What the entries before have.
#[derive(Default)]
pub(super) struct Taken {
    names: BTreeSet<String>,
    /// The task that is the handler.
    tasks: BTreeMap<Target, String>,
}

/// Both are names, since they are slugs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) plugin: String,
    pub(super) handler: String,
}

/// What a schedule says, beside where it leads.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) lines: Vec<String>,
    /// What is not carried, each with its cure.
    pub(super) notes: Vec<String>,
}

/// What an entry may have; other members are told.
const MEMBERS: [&str; 14] = [
    "task",
    "schedule",
    "args",
    "kwargs",
    "options",
    "relative",
    "name",
    "enabled",
    "start",
    "end",
    "count",
    "description",
    "timezone",
    "tz",
];

impl Entry<'_> {
    pub(super) fn carry(&self, taken: &mut Taken) -> Outcome {
        let name = unique(slug(self.name, "entry"), &mut taken.names);
        let task = match self.value.get("task") {
            Some(Value::Text(task)) => task.clone(),
            Some(other) => return self.left(&format!("its task is {other}: write the task's name")),
            None => match self.value {
                Value::Map(_) => return self.left("it names no task"),
                code => return self.left(&format!("it is made by code, which is not run ({code}): write it out")),
            },
        };
        if self.value.get("enabled") == Some(&Value::Bool(false)) {
            return self.left(&format!("{task} is not enabled: write it anew when it is to run, or forget it"));
        }
        let target = self.target(&task);
        let mut lines = Lines::default();
        lines.notes.extend(
            self.only_if
                .map(|why| format!("it stands in {why}, which is not asked: take it out where it is not to run")),
        );
        if let Some(enabled) = self.value.get("enabled").filter(|enabled| **enabled != Value::Bool(true)) {
            lines.notes.push(format!("enabled is {enabled}: take it out where it is not to run"));
        }
        let other = taken.tasks.entry(target.clone()).or_insert_with(|| task.clone());
        if *other != task {
            lines.notes.push(format!(
                "{task} and {other} are both {}/{}: unless they are one task, give this one a handler of its own",
                target.plugin, target.handler
            ));
        }
        let payload = match self.when(&mut lines).and_then(|()| self.payload()) {
            Ok(payload) => payload,
            Err(why) => return self.left(&format!("{task}: {why}")),
        };
        lines.lines.extend(payload.as_ref().map(|payload| format!("payload: {payload}")));
        self.bounds(&mut lines);
        options::options(self.value, &target, &mut lines);
        if let Value::Map(members) = self.value {
            for (member, value) in members.iter().filter(|(member, _)| !MEMBERS.contains(&member.as_str())) {
                lines.notes.push(format!("{member} is {value}: hookbox knows nothing like it"));
            }
        }
        let mut text = format!("\n  # {}, {}\n", one_line(&task), one_line(self.place));
        for note in &lines.notes {
            text.push_str(&format!("  # LEFT: {}\n", one_line(note)));
        }
        text.push_str(&format!(
            "  {name}:\n    plugin: {}\n    handler: {}\n",
            quoted(&target.plugin),
            quoted(&target.handler)
        ));
        for line in &lines.lines {
            text.push_str(&format!("    {line}\n"));
        }
        match self.fault_of(&text, payload.as_ref()) {
            None => Outcome::Carried(text),
            Some(fault) => self.left(&format!("{task}: {fault}")),
        }
    }

    /// What `hookbox check` would say of it; or that YAML makes something else of the payload.
    fn fault_of(&self, text: &str, payload: Option<&serde_json::Value>) -> Option<String> {
        match Config::parse(&format!("schedules:\n{text}")) {
            Err(mistakes) => Some(mistakes.to_string()),
            Ok(config) => {
                let read = |schedule: &Schedule| -> Option<serde_json::Value> {
                    serde_json::from_slice(&schedule.payload.as_ref()?.data).ok()
                };
                if config.schedules.iter().any(|schedule| read(schedule).as_ref() != payload) {
                    return Some("its arguments read in another way in YAML: write them as they are to be".to_owned());
                }
                let zones = Zones::default();
                let fault = |schedule: &Schedule| schedule.first_after(self.now, &zones).err();
                config.schedules.iter().find_map(fault).map(|fault| fault.to_string())
            }
        }
    }

    fn left(&self, why: &str) -> Outcome {
        Outcome::Left(format!("\n  # LEFT: {:?}, {}: {}\n", self.name, one_line(self.place), one_line(why)))
    }

    /// `shop.tasks.send_report` is the handler `send_report` of the plugin `shop`.
    fn target(&self, task: &str) -> Target {
        let parts: Vec<&str> = task.split(['.', ':']).filter(|part| !part.is_empty()).collect();
        let handler = slug(parts.last().copied().unwrap_or("task"), "task");
        let modules = parts.iter().rev().skip(1);
        let telling = modules.clone().find(|part| !matches!(**part, "tasks" | "task" | "celery" | "jobs"));
        let plugin = slug(telling.or_else(|| modules.clone().next()).copied().unwrap_or("tasks"), "tasks");
        Target { plugin: self.plugin.map_or(plugin, PluginName::to_string), handler }
    }

    /// What the task gets.
    fn payload(&self) -> Result<Option<serde_json::Value>, String> {
        let part = |name: &str, empty: serde_json::Value| match (name, self.value.get(name)) {
            (_, None) => Ok(empty),
            (_, Some(value)) if value.is_nothing() => Ok(empty),
            ("args", Some(value @ (Value::List(_) | Value::Code(_))))
            | ("kwargs", Some(value @ (Value::Map(_) | Value::Code(_)))) => {
                value.to_json().map_err(|code| format!("{name} has {code}, which is made by code: write its value"))
            }
            // Celery makes a list of it: of "all" three arguments.
            (_, Some(value)) => {
                Err(format!("{name} is {value}, which is no {}", if name == "args" { "list" } else { "dict" }))
            }
        };
        let (args, kwargs) = (part("args", json!([]))?, part("kwargs", json!({}))?);
        if args == json!([]) && kwargs == json!({}) {
            return Ok(None);
        }
        Ok(Some(json!({ "args": args, "kwargs": kwargs })))
    }

    fn bounds(&self, lines: &mut Lines) {
        for name in ["start", "end", "count"] {
            match self.value.get(name) {
                None | Some(Value::None) => {}
                Some(Value::Text(at)) if name != "count" => lines.lines.push(format!("{name}: {}", quoted(at))),
                Some(Value::Int(count)) if name == "count" => lines.lines.push(format!("count: {count}")),
                Some(other) => lines.notes.push(format!("{name} is {other}: write `{name}:` at this schedule")),
            }
        }
    }
}

/// As YAML takes it whatever is in it.
pub(super) fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// Lower-case letters, digits, '-' and '_'.
fn slug(text: &str, other: &str) -> String {
    let plain = text.chars().map(|c| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' => c,
        _ => '-',
    });
    let plain: String = plain.collect();
    let trimmed: String = plain.trim_matches(['-', '_']).chars().take(NAME_BYTES_MAX - 4).collect();
    let mut slug = String::new();
    for c in trimmed.chars() {
        if !(c == '-' && slug.ends_with('-')) {
            slug.push(c);
        }
    }
    if slug.is_empty() { other.to_owned() } else { slug }
}

fn unique(name: String, names: &mut BTreeSet<String>) -> String {
    let mut free = name.clone();
    let mut number = 2;
    while !names.insert(free.clone()) {
        free = format!("{name}-{number}");
        number += 1;
    }
    // A name of digits alone would be no text.
    if free.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') { quoted(&free) } else { free }
}
