//! One field of an expression, and the numbers that it allows.

use std::fmt;

/// A field of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

/// A text that is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CronError {
    /// The field at fault; `None` where it is the expression as a whole.
    pub field: Option<Field>,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Some of the numbers 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Set(u64);

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Field {
    /// The first and the last number. Sunday is 0; as 7 it is read, never kept.
    pub(super) fn bounds(self) -> (u32, u32) {
        match self {
            Field::Second | Field::Minute => (0, 59),
            Field::Hour => (0, 23),
            Field::DayOfMonth => (1, 31),
            Field::Month => (1, 12),
            Field::DayOfWeek => (0, 6),
        }
    }

    /// A list of parts, none of them empty, each read by `add`.
    pub(super) fn each_part(
        self,
        text: &str,
        mut add: impl FnMut(&str) -> Result<(), CronError>,
    ) -> Result<(), CronError> {
        text.split(',').try_for_each(|part| match part {
            "" => Err(self.refuse(format!("{text:?} has an empty part; write numbers with one comma between them"))),
            part => add(part),
        })
    }

    pub(super) fn set(self, text: &str) -> Result<Set, CronError> {
        let mut set = Set::default();
        self.each_part(text, |part| self.add_part(part, &mut set))?;
        Ok(set)
    }

    /// `*`, `n` or `a-b`, each with `/step` or without; `n/step` goes on to the last number,
    /// and a range that runs backwards goes round.
    pub(super) fn add_part(self, part: &str, set: &mut Set) -> Result<(), CronError> {
        let (low, high) = self.bounds();
        let size = high - low + 1;
        let (body, step) = match part.split_once('/') {
            Some((body, step)) => (body, Some(self.step(step, size)?)),
            None => (part, None),
        };
        let (mut first, mut last) = match (body, body.split_once('-')) {
            ("*" | "?", _) => (low, high),
            (_, Some((first, last))) => (self.number(first)?, self.number(last)?),
            (_, None) => (self.number(body)?, self.number(body)?),
        };
        // Sunday as 7: only at the end of a range does it come after Saturday.
        if first > high {
            (first, last) = (first - size, if last > high { last - size } else { last });
        }
        if step.is_some() && !body.contains('-') {
            last = high;
        }
        if last < first {
            last += size;
        }
        for number in (first..=last).step_by(step.unwrap_or(1)) {
            set.insert(low + (number - low) % size);
        }
        Ok(())
    }

    /// A number or a name, within the bounds but for Sunday as 7.
    pub(super) fn number(self, text: &str) -> Result<u32, CronError> {
        let (low, high) = self.bounds();
        if let Some((number, _)) = (low..).zip(self.names()).find(|(_, name)| name.eq_ignore_ascii_case(text)) {
            return Ok(number);
        }
        let high = if self == Field::DayOfWeek { 7 } else { high };
        let names = match self.names() {
            [first, .., last] => format!(" or {first}-{last}"),
            _ => String::new(),
        };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.refuse(format!("{text:?} is no {self}; write {low}-{high}{names}")));
        }
        text.parse()
            .ok()
            .filter(|number| (low..=high).contains(number))
            .ok_or_else(|| self.refuse(format!("{text} is out of range; write {low}-{high}{names}")))
    }

    pub(super) fn refuse(self, message: String) -> CronError {
        CronError { field: Some(self), message }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Field::Month => &MONTHS,
            Field::DayOfWeek => &WEEKDAYS,
            _ => &[],
        }
    }

    fn step(self, text: &str, size: u32) -> Result<usize, CronError> {
        text.parse()
            .ok()
            .filter(|step| (1..=size as usize).contains(step) && text.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| self.refuse(format!("{text:?} is no step of this field; write /1 to /{size}")))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Field::Second => "second",
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::DayOfMonth => "day of month",
            Field::Month => "month",
            Field::DayOfWeek => "day of week",
        })
    }
}

impl CronError {
    /// The expression as a whole is at fault.
    pub(super) fn whole(message: impl Into<String>) -> CronError {
        CronError { field: None, message: message.into() }
    }
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl Set {
    pub(super) fn only(number: u32) -> Set {
        let mut set = Set::default();
        set.insert(number);
        set
    }

    pub(super) fn insert(&mut self, number: u32) {
        self.0 |= 1_u64.checked_shl(number).unwrap_or(0);
    }

    pub(super) fn contains(self, number: u32) -> bool {
        self.next(number) == Some(number)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The smallest number that is `from` or more.
    pub(super) fn next(self, from: u32) -> Option<u32> {
        let rest = self.0.checked_shr(from).filter(|rest| *rest != 0)?;
        Some(from + rest.trailing_zeros())
    }

    pub(super) fn numbers(self) -> impl Iterator<Item = u32> {
        std::iter::successors(self.next(0), move |number| self.next(number + 1))
    }
}
