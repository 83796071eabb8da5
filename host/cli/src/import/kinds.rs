//! Schedules by name, as some projects have them beside Celery's own: `daily("09:00")`, `weekly(day="mon", hour=9)`,
//! `{"every_minutes": 15}`, or `{"kind": "hourly", "minute": 30}`. What is not understood to its last word is not carried.

use hookbox_core::cron::kinds;

use super::value::{Call, Value};

/// Six with `crontab`.
const KINDS: [&str; 5] = ["every_minutes", "hourly", "daily", "weekly", "monthly"];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const FIELDS: [&str; 5] = ["minute", "hour", "day_of_week", "day_of_month", "month_of_year"];
const ZONES: [&str; 2] = ["timezone", "tz"];

/// By the last part of a name: some write `schedules.daily(..)`.
pub(super) fn of_name(name: &str) -> Option<&'static str> {
    let last = name.rsplit('.').next().unwrap_or(name);
    KINDS.into_iter().find(|kind| *kind == last)
}

/// The schedule that a map stands for, and the time zone that it names.
pub(super) fn written_out(members: &[(String, Value)]) -> Option<(Value, Option<Value>)> {
    let of = |wanted: &[&str]| members.iter().find(|(name, _)| wanted.contains(&name.as_str()));
    let zone = of(&ZONES).map(|(_, zone)| zone.clone());
    let rest = |without: &str| -> Vec<(String, Value)> {
        let others = members.iter().filter(|(name, _)| name != without && !ZONES.contains(&name.as_str()));
        others.cloned().collect()
    };
    let call = |kind: &str, args, named| Value::Call(Call { name: kind.to_owned(), args, named });
    if let Some((name, value)) = of(&KINDS) {
        let mut others = rest(name);
        return Some(match value {
            Value::Map(named) => {
                others.extend(named.iter().cloned());
                (call(name, Vec::new(), others), zone)
            }
            other => (call(name, vec![other.clone()], others), zone),
        });
    }
    let (name, kind) = of(&["kind", "type"])?;
    let Value::Text(kind) = kind else { return None };
    let named = rest(name);
    let read = match (kind.as_str(), &named[..]) {
        ("cron" | "crontab", [(name, value @ Value::Text(_))])
            if matches!(&name[..], "expression" | "cron" | "crontab") =>
        {
            value.clone()
        }
        ("cron" | "crontab", named) => {
            let is_field = |(name, _): &(String, Value)| FIELDS.contains(&name.as_str());
            (!named.is_empty() && named.iter().all(is_field)).then(|| call("crontab", Vec::new(), named.to_vec()))?
        }
        (kind, _) => call(of_name(kind)?, Vec::new(), named),
    };
    Some((read, zone))
}

/// The time zone that a call names, and the call without it.
pub(super) fn without_zone(call: &Call) -> (Call, Option<Value>) {
    let (zones, named): (Vec<_>, Vec<_>) =
        call.named.iter().cloned().partition(|(name, _)| ZONES.contains(&name.as_str()));
    let zone = zones.into_iter().next_back().map(|(_, zone)| zone);
    (Call { named, ..call.clone() }, zone)
}

/// Arguments that are taken out one by one, so that what is left is what nobody understood.
struct Arguments {
    args: std::vec::IntoIter<Value>,
    named: Vec<(String, Value)>,
}

impl Arguments {
    /// One of these names, or else the next place.
    fn take(&mut self, names: &[&str]) -> Option<Value> {
        match self.named.iter().position(|(name, _)| names.contains(&name.as_str())) {
            Some(at) => Some(self.named.remove(at).1),
            None => self.args.next(),
        }
    }

    fn number(&mut self, names: &[&str], most: i64) -> Option<Option<i64>> {
        match self.take(names) {
            None => Some(None),
            Some(Value::Int(number)) if (0..=most).contains(&number) => Some(Some(number)),
            Some(_) => None,
        }
    }

    /// `09:00`, from one text, or from an hour and a minute.
    fn clock(&mut self) -> Option<String> {
        match self.take(&["at", "time", "hour"])? {
            Value::Text(text) => Some(text),
            Value::Int(hour @ 0..=23) => {
                let minute = self.number(&["minute"], 59)?.unwrap_or(0);
                Some(format!("{hour:02}:{minute:02}"))
            }
            _ => None,
        }
    }

    /// A weekday has its name: whether 0 is a Sunday or a Monday differs from one project to the next.
    fn weekday(&mut self) -> Option<String> {
        let Value::Text(text) = self.take(&["day_of_week", "weekday", "day"])? else { return None };
        if let Some((day, clock)) = text.split_once(' ') {
            return Some(format!("{} {clock}", short(day)?));
        }
        let day = short(&text)?;
        Some(format!("{day} {}", self.clock()?))
    }

    fn day_of_month(&mut self) -> Option<String> {
        match self.take(&["day_of_month", "day", "date"])? {
            Value::Text(text) if text.contains(' ') => Some(text),
            Value::Int(day) => Some(format!("{day} {}", self.clock()?)),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.args.len() == 0 && self.named.is_empty()
    }
}

/// The whole name of a day, or its first three letters: no list and no range.
fn short(day: &str) -> Option<String> {
    let day = day.to_ascii_lowercase();
    let found = WEEKDAYS.into_iter().find(|name| *name == day || name.get(..3) == Some(&day))?;
    found.get(..3).map(str::to_ascii_uppercase)
}

/// The line of hooks.yaml.
pub(super) fn line(kind: &str, call: &Call) -> Result<String, String> {
    let unknown = || format!("{}: write `{kind}:` or `cron:` for it", Value::Call(call.clone()));
    let mut arguments = Arguments { args: call.args.clone().into_iter(), named: call.named.clone() };
    let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let (text, checked) = match kind {
        "every_minutes" => {
            let minutes = arguments.number(&["minutes"], i64::from(u32::MAX)).flatten().ok_or_else(unknown)?;
            (minutes.to_string(), kinds::every_minutes(number(minutes)))
        }
        "hourly" => {
            let minute = arguments.number(&["minute"], 59).ok_or_else(unknown)?.unwrap_or(0);
            (minute.to_string(), kinds::hourly(number(minute)))
        }
        "daily" => {
            let at = arguments.clock().ok_or_else(unknown)?;
            (super::entry::quoted(&at), kinds::daily(&at))
        }
        "weekly" => {
            let at = arguments.weekday().ok_or_else(unknown)?;
            (super::entry::quoted(&at), kinds::weekly(&at))
        }
        _ => {
            let at = arguments.day_of_month().ok_or_else(unknown)?;
            (super::entry::quoted(&at), kinds::monthly(&at))
        }
    };
    if !arguments.is_empty() {
        return Err(unknown());
    }
    checked.map_err(|error| error.to_string())?;
    Ok(format!("{kind}: {text}"))
}
