//! The days on which an expression fires: its two day fields and its months.

use std::str::FromStr;

use chrono::{Datelike, NaiveDate};

use super::field::{CronError, Field, Set};

/// Which days fire where an expression names days of the month and days of the week.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[serde(rename_all = "kebab-case")]
pub enum DayRule {
    /// Vixie's: a day that either field allows, but where one of them begins with `*` (or `?`)
    /// a day that both allow.
    #[default]
    Or,
    /// Celery's: a day that both fields allow.
    And,
}

impl FromStr for DayRule {
    type Err = String;

    fn from_str(text: &str) -> Result<DayRule, String> {
        match text {
            "or" => Ok(DayRule::Or),
            "and" => Ok(DayRule::And),
            other => Err(format!("must be or (either day field) or and (both), got {other:?}")),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) rule: DayRule,
    pub(super) months: Set,
    pub(super) of_month: DaysOfMonth,
    pub(super) of_week: DaysOfWeek,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct DaysOfMonth {
    pub(super) plain: Set,
    begins_with_star: bool,
    /// `L`
    pub(super) last: bool,
    /// `LW`: the last day from Monday to Friday.
    pub(super) last_weekday: bool,
    /// `15W`: of the days from Monday to Friday in the month the one nearest to the 15th.
    pub(super) nearest_weekday: Set,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct DaysOfWeek {
    pub(super) plain: Set,
    begins_with_star: bool,
    /// `5#2`, the second Friday: bit `7 * (2 - 1) + 5`.
    pub(super) nth: Set,
    /// `L5`: the last Friday.
    pub(super) last: Set,
}

impl Days {
    pub(super) fn contain(&self, date: NaiveDate) -> bool {
        let (of_month, of_week) = (self.of_month.contain(date), self.of_week.contain(date));
        let day = if self.must_both_match() { of_month && of_week } else { of_month || of_week };
        day && self.months.contains(date.month())
    }

    pub(super) fn must_both_match(&self) -> bool {
        self.rule == DayRule::And || self.of_month.begins_with_star || self.of_week.begins_with_star
    }

    /// Whether the two plain sets say it all.
    pub(super) fn are_plain(&self) -> bool {
        let DaysOfMonth { last, last_weekday, nearest_weekday, .. } = self.of_month;
        let extended = last || last_weekday || !nearest_weekday.is_empty();
        !extended && self.of_week.nth.is_empty() && self.of_week.last.is_empty()
    }
}

impl DaysOfMonth {
    pub(super) fn parse(text: &str) -> Result<DaysOfMonth, CronError> {
        let mut days = DaysOfMonth { begins_with_star: text.starts_with(['*', '?']), ..Self::default() };
        Field::DayOfMonth.each_part(text, |part| days.add(part))?;
        Ok(days)
    }

    fn add(&mut self, part: &str) -> Result<(), CronError> {
        let upper = part.to_ascii_uppercase();
        match upper.as_str() {
            "L" => self.last = true,
            "LW" => self.last_weekday = true,
            before if before.starts_with("L-") => {
                let message =
                    format!("{part:?} counts back from the last day, which is not known; write L or days 1-31");
                return Err(Field::DayOfMonth.refuse(message));
            }
            day => match day.strip_suffix('W') {
                Some(day) => self.nearest_weekday.insert(Field::DayOfMonth.number(day)?),
                None => Field::DayOfMonth.add_part(part, &mut self.plain)?,
            },
        }
        Ok(())
    }

    fn contain(&self, date: NaiveDate) -> bool {
        let (day, last) = (date.day(), u32::from(date.num_days_in_month()));
        self.plain.contains(day)
            || (self.last && day == last)
            || (self.last_weekday && stands_for(date, last))
            || self.nearest_weekday.numbers().any(|wanted| stands_for(date, wanted))
    }
}

/// Whether `date` is, of the days from Monday to Friday in its month, the nearest to day `wanted` of it.
fn stands_for(date: NaiveDate, wanted: u32) -> bool {
    let last = u32::from(date.num_days_in_month());
    let Some(wanted_date) = date.with_day(wanted) else { return false };
    let nearest = match wanted_date.weekday().num_days_from_monday() {
        5 if wanted == 1 => 3,
        5 => wanted - 1,
        6 if wanted == last => wanted - 2,
        6 => wanted + 1,
        _ => wanted,
    };
    date.day() == nearest
}

impl DaysOfWeek {
    pub(super) fn parse(text: &str) -> Result<DaysOfWeek, CronError> {
        let mut days = DaysOfWeek { begins_with_star: text.starts_with(['*', '?']), ..Self::default() };
        Field::DayOfWeek.each_part(text, |part| days.add(part))?;
        Ok(days)
    }

    fn add(&mut self, part: &str) -> Result<(), CronError> {
        if let Some((day, nth)) = part.split_once('#') {
            let day = Field::DayOfWeek.number(day)? % 7;
            let nth = ["1", "2", "3", "4", "5"].iter().zip(0..).find(|(text, _)| **text == nth);
            let (_, weeks) = nth.ok_or_else(|| {
                Field::DayOfWeek
                    .refuse(format!("{part:?} names no week of the month; write #1 to #5, or L5 for the last"))
            })?;
            self.nth.insert(7 * weeks + day);
            return Ok(());
        }
        match part.strip_prefix(['L', 'l']).or_else(|| part.strip_suffix(['L', 'l'])) {
            Some("") => {
                let message = format!("{part:?} needs a day; write L5 for the month's last Friday, 6 for Saturdays");
                return Err(Field::DayOfWeek.refuse(message));
            }
            Some(day) => self.last.insert(Field::DayOfWeek.number(day)? % 7),
            None => Field::DayOfWeek.add_part(part, &mut self.plain)?,
        }
        Ok(())
    }

    fn contain(&self, date: NaiveDate) -> bool {
        let (weekday, day) = (date.weekday().num_days_from_sunday(), date.day());
        self.plain.contains(weekday)
            || self.nth.contains(7 * ((day - 1) / 7) + weekday)
            || (self.last.contains(weekday) && day + 7 > u32::from(date.num_days_in_month()))
    }
}
