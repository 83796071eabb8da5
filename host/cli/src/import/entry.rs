//! One entry of a beat_schedule as a schedule of hooks.yaml.

use std::collections::BTreeSet;

use hookbox_core::config::Config;
use hookbox_core::cron::{DayRule, Zones};
use hookbox_core::name::{NAME_BYTES_MAX, PluginName};
use hookbox_core::schedule::{Schedule, When, ZoneName};
use hookbox_core::time::{Millis, Timestamp};
use serde_json::json;

use super::value::{Call, Value};
use super::{crontab, kinds, one_line, python};

pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a Value,
    pub(super) place: &'a str,
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

/// Both are names, since they are slugs.
struct Target {
    plugin: String,
    handler: String,
}

/// What a schedule says, beside where it leads.
#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    /// What is not carried, each with its cure.
    notes: Vec<String>,
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
/// Longest time that an attempt may take.
const TIMEOUT_MAX: f64 = 3600.0;

impl Entry<'_> {
    pub(super) fn carry(&self, names: &mut BTreeSet<String>) -> Outcome {
        let name = unique(slug(self.name, "entry"), names);
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
        let read = self.when(&mut lines).and_then(|()| self.payload(&mut lines));
        if let Err(why) = read {
            return self.left(&format!("{task}: {why}"));
        }
        self.bounds(&mut lines);
        self.options(&target, &mut lines);
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
        match self.fault_of(&text) {
            None => Outcome::Carried(text),
            Some(fault) => self.left(&format!("{task}: {fault}")),
        }
    }

    /// What `hookbox check` would say of it.
    fn fault_of(&self, text: &str) -> Option<String> {
        match Config::parse(&format!("schedules:\n{text}")) {
            Err(mistakes) => Some(mistakes.to_string()),
            Ok(config) => {
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

    fn when(&self, lines: &mut Lines) -> Result<(), String> {
        let relative = self.value.get("relative") == Some(&Value::Bool(true));
        match self.value.get("schedule") {
            None | Some(Value::None) => Err("it has no schedule".to_owned()),
            Some(value) => self.rule(value, relative, lines),
        }
    }

    fn rule(&self, value: &Value, relative: bool, lines: &mut Lines) -> Result<(), String> {
        match value {
            Value::Int(_) | Value::Float(_) | Value::Span(_) => every(value.number().unwrap_or(0.0), relative, lines),
            Value::Call(call) => self.called(call, relative, lines),
            Value::Text(text) if text.split_whitespace().count() == 5 => self.cron(&crontab::of_text(text)?, lines),
            Value::Text(text) => match text.parse::<Millis>() {
                Ok(span) => every(span.0 as f64 / 1000.0, relative, lines),
                Err(_) => Err(format!("its schedule is {text:?}: write five fields of cron, or every: 30s")),
            },
            Value::Map(members) => match kinds::written_out(members) {
                Some((kind, zone)) => self.within(zone)?.rule(&kind, relative, lines),
                None => self.rule(&written_out(members)?, relative, lines),
            },
            Value::Code(code) => {
                Err(format!("its schedule is made by code, which is not run ({code}): write cron: or every: for it"))
            }
            other => Err(format!("its schedule is {other}: write cron: or every: for it")),
        }
    }

    fn called(&self, call: &Call, relative: bool, lines: &mut Lines) -> Result<(), String> {
        match call.name.as_str() {
            "crontab.from_string" => match call.argument(0, "crontab") {
                Some(Value::Text(text)) => self.cron(&crontab::of_text(text)?, lines),
                _ => Err("its crontab is made by code: write cron: for it".to_owned()),
            },
            "crontab" => {
                let (expression, others) = crontab::expression(call)?;
                for other in others {
                    lines.notes.push(format!("{other}: write `timezone:` where it changes the time of the clock"));
                }
                self.cron(&expression, lines)
            }
            "schedule" => {
                let relative = relative || call.argument(1, "relative") == Some(&Value::Bool(true));
                match call.argument(0, "run_every") {
                    Some(inner @ (Value::Int(_) | Value::Float(_) | Value::Span(_))) => {
                        self.rule(inner, relative, lines)
                    }
                    _ => Err("its interval is made by code: write every: for it".to_owned()),
                }
            }
            "clocked" => match call.argument(0, "at") {
                Some(Value::Text(at)) => {
                    lines.lines.push(format!("at: {}", quoted(at)));
                    Ok(())
                }
                _ => Err("its time is made by code: write at: for it".to_owned()),
            },
            "solar" => Err(format!(
                "{call}: hookbox does not know where the sun stands. Write `daily: 18:00` with the zone's `timezone:`, or \
                 a schedule of each day whose handler works out the hour and enqueues a job for it",
                call = Value::Call(call.clone())
            )),
            other if let Some(kind) = kinds::of_name(other) => {
                let (call, zone) = kinds::without_zone(call);
                lines.lines.push(kinds::line(kind, &call)?);
                let zone = self.within(zone)?.timezone()?;
                lines.lines.extend(zone.map(|zone| format!("timezone: {}", quoted(&zone.to_string()))));
                Ok(())
            }
            other => Err(format!("{other}(..) is none of Celery's own schedules: write cron: or every: for it")),
        }
    }

    fn cron(&self, expression: &str, lines: &mut Lines) -> Result<(), String> {
        let zone = self.timezone()?;
        let checked = When::cron_with(expression, zone.clone().unwrap_or_default(), DayRule::And);
        checked.map_err(|error| format!("crontab {expression:?}: {error}"))?;
        lines.lines.push(format!("cron: {}", quoted(expression)));
        lines.lines.extend(zone.map(|zone| format!("timezone: {}", quoted(&zone.to_string()))));
        lines.lines.push("day_rule: and".to_owned());
        Ok(())
    }

    /// The same in a zone that its schedule names.
    fn within(&self, zone: Option<Value>) -> Result<Entry<'_>, String> {
        let zone = match zone {
            Some(Value::Text(text)) => Some(ZoneName::parse(&text).map_err(|error| error.to_string())?),
            Some(other) => return Err(format!("its time zone is {other}: write `timezone:` for it")),
            None => self.nearer.clone(),
        };
        Ok(Entry { nearer: zone, ..*self })
    }

    /// Unless it is the usual one.
    fn timezone(&self) -> Result<Option<ZoneName>, String> {
        if let Some(nearer) = &self.nearer {
            return Ok(Some(nearer.clone()).filter(|zone| *zone != ZoneName::default()));
        }
        let zone = match self.value.get("timezone").or(self.value.get("tz")) {
            Some(Value::Text(text)) => Some(ZoneName::parse(text).map_err(|error| error.to_string())?),
            _ => self.zone.clone(),
        };
        Ok(zone.filter(|zone| *zone != ZoneName::default()))
    }

    /// What the task gets.
    fn payload(&self, lines: &mut Lines) -> Result<(), String> {
        let part = |name: &str, empty: serde_json::Value| match self.value.get(name) {
            None | Some(Value::None) => Ok(empty),
            Some(value) => {
                value.to_json().map_err(|code| format!("{name} has {code}, which is made by code: write its value"))
            }
        };
        let (args, kwargs) = (part("args", json!([]))?, part("kwargs", json!({}))?);
        if args == json!([]) && kwargs == json!({}) {
            return Ok(());
        }
        lines.lines.push(format!("payload: {}", json!({ "args": args, "kwargs": kwargs })));
        Ok(())
    }

    fn bounds(&self, lines: &mut Lines) {
        for name in ["start", "end"] {
            if let Some(Value::Text(at)) = self.value.get(name) {
                lines.lines.push(format!("{name}: {}", quoted(at)));
            }
        }
        if let Some(Value::Int(count)) = self.value.get("count") {
            lines.lines.push(format!("count: {count}"));
        }
    }

    fn options(&self, target: &Target, lines: &mut Lines) {
        let Some(options) = self.value.get("options") else { return };
        let Value::Map(options) = options else {
            lines.notes.push(format!("options are {options}, which is made by code: look what they are"));
            return;
        };
        let place = format!("plugins.{}.handlers.{}", target.plugin, target.handler);
        for (name, value) in options {
            let seconds = value.number();
            match (name.as_str(), seconds) {
                ("time_limit", Some(limit)) if limit > 0.0 && limit <= TIMEOUT_MAX => {
                    lines.lines.push(format!("timeout: {}", millis(limit)));
                }
                ("expires", Some(after)) if after > 0.0 => {
                    lines.notes.push(format!("expires={value}: write `{place}.expires: {}`", millis(after)));
                }
                ("countdown", Some(after)) if after >= 0.0 => {
                    lines.notes.push(format!("countdown={value}: write `{place}.delay: {}`", millis(after)));
                }
                ("priority", _) => {
                    lines.notes.push(format!(
                        "priority={value}: write `{place}.priority:` with lowest, low, normal, high or highest"
                    ));
                }
                ("queue" | "exchange" | "routing_key", _) => lines.notes.push(format!(
                    "{name}={value}: there are no queues; where it kept work apart, write `{place}.concurrency:`"
                )),
                ("retry" | "retry_policy" | "max_retries", _) => {
                    lines.notes.push(format!("{name}={value}: write `attempts:` and `backoff:` at this schedule"));
                }
                _ => lines.notes.push(format!("option {name}={value}: hookbox knows nothing like it")),
            }
        }
    }
}

/// What JSON says in the place of a call.
fn written_out(members: &[(String, Value)]) -> Result<Value, String> {
    let map = Value::Map(members.to_vec());
    let call = |name: &str, value: &Value| match value {
        Value::Map(named) => Value::Call(Call { name: name.to_owned(), args: Vec::new(), named: named.clone() }),
        other => other.clone(),
    };
    for name in ["crontab", "solar", "schedule", "clocked"] {
        if let Some(value) = map.get(name) {
            return Ok(call(name, value));
        }
    }
    if let Some(value) = map.get("timedelta").or(map.get("interval")) {
        return written_out_span(value);
    }
    if let (Some(every), Some(Value::Text(period))) = (map.get("every"), map.get("period")) {
        let named = vec![(period.clone(), every.clone())];
        return written_out_span(&Value::Map(named));
    }
    let fields = ["minute", "hour", "day_of_week", "day_of_month", "month_of_year"];
    if members.iter().any(|(name, _)| fields.contains(&name.as_str())) {
        return Ok(call("crontab", &map));
    }
    written_out_span(&map)
}

fn written_out_span(value: &Value) -> Result<Value, String> {
    let read = match value {
        Value::Map(named) if !named.is_empty() => {
            python::span(&Call { name: "timedelta".to_owned(), args: Vec::new(), named: named.clone() })
        }
        Value::Int(_) | Value::Float(_) | Value::Text(_) => Some(value.clone()),
        _ => None,
    };
    read.ok_or_else(|| format!("its schedule is {value}: write cron: or every: for it"))
}

fn every(seconds: f64, relative: bool, lines: &mut Lines) -> Result<(), String> {
    let period = millis(seconds);
    let cure = if seconds < 1.0 { "; a handler that is to run more often loops by itself" } else { "" };
    When::every(period).map_err(|error| format!("{error}{cure}"))?;
    lines.lines.push(format!("every: {period}"));
    // Celery's `relative` is in step with whole periods; without it, with the start of beat.
    if relative {
        lines.lines.push("phase: 0s".to_owned());
    }
    Ok(())
}

/// What is no length of time becomes none, which no schedule takes.
fn millis(seconds: f64) -> Millis {
    let millis = (seconds * 1000.0).round();
    Millis(if millis.is_finite() && millis > 0.0 { millis as u64 } else { 0 })
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
