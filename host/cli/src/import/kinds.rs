//! Schedules by name, as some projects have them beside Celery's own: `daily("09:00")`, `weekly(day="mon", hour=9)`,
//! `{"every_minutes": 15}`, or `{"kind": "hourly", "minute": 30}`.

use hookbox_core::cron::kinds;

use super::value::{Call, Value};

/// Six with `crontab`.
const KINDS: [&str; 5] = ["every_minutes", "hourly", "daily", "weekly", "monthly"];

/// By the last part of a name: some write `schedules.daily(..)`.
pub(super) fn of_name(name: &str) -> Option<&'static str> {
    let last = name.rsplit('.').next().unwrap_or(name);
    KINDS.into_iter().find(|kind| *kind == last)
}

/// The call that a map stands for.
pub(super) fn written_out(members: &[(String, Value)]) -> Option<Value> {
    let call = |kind: &str, args: Vec<Value>, named| Value::Call(Call { name: kind.to_owned(), args, named });
    if let Some((name, value)) = members.iter().find(|(name, _)| KINDS.contains(&name.as_str())) {
        return Some(match value {
            Value::Map(named) => call(name, Vec::new(), named.clone()),
            other => call(name, vec![other.clone()], Vec::new()),
        });
    }
    let is_kind = |name: &str| matches!(name, "kind" | "type");
    let (_, kind) = members.iter().find(|(name, _)| is_kind(name))?;
    let Value::Text(kind) = kind else { return None };
    let named: Vec<_> = members.iter().filter(|(name, _)| !is_kind(name)).cloned().collect();
    match kind.as_str() {
        "crontab" => Some(call(kind, Vec::new(), named)),
        "cron" => named.into_iter().find_map(|(name, value)| (name != "timezone").then_some(value)),
        _ => of_name(kind).map(|kind| call(kind, Vec::new(), named)),
    }
}

/// The line of hooks.yaml.
pub(super) fn line(kind: &str, call: &Call) -> Result<String, String> {
    let unknown = || format!("{}: write `{kind}:` for it", Value::Call(call.clone()));
    let (text, checked) = match kind {
        "every_minutes" | "hourly" => {
            let name = if kind == "hourly" { "minute" } else { "minutes" };
            let number = match call.argument(0, name) {
                None if kind == "hourly" => 0,
                Some(Value::Int(number)) => u32::try_from(*number).map_err(|_| unknown())?,
                _ => return Err(unknown()),
            };
            let checked = if kind == "hourly" { kinds::hourly(number) } else { kinds::every_minutes(number) };
            (number.to_string(), checked)
        }
        "daily" => {
            let at = clock(call, 0).ok_or_else(unknown)?;
            (at.clone(), kinds::daily(&at))
        }
        _ => {
            let at = day_and_clock(kind, call).ok_or_else(unknown)?;
            (at.clone(), if kind == "weekly" { kinds::weekly(&at) } else { kinds::monthly(&at) })
        }
    };
    checked.map_err(|error| error.to_string())?;
    Ok(match kind {
        "every_minutes" | "hourly" => format!("{kind}: {text}"),
        _ => format!("{kind}: {}", super::entry::quoted(&text)),
    })
}

/// `09:00`, from one text, or from an hour and a minute.
fn clock(call: &Call, place: usize) -> Option<String> {
    let text = ["at", "time"].into_iter().find_map(|name| call.argument(usize::MAX, name));
    match text.or_else(|| call.argument(place, "hour"))? {
        Value::Text(text) => Some(text.clone()),
        Value::Int(hour @ 0..=23) => match call.argument(place + 1, "minute") {
            None => Some(format!("{hour:02}:00")),
            Some(Value::Int(minute @ 0..=59)) => Some(format!("{hour:02}:{minute:02}")),
            Some(_) => None,
        },
        _ => None,
    }
}

/// A weekday has its name: whether 0 is a Sunday or a Monday differs from one project to the next.
fn day_and_clock(kind: &str, call: &Call) -> Option<String> {
    let names = if kind == "weekly" { ["day_of_week", "weekday", "day"] } else { ["day_of_month", "day", "date"] };
    let named = names.into_iter().find_map(|name| call.argument(usize::MAX, name));
    match named.or_else(|| call.argument(0, "at"))? {
        // Both in one.
        Value::Text(text) if named.is_none() && text.contains(' ') => Some(text.clone()),
        Value::Text(day) if kind == "weekly" => {
            Some(format!("{} {}", day.get(..3)?.to_ascii_uppercase(), clock(call, usize::from(named.is_none()))?))
        }
        Value::Int(day) if kind == "monthly" => Some(format!("{day} {}", clock(call, usize::from(named.is_none()))?)),
        _ => None,
    }
}
