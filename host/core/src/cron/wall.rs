//! A clock on the wall that never jumps: which of its readings an expression names.

use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use cron::Schedule;

use super::SEARCH_YEARS_MAX;
use super::days::{DayRule, Days};
use super::field::{Field, Set};

/// The years that the `cron` crate knows.
const CRATE_YEARS: std::ops::RangeInclusive<i32> = 1970..=2100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wall {
    times: Times,
    days: Days,
    /// What the `cron` crate can walk: one schedule, or two where either day field will do.
    /// Empty where only our own walk knows the notation.
    schedules: Vec<Schedule>,
}

/// Times of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) hours: Set,
    pub(super) minutes: Set,
    pub(super) seconds: Set,
}

impl Wall {
    pub(super) fn new(times: Times, days: Days) -> Wall {
        Wall { times, schedules: schedules(times, &days), days }
    }

    pub(super) fn with_day_rule(self, rule: DayRule) -> Wall {
        Wall::new(self.times, Days { rule, ..self.days })
    }

    pub(super) fn times(&self) -> Times {
        self.times
    }

    pub(super) fn days(&self) -> &Days {
        &self.days
    }

    /// The first reading that is `from` (in whole seconds) or later; `None` where there is
    /// none within [`SEARCH_YEARS_MAX`].
    pub(super) fn at_or_after(&self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        if self.crate_can_tell(from) { self.by_schedules(from) } else { self.by_days(from) }
    }

    /// Whether all that is searched lies within the years of the crate.
    fn crate_can_tell(&self, from: NaiveDateTime) -> bool {
        let last = from.year().saturating_add_unsigned(SEARCH_YEARS_MAX);
        !self.schedules.is_empty() && CRATE_YEARS.contains(&from.year()) && CRATE_YEARS.contains(&last)
    }

    fn by_schedules(&self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        let before = (from - TimeDelta::seconds(1)).and_utc();
        let next = self.schedules.iter().filter_map(|schedule| schedule.after(&before).next());
        next.min().map(|reading| reading.naive_utc())
    }

    fn by_days(&self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        let today = from.date();
        if self.days.contain(today)
            && let Some(time) = self.times.at_or_after(from.time())
        {
            return Some(today.and_time(time));
        }
        let time = self.times.at_or_after(NaiveTime::MIN)?;
        let last = today.checked_add_months(Months::new(12 * SEARCH_YEARS_MAX))?;
        let mut day = today.succ_opt()?;
        while day <= last {
            if !self.days.months.contains(day.month()) {
                day = first_of_next_month(day)?;
            } else if self.days.contain(day) {
                return Some(day.and_time(time));
            } else {
                day = day.succ_opt()?;
            }
        }
        None
    }
}

fn first_of_next_month(day: NaiveDate) -> Option<NaiveDate> {
    day.with_day(1)?.checked_add_months(Months::new(1))
}

impl Times {
    fn at_or_after(&self, from: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        let this_hour = self.hours.contains(hour).then(|| self.within(hour, minute, second)).flatten();
        this_hour.or_else(|| self.within(self.hours.next(hour + 1)?, 0, 0))
    }

    fn within(&self, hour: u32, minute: u32, second: u32) -> Option<NaiveTime> {
        let this_minute = self.minutes.contains(minute).then(|| self.seconds.next(second)).flatten();
        match this_minute {
            Some(second) => NaiveTime::from_hms_opt(hour, minute, second),
            None => NaiveTime::from_hms_opt(hour, self.minutes.next(minute + 1)?, self.seconds.next(0)?),
        }
    }
}

fn schedules(times: Times, days: &Days) -> Vec<Schedule> {
    if !days.are_plain() {
        return Vec::new();
    }
    let seconds = list(times.seconds, Field::Second);
    let minutes = list(times.minutes, Field::Minute);
    let hours = list(times.hours, Field::Hour);
    let months = list(days.months, Field::Month);
    let of_month = list(days.of_month.plain, Field::DayOfMonth);
    let of_week = list(days.of_week.plain, Field::DayOfWeek);
    let day_fields = if days.must_both_match() {
        vec![(of_month.as_str(), of_week.as_str())]
    } else {
        vec![(of_month.as_str(), "*"), ("*", of_week.as_str())]
    };
    let parse = |(of_month, of_week)| {
        Schedule::from_str(&format!("{seconds} {minutes} {hours} {of_month} {months} {of_week}")).ok()
    };
    day_fields.into_iter().map(parse).collect::<Option<_>>().unwrap_or_default()
}

/// In the notation of the `cron` crate, which counts the days of the week from Sunday as 1.
fn list(set: Set, field: Field) -> String {
    let (low, high) = field.bounds();
    if (low..=high).all(|number| set.contains(number)) {
        return "*".to_owned();
    }
    let from = if field == Field::DayOfWeek { 1 } else { 0 };
    let numbers: Vec<String> = set.numbers().map(|number| (number + from).to_string()).collect();
    numbers.join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cron::CronExpr;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn our_walk_and_the_crates_are_one(
            time in "(\\*|[0-5]?[0-9]|[0-5]?[0-9]-[0-5]?[0-9]/7) (\\*|1?[0-9]|2[0-3]|1[0-9]-[0-9]/2)",
            day in "(\\*|\\*/3|[1-9]|[12][0-9]|3[01]|5,30|28-3) (\\*|[1-9]|2|1[0-2]|2,4)",
            weekday in "(\\*|\\*/2|[0-7]|1-5|6-0)",
            from in 0..2_840_000_000_i64,
        ) {
            let horizon = TimeDelta::days(365 * 40);
            let wall = CronExpr::parse(&format!("{time} {day} {weekday}")).unwrap().wall;
            let from = chrono::DateTime::from_timestamp(from, 0).unwrap().naive_utc();
            prop_assert!(wall.crate_can_tell(from));
            let near = |reading: &NaiveDateTime| *reading - from < horizon;
            prop_assert_eq!(wall.by_schedules(from).filter(near), wall.by_days(from).filter(near));
        }
    }
}
