//! The text of an expression: aliases, the number of fields, and what each is.

use super::days::{DayRule, Days, DaysOfMonth, DaysOfWeek};
use super::field::{CronError, Field, Set};
use super::wall::{Times, Wall};
use super::{CronExpr, EXPRESSION_BYTES_MAX, Pace};
use crate::time::Millis;

pub(super) fn parse(text: &str) -> Result<CronExpr, CronError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let message = format!("must have {EXPRESSION_BYTES_MAX} bytes at most, has {}; write ranges", text.len());
        return Err(CronError::whole(message));
    }
    let text = text.trim();
    let fields = if text.starts_with('@') { alias(text)? } else { text };
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let (second, [minute, hour, of_month, month, of_week]) = match fields[..] {
        [minute, hour, of_month, month, of_week] => (None, [minute, hour, of_month, month, of_week]),
        [second, minute, hour, of_month, month, of_week] => (Some(second), [minute, hour, of_month, month, of_week]),
        _ => return Err(CronError::whole(count(fields.len()))),
    };
    let times = Times {
        seconds: second.map_or(Ok(Set::only(0)), |second| Field::Second.set(second))?,
        minutes: Field::Minute.set(minute)?,
        hours: Field::Hour.set(hour)?,
    };
    let days = Days {
        rule: DayRule::default(),
        of_month: DaysOfMonth::parse(of_month)?,
        months: Field::Month.set(month)?,
        of_week: DaysOfWeek::parse(of_week)?,
    };
    let wild = minute.starts_with(['*', '?']) || hour.starts_with(['*', '?']);
    let pace = if wild { Pace::Wild } else { Pace::Fixed };
    Ok(CronExpr { text: text.into(), pace, wall: Wall::new(times, days) })
}

fn alias(text: &str) -> Result<&'static str, CronError> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        "@monthly" => Ok("0 0 1 * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@hourly" => Ok("0 * * * *"),
        "@reboot" => Err(CronError::whole("@reboot names no time; write a time, such as @daily")),
        _ => Err(CronError::whole(match lower.strip_prefix("@every") {
            Some(period) => {
                let period = period.trim().parse().unwrap_or(Millis(5 * Millis::MINUTE.0));
                format!("an interval is no cron expression; write `every: {period}`")
            }
            None => format!(
                "{text:?} is no alias; write @yearly, @annually, @monthly, @weekly, @daily, @midnight or @hourly"
            ),
        })),
    }
}

fn count(fields: usize) -> String {
    let cure = "minute hour day-of-month month day-of-week, such as `0 9 * * mon-fri`, or six with the second first";
    format!("must have five fields, has {fields}; write {cure}")
}
