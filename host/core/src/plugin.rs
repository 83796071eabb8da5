//! What a plugin says of itself, checked: handlers, triggers and policies.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cron::DayRule;
use crate::name::{HandlerName, HandlerRef, PluginName, ScheduleName};
use crate::route::Pattern;
use crate::route::filter::Filter;
use crate::run::WorkKind;
use crate::schedule::{Origin, Rules, Schedule, When, ZoneName};
use crate::time::{Millis, NotADuration};

pub use crate::policy::PolicyPatch;

/// Handlers of one plugin at most.
pub const HANDLERS_MAX: usize = 256;

/// Patterns of one handler at most.
pub const PATTERNS_MAX: usize = 64;

/// The version of a plugin: the SHA-256 of its bytes, written `sha256:HEX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The first 12 hexadecimal digits: enough for people.
    pub fn short(&self) -> String {
        hex::encode(self.0.get(..6).unwrap_or_default())
    }

    pub fn parse(text: &str) -> Option<Digest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.strip_prefix("sha256:")?, &mut bytes).ok()?;
        Some(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.short())
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::parse(&text).ok_or_else(|| serde::de::Error::custom("must be sha256: and 64 hexadecimal digits"))
    }
}

/// A plugin as `describe()` told it, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginInfo {
    pub name: PluginName,
    /// As the author counts; the host goes by the digest.
    pub version: String,
    pub description: Option<String>,
    pub handlers: Vec<Handler>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handler {
    pub name: HandlerName,
    pub trigger: Trigger,
    pub description: Option<String>,
    pub policy: PolicyPatch,
    /// Of the events that its patterns match, it takes those for which this is true.
    pub filter: Option<Filter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "there is one for each handler, and few handlers")]
pub enum Trigger {
    Events(Vec<Pattern>),
    Schedule(DeclaredSchedule),
    Manual,
}

impl Trigger {
    /// What a handler with it takes.
    pub fn takes(&self) -> WorkKind {
        match self {
            Trigger::Events(_) => WorkKind::Event,
            Trigger::Schedule(_) | Trigger::Manual => WorkKind::Job,
        }
    }
}

/// A schedule as a plugin declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredSchedule {
    pub name: ScheduleName,
    pub when: When,
    pub rules: Rules,
}

impl DeclaredSchedule {
    /// The schedule of this handler.
    pub fn of(&self, target: HandlerRef) -> Schedule {
        Schedule {
            name: self.name.clone(),
            target,
            when: self.when.clone(),
            payload: None,
            origin: Origin::Plugin,
            rules: self.rules,
        }
    }
}

