//! When an entry runs.

use hookbox_core::cron::DayRule;
use hookbox_core::schedule::{When, ZoneName};
use hookbox_core::time::Millis;

use super::entry::{Entry, Lines, quoted};
use super::value::{Call, Value};
use super::{crontab, kinds, python};

impl Entry<'_> {
    pub(super) fn when(&self, lines: &mut Lines) -> Result<(), String> {
        let relative = relative(self.value.get("relative"))?;
        match self.value.get("schedule") {
            None | Some(Value::None) => Err("it has no schedule".to_owned()),
            Some(value) => self.rule(value, relative, lines),
        }
    }

    fn rule(&self, value: &Value, relative: bool, lines: &mut Lines) -> Result<(), String> {
        match value {
            Value::Int(_) | Value::Float(_) | Value::Span(_) => {
                self.interval(value.number().unwrap_or(0.0), relative, lines)
            }
            Value::Call(call) => self.called(call, lines),
            Value::Text(text) if text.split_whitespace().count() == 5 => self.cron(&crontab::of_text(text)?, lines),
            Value::Text(text) => match text.parse::<Millis>() {
                Ok(span) => self.interval(span.0 as f64 / 1000.0, relative, lines),
                Err(_) => Err(format!("its schedule is {text:?}: write five fields of cron, or every: 30s")),
            },
            Value::Map(members) => match kinds::written_out(members) {
                Some((kind, zone)) => self.within(zone)?.rule(&kind, relative, lines),
                None => {
                    let written = written_out(members)?;
                    let relative = relative || written.relative;
                    self.within(written.zone)?.rule(&written.schedule, relative, lines)
                }
            },
            Value::Code(code) => {
                Err(format!("its schedule is made by code, which is not run ({code}): write cron: or every: for it"))
            }
            other => Err(format!("its schedule is {other}: write cron: or every: for it")),
        }
    }

    fn called(&self, call: &Call, lines: &mut Lines) -> Result<(), String> {
        match call.name.as_str() {
            "crontab.from_string" => match call.argument(0, "crontab") {
                Some(Value::Text(text)) => self.cron(&crontab::of_text(text)?, lines),
                _ => Err("its crontab is made by code: write cron: for it".to_owned()),
            },
            "crontab" => {
                let (expression, others) = crontab::expression(call)?;
                for other in others.iter().filter(|other| !other.starts_with("app=")) {
                    lines.notes.push(format!("{other}: write `timezone:` where it changes the time of the clock"));
                }
                self.cron(&expression, lines)
            }
            "schedule" => {
                // The entry's own word counts for a plain interval only.
                let relative = relative(call.argument(1, "relative"))?;
                // app is the app's own, whatever stands here.
                for other in call.unknown(&["run_every", "relative"]).iter().filter(|other| !other.starts_with("app="))
                {
                    lines.notes.push(format!("{other}: Celery asks it for the time; look when this is to run"));
                }
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

    pub(super) fn cron(&self, expression: &str, lines: &mut Lines) -> Result<(), String> {
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
            None | Some(Value::None) => self.nearer.clone(),
            Some(other) => return Err(format!("its time zone is {other}: write `timezone:` for it")),
        };
        Ok(Entry { nearer: zone, ..*self })
    }

    /// Unless it is the usual one.
    pub(super) fn timezone(&self) -> Result<Option<ZoneName>, String> {
        if let Some(nearer) = &self.nearer {
            return Ok(Some(nearer.clone()).filter(|zone| *zone != ZoneName::default()));
        }
        let zone = match self.value.get("timezone").or(self.value.get("tz")) {
            Some(Value::Text(text)) => Some(ZoneName::parse(text).map_err(|error| error.to_string())?),
            None | Some(Value::None) => self.zone.clone(),
            Some(other) => return Err(format!("its time zone is {other}: write `timezone:` for it")),
        };
        Ok(zone.filter(|zone| *zone != ZoneName::default()))
    }
}

fn relative(given: Option<&Value>) -> Result<bool, String> {
    match given {
        None | Some(Value::None) => Ok(false),
        Some(Value::Bool(relative)) => Ok(*relative),
        Some(other) => Err(format!("relative is {other}: write True or False")),
    }
}

/// What JSON says in the place of a call.
struct Written {
    schedule: Value,
    zone: Option<Value>,
    relative: bool,
}

/// To the last word: what else stands beside a schedule could mean that it runs at other times.
fn written_out(members: &[(String, Value)]) -> Result<Written, String> {
    let (mut zone, mut is_relative) = (None, false);
    let mut rest = Vec::new();
    for (name, value) in members {
        match name.as_str() {
            "timezone" | "tz" => zone = Some(value.clone()),
            "relative" => is_relative = relative(Some(value))?,
            _ => rest.push((name.clone(), value.clone())),
        }
    }
    let schedule = match &rest[..] {
        [(name, value)] if ["crontab", "solar", "schedule", "clocked"].contains(&name.as_str()) => match value {
            Value::Map(named) => {
                let (call, inner) =
                    kinds::without_zone(&Call { name: name.clone(), args: Vec::new(), named: named.clone() });
                zone = inner.or(zone);
                Value::Call(call)
            }
            other => other.clone(),
        },
        [(name, value)] if name == "timedelta" || name == "interval" => written_out_span(value)?,
        [(first, one), (second, other)] if first == "every" && second == "period" => every_period(one, other)?,
        [(first, one), (second, other)] if first == "period" && second == "every" => every_period(other, one)?,
        rest if rest.iter().any(|(name, _)| CRONTAB.contains(&name.as_str())) => {
            Value::Call(Call { name: "crontab".to_owned(), args: Vec::new(), named: rest.to_vec() })
        }
        rest => written_out_span(&Value::Map(rest.to_vec()))?,
    };
    Ok(Written { schedule, zone, relative: is_relative })
}

const CRONTAB: [&str; 5] = ["minute", "hour", "day_of_week", "day_of_month", "month_of_year"];

fn every_period(every: &Value, period: &Value) -> Result<Value, String> {
    match period {
        Value::Text(period) => written_out_span(&Value::Map(vec![(period.clone(), every.clone())])),
        other => Err(format!("its period is {other}: write every: for it")),
    }
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
