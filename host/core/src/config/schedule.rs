//! Schedules: when which handler runs, and with what.

use super::reader::{Field, Place, Section};
use super::size;
use crate::attempt::Output;
use crate::cron::{CronExpr, DayRule, Every, kinds};
use crate::effects::QUEUE_DATA_BYTES_MAX;
use crate::name::{HandlerRef, ScheduleName};
use crate::schedule::{Origin, Schedule, When, ZoneName};

/// As JSON: what any other job may carry.
pub const PAYLOAD_BYTES_MAX: usize = QUEUE_DATA_BYTES_MAX;

const KINDS: [&str; 7] = ["cron", "every", "every_minutes", "hourly", "daily", "weekly", "monthly"];

pub(super) fn read(section: Section<'_>) -> Vec<Schedule> {
    section.entries(ScheduleName::parse).filter_map(|(name, section)| schedule(name, section)).collect()
}

fn schedule(name: ScheduleName, mut section: Section<'_>) -> Option<Schedule> {
    let plugin = section.required("plugin", "the plugin's name, the stem of its file");
    let handler = section.required("handler", "the handler's name, as `hookbox plugins` shows it");
    let when = when(&mut section);
    let payload = section.take("payload").and_then(payload);
    the_built_one(&mut section, "overlap", "skip");
    the_built_one(&mut section, "missed", "latest");
    section.finish();
    let target = HandlerRef { plugin: plugin?, handler: handler? };
    Some(Schedule { name, target, when: when?, payload, origin: Origin::Config })
}

fn when(section: &mut Section<'_>) -> Option<When> {
    let given: Vec<_> = KINDS.iter().filter_map(|kind| section.take(kind).map(|field| (*kind, field))).collect();
    let zone = section.take("timezone");
    let day_rule = section.take("day_rule");
    let [(kind, field)] = given.as_slice() else {
        kinds_are_wrong(section.place(), &given);
        return None;
    };
    if let (Some(day_rule), true) = (&day_rule, *kind != "cron") {
        day_rule.wrong(format_args!("is for cron only, not for {kind}; leave it out"));
    }
    if let ("every", Some(zone)) = (*kind, &zone) {
        zone.wrong("an interval has no time zone; leave it out, or write cron or daily in place of every");
    }
    if *kind == "every" {
        let period = field.span(Every::PERIOD_MIN..=Every::PERIOD_MAX)?;
        return When::every(period).map_err(|error| field.wrong(error)).ok();
    }
    // All are read, so that the mistakes of all are told.
    let zone = zone.map_or(Some(ZoneName::default()), |zone| zone.parsed(ZoneName::parse));
    let day_rule = day_rule.map_or(Some(DayRule::default()), |field| rule(&field));
    let expression = expression(kind, field);
    let (zone, day_rule, expression) = (zone?, day_rule?, expression?);
    When::cron_with(&expression, zone, day_rule).map_err(|error| field.wrong(error)).ok()
}

fn kinds_are_wrong(place: &Place<'_>, given: &[(&str, Field<'_>)]) {
    let all = KINDS.join(", ");
    match given {
        [] => place.wrong(format_args!("does not say when; write one of {all}")),
        several => {
            let several = several.iter().map(|(kind, _)| *kind).collect::<Vec<_>>().join(" and ");
            place.wrong(format_args!("must say when in one way, has {several}; write one of {all}"));
        }
    }
}

fn expression(kind: &str, field: &Field<'_>) -> Option<String> {
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("must be a number of minutes, got {text:?}"));
    field.parsed(|text| {
        let expression = match kind {
            "every_minutes" => kinds::every_minutes(number(text)?),
            "hourly" => kinds::hourly(number(text)?),
            "daily" => kinds::daily(text),
            "weekly" => kinds::weekly(text),
            "monthly" => kinds::monthly(text),
            _ => return CronExpr::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string()),
        };
        // The path ends with the kind already.
        expression.map_err(|error| error.to_string().trim_start_matches(kind).trim_start().to_owned())
    })
}

fn rule(field: &Field<'_>) -> Option<DayRule> {
    field.parsed(|text| match text {
        "or" => Ok(DayRule::Or),
        "and" => Ok(DayRule::And),
        other => Err(format!("must be or (either day field) or and (both), got {other:?}")),
    })
}

fn payload(field: Field<'_>) -> Option<Output> {
    let place = field.place().clone();
    let data = serde_json::to_vec(&field.into_value()).map_err(|error| place.wrong(error)).ok()?;
    if data.len() > PAYLOAD_BYTES_MAX {
        let max = size::show(PAYLOAD_BYTES_MAX as u64);
        place.wrong(format_args!("must have at most {max} as JSON, has {} bytes", data.len()));
        return None;
    }
    Some(Output { content_type: "application/json".to_owned(), data })
}

fn the_built_one(section: &mut Section<'_>, key: &'static str, built: &str) {
    let _: Option<()> = section.parsed(key, |text| match text == built {
        true => Ok(()),
        false => Err(format!("must be {built}, the one rule that is built yet, got {text:?}")),
    });
}
