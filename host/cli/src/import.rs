//! `hookbox import celery`: a beat_schedule as hooks.yaml has it.
//!
//! What cannot be carried stands as a comment where it would have stood, with what
//! to do about it. The file that is read is data: nothing of it is run.

mod crontab;
mod django;
mod entry;
mod interval;
mod kinds;
mod options;
mod python;
mod value;
mod when;
mod zone;

use std::fs::{self, OpenOptions};
use std::io::Write;

use anyhow::{Context, Result, ensure};
use hookbox_core::clock::Clock;
use hookbox_core::config::Config;
use hookbox_core::name::PluginName;
use hookbox_core::time::Timestamp;
use serde_json::json;

use crate::args::{CeleryArgs, ImportCommand};
use crate::clock::SystemClock;
use crate::inspect::{self, Print};
use crate::project::Mistakes;
use entry::{Entry, Outcome, Taken};
use value::Value;
use zone::ZoneSettings;

/// No project has a larger one.
const FILE_BYTES_MAX: u64 = 512 << 10;

/// What was found in a file.
#[derive(Debug, Default)]
struct Found {
    entries: Vec<Named>,
    zones: ZoneSettings,
    /// What is there and could not be read.
    unread: Vec<String>,
    /// What is to be known of all of it.
    notes: Vec<String>,
}

/// An entry of a beat_schedule.
#[derive(Debug)]
struct Named {
    name: String,
    /// What tells it from others.
    key: String,
    entry: Value,
    /// Where it stands.
    place: String,
    /// What decides whether it is there.
    only_if: Option<String>,
}

/// What became of it.
#[derive(Debug)]
struct Carried {
    text: String,
    carried: usize,
    left: usize,
}

pub(crate) fn import(command: &ImportCommand, print: Print) -> Result<()> {
    let ImportCommand::Celery(args) = command;
    let made = celery(args)?;
    if let Some(out) = &args.out {
        let file = OpenOptions::new().write(true).create_new(true).open(out);
        let mut file = file.with_context(|| format!("cannot make {}: name a file that is not there", out.display()))?;
        file.write_all(made.text.as_bytes()).and_then(|()| file.sync_all())?;
    }
    match (print, &args.out) {
        (Print::Json, out) => {
            let text = out.is_none().then_some(&made.text);
            inspect::json(&json!({ "carried": made.carried, "left": made.left, "out": out, "text": text }))?;
        }
        (Print::Tables, None) => say!("{}", made.text.trim_end()),
        (Print::Tables, Some(out)) => say!("{}: {} schedules, {} left to you", out.display(), made.carried, made.left),
    }
    Ok(())
}

fn celery(args: &CeleryArgs) -> Result<Carried> {
    let shown = args.file.display();
    let size = fs::metadata(&args.file).with_context(|| format!("cannot read {shown}"))?.len();
    ensure!(size <= FILE_BYTES_MAX, "{shown} has {size} bytes, at most {FILE_BYTES_MAX} are read");
    let text = fs::read_to_string(&args.file).with_context(|| format!("cannot read {shown}"))?;
    let is_json = args.file.extension().is_some_and(|extension| extension == "json");
    let found = if is_json { json_of(&text) } else { python::read(&text) };
    let found = found.map_err(|why| Mistakes(vec![format!("{shown}: {why}")]))?;
    if found.entries.is_empty() && found.unread.is_empty() {
        let cure = "name the file that has beat_schedule, CELERY_BEAT_SCHEDULE or add_periodic_task in it";
        return Err(Mistakes(vec![format!("{shown} has no entries of a beat_schedule: {cure}")]).into());
    }
    let now = SystemClock::new().now();
    let made = write(&found, now, &args.file.file_name().unwrap_or_default().to_string_lossy(), args.plugin.as_ref());
    // What is handed over is good; anything else is a fault of this command.
    Config::parse(&made.text).with_context(|| format!("{shown} became what hookbox does not read: report this"))?;
    Ok(made)
}

/// The entries by name; or what Django printed.
fn json_of(text: &str) -> Result<Found, String> {
    let parsed: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    match parsed {
        serde_json::Value::Array(rows) => django::read(&rows),
        serde_json::Value::Object(members) => {
            let mut zones = ZoneSettings::default();
            for (name, value) in &members {
                zones.set(name, Value::from(value.clone()), name);
            }
            let inner = ["beat_schedule", "CELERY_BEAT_SCHEDULE", "CELERYBEAT_SCHEDULE"];
            let entries = inner.iter().find_map(|name| members.get(*name)?.as_object()).unwrap_or(&members);
            let entry = |(name, entry): (&String, &serde_json::Value)| Named {
                name: name.clone(),
                key: name.clone(),
                entry: Value::from(entry.clone()),
                place: format!("entry {name:?}"),
                only_if: None,
            };
            // An entry that is none is told; settings of Celery may stand beside entries.
            let is_entry = |(name, entry): &(&String, &serde_json::Value)| entry.is_object() || !zone::is_setting(name);
            let named = entries.iter().filter(is_entry).map(entry);
            Ok(Found { entries: named.collect(), zones, ..Found::default() })
        }
        _ => Err("it must be an object with the entries by name, or the list that dumpdata prints".to_owned()),
    }
}

fn write(found: &Found, now: Timestamp, file: &str, plugin: Option<&PluginName>) -> Carried {
    let (zone, zone_notes) = found.zones.settle();
    let mut taken = Taken::default();
    let (mut body, mut carried, mut left) = (String::new(), 0, found.unread.len());
    for named in &found.entries {
        let entry = Entry {
            name: &named.name,
            value: &named.entry,
            place: &named.place,
            only_if: named.only_if.as_deref(),
            zone: &zone,
            nearer: None,
            plugin,
            now,
        };
        match entry.carry(&mut taken) {
            Outcome::Carried(text) => {
                carried += 1;
                body.push_str(&text);
            }
            Outcome::Left(text) => {
                left += 1;
                body.push_str(&text);
            }
        }
    }
    let mut text = format!(
        "# Made by `hookbox import celery` from {}: {carried} schedules, {left} left to you.\n\
         # A task is a handler of a plugin: `hookbox check` tells which of them are not there yet.\n\
         # A handler finds the task's arguments in its payload: {{\"args\": [..], \"kwargs\": {{..}}}}.\n\
         # Celery asks for both where a day of the month and a day of the week are given, hence day_rule: and.\n\
         # LEFT: is what is not carried, and what to do about it.\n",
        one_line(file)
    );
    for note in zone_notes.iter().chain(&found.notes).chain(&found.unread) {
        text.push_str(&format!("# LEFT: {}\n", one_line(note)));
    }
    text.push_str(if carried == 0 { "schedules: {}\n" } else { "schedules:\n" });
    text.push_str(&body);
    Carried { text, carried, left }
}

/// What a comment may hold.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
