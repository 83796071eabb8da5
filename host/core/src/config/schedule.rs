//! Schedules that the operator declares.

use serde_json::Value;

use super::reader::{Section, shown, unknown};
use crate::attempt::Output;
use crate::cron::{DayRule, kinds};
use crate::effects::QUEUE_DATA_BYTES_MAX;
use crate::name::{HandlerName, HandlerRef, PluginName, ScheduleName};
use crate::schedule::{Origin, Schedule, When, ZoneName};
use crate::time::Millis;

/// The ways to say when; exactly one is given.
const KINDS: [&str; 7] = ["cron", "every", "every_minutes", "hourly", "daily", "weekly", "monthly"];

pub(super) fn schedules(section: Section<'_>) -> Vec<Schedule> {
    section.sections().filter_map(|(name, section)| schedule(&name, section)).collect()
}

fn schedule(name: &str, mut section: Section<'_>) -> Option<Schedule> {
    let name = ScheduleName::parse(name).map_err(|error| section.mistake("", error)).ok();
    let plugin = required::<PluginName>(&mut section, "plugin");
    let handler = required::<HandlerName>(&mut section, "handler");
    let when = when(&mut section);
    only(&mut section, "overlap", "skip");
    only(&mut section, "missed", "latest");
    let payload = section.take("payload").and_then(|payload| {
        let data = payload.to_string().into_bytes();
        if data.len() > QUEUE_DATA_BYTES_MAX {
            section.mistake(
                "payload",
                format_args!("must be at most {QUEUE_DATA_BYTES_MAX} bytes as JSON, got {}", data.len()),
            );
            return None;
        }
        Some(Output { content_type: "application/json".to_owned(), data })
    });
    section.finish();
    let target = HandlerRef { plugin: plugin?, handler: handler? };
    Some(Schedule { name: name?, target, when: when?, payload, origin: Origin::Config })
}

fn required<T>(section: &mut Section<'_>, key: &'static str) -> Option<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    match section.text(key) {
        Some(text) => text.parse().map_err(|error| section.mistake(key, error)).ok(),
        None => {
            section.mistake(key, "is missing: say what the schedule runs");
            None
        }
    }
}

/// A key with one value so far.
fn only(section: &mut Section<'_>, key: &'static str, value: &str) {
    if let Some(text) = section.text(key).filter(|text| text != value) {
        section.mistake(key, format_args!("must be {value}, got {text:?}"));
    }
}

fn when(section: &mut Section<'_>) -> Option<When> {
    let zone = section
        .text("timezone")
        .and_then(|text| ZoneName::parse(&text).map_err(|error| section.mistake("timezone", error)).ok());
    let day_rule = section.text("day_rule").and_then(|text| match text.as_str() {
        "or" => Some(DayRule::Or),
        "and" => Some(DayRule::And),
        other => {
            section.mistake("day_rule", unknown("rule", other, &["or", "and"]));
            None
        }
    });
    let given: Vec<(&'static str, Value)> =
        KINDS.into_iter().filter_map(|kind| Some((kind, section.take(kind)?))).collect();
    let [(kind, value)] = given.as_slice() else {
        section.mistake("", format_args!("must have exactly one of {}, got {}", KINDS.join(", "), given.len()));
        return None;
    };
    if *kind == "every" {
        for (key, present) in [("timezone", zone.is_some()), ("day_rule", day_rule.is_some())] {
            if present {
                section.mistake(key, "an interval knows no calendar: leave it out");
            }
        }
        return every(section, value);
    }
    let expression = expression(kind, value).map_err(|error| section.mistake(kind, error)).ok()?;
    let when = When::cron_with(&expression, zone.unwrap_or_default(), day_rule.unwrap_or_default());
    when.map_err(|error| section.mistake(kind, error)).ok()
}

fn every(section: &Section<'_>, value: &Value) -> Option<When> {
    let period = match value.as_str().map(str::parse::<Millis>) {
        Some(Ok(period)) => period,
        Some(Err(error)) => {
            section.mistake("every", error);
            return None;
        }
        None => {
            section.mistake("every", format_args!("must be a duration such as 45m, got {}", shown(value)));
            return None;
        }
    };
    let told = |error: crate::schedule::BadWhen| {
        let told = error.to_string();
        section.mistake("every", told.strip_prefix("every: ").unwrap_or(&told));
    };
    When::every(period).map_err(told).ok()
}

/// The cron expression that a kind stands for.
fn expression(kind: &str, value: &Value) -> Result<String, String> {
    let number = || {
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| format!("must be a number of minutes, got {}", shown(value)))
    };
    let text = || value.as_str().ok_or_else(|| format!("must be a text in quotes, got {}", shown(value)));
    match kind {
        "every_minutes" => kinds::every_minutes(number()?).map_err(|error| error.to_string()),
        "hourly" => kinds::hourly(number()?).map_err(|error| error.to_string()),
        "daily" => kinds::daily(text()?).map_err(|error| error.to_string()),
        "weekly" => kinds::weekly(text()?).map_err(|error| error.to_string()),
        "monthly" => kinds::monthly(text()?).map_err(|error| error.to_string()),
        _ => text().map(str::to_owned),
    }
}