/// What `describe()` returned, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    pub name: String,
    pub version: String,
    pub description: Option<String>,
    pub handlers: Vec<DeclaredHandler>,
    pub options: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredHandler {
    pub name: String,
    pub trigger: DeclaredTrigger,
    pub options: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredTrigger {
    Events(Vec<String>),
    Cron { expression: String, options: Vec<(String, String)> },
    Every { period: Millis, options: Vec<(String, String)> },
    Manual,
}

/// Mistakes of one description that are told, and the characters of each: a guest has a say in both.
const MISTAKES_MAX: usize = 20;
const MISTAKE_CHARS_MAX: usize = 600;

/// What is wrong with a plugin's description, each with its cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("describe() is not accepted: {}", .0.join("; "))]
pub struct BadDescription(pub Vec<String>);

impl BadDescription {
    /// The first ones, each clipped, and how many more there are.
    fn told(wrong: Vec<String>) -> BadDescription {
        let more = wrong.len().saturating_sub(MISTAKES_MAX);
        let clip = |text: String| text.chars().filter(|c| !c.is_control()).take(MISTAKE_CHARS_MAX).collect();
        let first = wrong.into_iter().take(MISTAKES_MAX).map(clip);
        BadDescription(first.chain((more > 0).then(|| format!("and {more} more"))).collect())
    }
}

/// Besides those of the policy.
const HANDLER_OPTIONS: [&str; 2] = ["description", "filter"];
/// Besides the rules of schedules.
const SCHEDULE_OPTIONS: [&str; 4] = ["timezone", "name", "day_rule", "phase"];

impl PluginInfo {
    /// `file` is the stem of the plugin's file: its name must be the same, else a file could claim another's keys,
    /// grants and secrets.
    pub fn check(declared: Declared, file: &PluginName) -> Result<PluginInfo, BadDescription> {
        let mut wrong = Vec::new();
        if declared.name != file.as_str() {
            wrong.push(format!(
                "it calls itself {:?}, but the file is {file}.wasm: name the file after the plugin",
                clipped(&declared.name)
            ));
        }
        for (name, _) in &declared.options {
            wrong.push(format!("unknown plugin option {:?}: none are known yet", clipped(name)));
        }
        if declared.handlers.is_empty() {
            wrong.push("it has no handlers: annotate a function with #[on(..)], #[cron(..)] or #[job]".to_owned());
        }
        if declared.handlers.len() > HANDLERS_MAX {
            wrong.push(format!("it has {} handlers, at most {HANDLERS_MAX} are allowed", declared.handlers.len()));
        }
        let mut handlers: Vec<Handler> = Vec::new();
        for handler in declared.handlers.into_iter().take(HANDLERS_MAX) {
            let name = clipped(&handler.name);
            match check_handler(handler, file) {
                Ok(handler) if handlers.iter().any(|other| other.name == handler.name) => {
                    wrong.push(format!("handler {name:?} is declared twice"));
                }
                Ok(handler) => handlers.push(handler),
                Err(mistakes) => wrong.extend(mistakes.into_iter().map(|m| format!("handler {name:?}: {m}"))),
            }
        }
        wrong.extend(schedules_named_twice(&handlers));
        if wrong.is_empty() {
            let description = declared.description.as_deref().map(clipped);
            Ok(PluginInfo { name: file.clone(), version: clipped(&declared.version), description, handlers })
        } else {
            Err(BadDescription::told(wrong))
        }
    }

    pub fn handler(&self, name: &HandlerName) -> Option<&Handler> {
        self.handlers.iter().find(|handler| handler.name == *name)
    }
}

/// Of two schedules of one name only one would count.
fn schedules_named_twice(handlers: &[Handler]) -> Vec<String> {
    let mut first = BTreeMap::new();
    let mut wrong = Vec::new();
    for handler in handlers {
        let Trigger::Schedule(schedule) = &handler.trigger else { continue };
        if let Some(other) = first.insert(&schedule.name, &handler.name) {
            wrong.push(format!(
                "handlers {other} and {} both name the schedule {}: give one of them another name",
                handler.name, schedule.name
            ));
        }
    }
    wrong
}

fn check_handler(declared: DeclaredHandler, plugin: &PluginName) -> Result<Handler, Vec<String>> {
    let mut wrong = Vec::new();
    let name = HandlerName::parse(&declared.name).map_err(|e| wrong.push(e.to_string())).ok();
    let mut policy = PolicyPatch::default();
    let (mut description, mut filter) = (None, None);
    for (option, value) in &declared.options {
        let checked = match option.as_str() {
            option if PolicyPatch::OPTIONS.contains(&option) => policy.set(option, value),
            "description" => {
                description = Some(clipped(value));
                Ok(())
            }
            "filter" if !matches!(declared.trigger, DeclaredTrigger::Events(_)) => {
                Err("only a handler that takes events has one; leave it out".to_owned())
            }
            "filter" => Filter::parse(value).map(|v| filter = Some(v)).map_err(|e| e.to_string()),
            unknown => Err(unknown_option(unknown, &[&PolicyPatch::OPTIONS[..], &HANDLER_OPTIONS].concat())),
        };
        if let Err(mistake) = checked {
            wrong.push(format!("{}: {mistake}", clipped(option)));
        }
    }
    let trigger = match &name {
        Some(name) => check_trigger(declared.trigger, &HandlerRef { plugin: plugin.clone(), handler: name.clone() }),
        None => Ok(Trigger::Manual),
    };
    match (name, trigger) {
        (Some(name), Ok(trigger)) if wrong.is_empty() => Ok(Handler { name, trigger, description, policy, filter }),
        (_, trigger) => {
            wrong.extend(trigger.err().into_iter().flatten());
            Err(wrong)
        }
    }
}

fn check_trigger(declared: DeclaredTrigger, target: &HandlerRef) -> Result<Trigger, Vec<String>> {
    match declared {
        DeclaredTrigger::Manual => Ok(Trigger::Manual),
        DeclaredTrigger::Events(patterns) => {
            if patterns.is_empty() || patterns.len() > PATTERNS_MAX {
                return Err(vec![format!("has {} event patterns, must be 1 to {PATTERNS_MAX}", patterns.len())]);
            }
            let (good, bad): (Vec<_>, Vec<_>) =
                patterns.iter().map(|text| Pattern::parse(text)).partition(Result::is_ok);
            match bad.is_empty() {
                true => Ok(Trigger::Events(good.into_iter().flatten().collect())),
                false => Err(bad.into_iter().filter_map(Result::err).map(|e| e.to_string()).collect()),
            }
        }
        DeclaredTrigger::Cron { expression, options } => {
            let ScheduleOptions { name, zone, day_rule, phase, rules } = schedule_options(&options, target)?;
            if phase.is_some() {
                return Err(vec!["phase: an expression says when it fires; leave it out".to_owned()]);
            }
            let when = When::cron_with(&expression, zone.unwrap_or_default(), day_rule.unwrap_or_default());
            let when = when.map_err(|e| vec![e.to_string()])?;
            Ok(Trigger::Schedule(DeclaredSchedule { name, when, rules }))
        }
        DeclaredTrigger::Every { period, options } => {
            let ScheduleOptions { name, zone, day_rule, phase, rules } = schedule_options(&options, target)?;
            if zone.is_some() || day_rule.is_some() {
                return Err(vec!["timezone, day_rule: an interval has neither; leave them out".to_owned()]);
            }
            let when = phase.map_or_else(|| When::every(period), |phase| When::every_with(period, phase));
            Ok(Trigger::Schedule(DeclaredSchedule { name, when: when.map_err(|e| vec![e.to_string()])?, rules }))
        }
    }
}

struct ScheduleOptions {
    name: ScheduleName,
    zone: Option<ZoneName>,
    day_rule: Option<DayRule>,
    phase: Option<Millis>,
    rules: Rules,
}

fn schedule_options(options: &[(String, String)], target: &HandlerRef) -> Result<ScheduleOptions, Vec<String>> {
    let (name, rules) = (ScheduleName::of(target), Rules::default());
    let mut found = ScheduleOptions { name, zone: None, day_rule: None, phase: None, rules };
    let mut wrong = Vec::new();
    for (option, value) in options {
        let checked = match option.as_str() {
            "timezone" => ZoneName::parse(value).map(|z| found.zone = Some(z)).map_err(|e| e.to_string()),
            "day_rule" => value.parse().map(|rule| found.day_rule = Some(rule)),
            "phase" => {
                let phase = value.parse().map_err(|e: NotADuration| e.to_string());
                phase.map(|phase| found.phase = Some(phase))
            }
            // A plugin names schedules below its own name only, so that it cannot take over another's.
            "name" => HandlerName::parse(value)
                .map(|part| found.name = ScheduleName::of(&HandlerRef { plugin: target.plugin.clone(), handler: part }))
                .map_err(|e| e.to_string()),
            rule if Rules::OPTIONS.contains(&rule) => found.rules.set(rule, value),
            unknown => Err(unknown_option(unknown, &[&SCHEDULE_OPTIONS[..], &Rules::OPTIONS].concat())),
        };
        if let Err(mistake) = checked {
            wrong.push(format!("{}: {mistake}", clipped(option)));
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

fn unknown_option(name: &str, known: &[&str]) -> String {
    format!("unknown option {:?}; known: {}", clipped(name), known.join(", "))
}

/// What a guest says is shown to people and kept in rows: bounded, and without control characters.
fn clipped(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests;
