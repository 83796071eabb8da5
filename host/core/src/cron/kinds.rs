//! Schedules by name, for who would rather not write cron. Each gives the text
//! of an expression that [`super::CronExpr::parse`] takes.

use super::field::Field;

/// A value that a named schedule cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {wanted}, got {got:?}{cure}")]
pub struct BadKind {
    kind: &'static str,
    wanted: &'static str,
    got: String,
    cure: String,
}

/// At minute 0 of each hour and every `minutes` from there. Only what divides the hour is even.
pub fn every_minutes(minutes: u32) -> Result<String, BadKind> {
    if minutes == 1 {
        return Ok("* * * * *".to_owned());
    }
    if (2..=30).contains(&minutes) && 60 % minutes == 0 {
        return Ok(format!("*/{minutes} * * * *"));
    }
    let cure = match minutes {
        0 => String::new(),
        60 => "; write `hourly: 0`".to_owned(),
        uneven => format!("; write `every: {uneven}m`"),
    };
    Err(refuse("every_minutes", "1 to 30 and divide 60", &minutes.to_string()).cured_by(cure))
}

/// At a minute of each hour.
pub fn hourly(minute: u32) -> Result<String, BadKind> {
    if minute < 60 { Ok(format!("{minute} * * * *")) } else { Err(refuse("hourly", "0 to 59", &minute.to_string())) }
}

/// `09:00`
pub fn daily(at: &str) -> Result<String, BadKind> {
    let (hour, minute) = clock(at).ok_or_else(|| refuse("daily", "a time such as 09:00", at))?;
    Ok(format!("{minute} {hour} * * *"))
}

/// `MON 09:00`
pub fn weekly(at: &str) -> Result<String, BadKind> {
    let bad = || refuse("weekly", "a day and a time such as MON 09:00", at);
    let (day, (hour, minute)) = day_and_clock(at).ok_or_else(bad)?;
    let day = Some(day).filter(|day| day.len() == 3 && Field::DayOfWeek.number(day).is_ok()).ok_or_else(bad)?;
    Ok(format!("{minute} {hour} * * {}", day.to_ascii_uppercase()))
}

/// `1 09:00`, or `L 09:00` for the last day of the month.
pub fn monthly(at: &str) -> Result<String, BadKind> {
    let bad = || refuse("monthly", "a day (1-31, or L for the last) and a time such as 1 09:00", at);
    let (day, (hour, minute)) = day_and_clock(at).ok_or_else(bad)?;
    if day.eq_ignore_ascii_case("L") {
        return Ok(format!("{minute} {hour} L * *"));
    }
    let day = Field::DayOfMonth.number(day).map_err(|_| bad())?;
    Ok(format!("{minute} {hour} {day} * *"))
}

fn day_and_clock(at: &str) -> Option<(&str, (u32, u32))> {
    let (day, time) = at.split_once(' ')?;
    Some((day, clock(time)?))
}

/// `HH:MM`, both of two digits.
fn clock(text: &str) -> Option<(u32, u32)> {
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    Some((Field::Hour.number(hour).ok()?, Field::Minute.number(minute).ok()?))
}

fn refuse(kind: &'static str, wanted: &'static str, got: &str) -> BadKind {
    BadKind { kind, wanted, got: got.chars().take(80).collect(), cure: String::new() }
}

impl BadKind {
    fn cured_by(self, cure: String) -> BadKind {
        BadKind { cure, ..self }
    }
}
