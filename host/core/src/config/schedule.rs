//! Schedules: when which handler runs, and with what.

use super::reader::{Field, Place, Report, Section};
use super::tree::Node;
use super::{Mistakes, size};
use crate::attempt::Output;
use crate::cron::{CronExpr, DayRule, Every, kinds};
use crate::effects::QUEUE_DATA_BYTES_MAX;
use crate::name::{HandlerRef, ScheduleName};
use crate::schedule::{Origin, Rules, Schedule, When, ZoneName};
use crate::time::{Millis, NotATime};

/// As JSON: what any other job may carry.
pub const PAYLOAD_BYTES_MAX: usize = QUEUE_DATA_BYTES_MAX;

/// A schedule has one of these keys, which says when.
pub const SCHEDULE_KINDS: [&str; 8] = ["cron", "every", "every_minutes", "hourly", "daily", "weekly", "monthly", "at"];

pub(super) fn read(section: Section<'_>) -> Vec<Schedule> {
    section.entries(ScheduleName::parse).filter_map(|(name, section)| schedule(name, section)).collect()
}

/// A schedule that an operator makes: an object with the keys that hooks.yaml has.
pub fn schedule_of_operator(name: ScheduleName, asked: serde_json::Value) -> Result<Schedule, Mistakes> {
    let report = Report::default();
    let made = schedule(name, Section::root(Node::from(asked), &report));
    let mistakes = report.into_mistakes();
    match made {
        Some(made) if mistakes.is_empty() => Ok(Schedule { origin: Origin::Operator, ..made }),
        _ => Err(Mistakes(mistakes)),
    }
}

fn schedule(name: ScheduleName, mut section: Section<'_>) -> Option<Schedule> {
    let plugin = section.required("plugin", "the plugin's name, the stem of its file");
    let handler = section.required("handler", "the handler's name, as `hookbox plugins` shows it");
    let when = when(&mut section);
    let payload = section.take("payload").and_then(payload);
    let mut rules = Rules::default();
    for option in Rules::OPTIONS {
        let _: Option<()> = section.parsed(option, |text| rules.set(option, text));
    }
    section.finish();
    let target = HandlerRef { plugin: plugin?, handler: handler? };
    Some(Schedule { name, target, when: when?, payload, origin: Origin::Config, rules })
}

fn when(section: &mut Section<'_>) -> Option<When> {
    let given: Vec<_> =
        SCHEDULE_KINDS.iter().filter_map(|kind| section.take(kind).map(|field| (*kind, field))).collect();
    let zone = section.take("timezone");
    let day_rule = section.take("day_rule");
    let phase = section.take("phase");
    let [(kind, field)] = given.as_slice() else {
        kinds_are_wrong(section.place(), &given);
        return None;
    };
    if let (Some(day_rule), true) = (&day_rule, *kind != "cron") {
        day_rule.wrong(format_args!("is for cron only, not for {kind}; leave it out"));
    }
    if let (Some(phase), true) = (&phase, *kind != "every") {
        phase.wrong(format_args!("is for every only, not for {kind}; leave it out"));
    }
    match (*kind, &zone) {
        ("every", Some(zone)) => {
            zone.wrong("an interval has no time zone; leave it out, or write cron or daily in place of every");
        }
        ("at", Some(zone)) => zone.wrong("the time of at says its own offset; leave it out"),
        _ => {}
    }
    match *kind {
        "every" => return interval(field, phase),
        "at" => {
            return field.parsed(|text| text.parse().map(|at| When::Once { at }).map_err(|e: NotATime| e.to_string()));
        }
        _ => {}
    }
    // All are read, so that the mistakes of all are told.
    let zone = zone.map_or(Some(ZoneName::default()), |zone| zone.parsed(ZoneName::parse));
    let day_rule = day_rule.map_or(Some(DayRule::default()), |field| field.parsed(str::parse));
    let expression = expression(kind, field);
    let (zone, day_rule, expression) = (zone?, day_rule?, expression?);
    When::cron_with(&expression, zone, day_rule).map_err(|error| field.wrong(error)).ok()
}

fn interval(field: &Field<'_>, phase: Option<Field<'_>>) -> Option<When> {
    let period = field.span(Every::PERIOD_MIN..=Every::PERIOD_MAX)?;
    match phase {
        None => When::every(period).map_err(|error| field.wrong(error)).ok(),
        Some(phase) => {
            let own = phase.span(Millis(0)..=Every::PERIOD_MAX)?;
            When::every_with(period, own).map_err(|error| phase.wrong(error)).ok()
        }
    }
}

fn kinds_are_wrong(place: &Place<'_>, given: &[(&str, Field<'_>)]) {
    let all = SCHEDULE_KINDS.join(", ");
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
