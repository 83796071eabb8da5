//! The times of day.

use super::super::field::{Field, Set};
use super::super::wall::Times;
use super::{Lists, Piece, Progression, is_all, ordinal, pieces, progression, runs};

/// Times that are told one by one.
const CLOCKS_MAX: usize = 6;
/// Stretches of a day that are told by their ends.
const STRETCHES_MAX: usize = 3;

pub(super) struct TimesInWords {
    pub(super) text: String,
    /// Whether they are told as a clock shows them, one by one.
    pub(super) are_clocks: bool,
}

/// What is told of the smallest unit.
struct Pulse {
    text: String,
    /// Whether it beats on through each of the next larger unit.
    goes_on: bool,
}

pub(super) fn describe(times: Times, lists: Lists) -> TimesInWords {
    match clocks(times) {
        Some(clocks) => TimesInWords { text: format!("at {}", lists.join(&clocks, "and")), are_clocks: true },
        None => {
            let text = hourly(times, lists).unwrap_or_else(|| pulsing(times, lists));
            TimesInWords { text, are_clocks: false }
        }
    }
}

/// All times, where they are few.
fn clocks(times: Times) -> Option<Vec<String>> {
    let count = |set: Set| set.numbers().count();
    if count(times.hours) * count(times.minutes) * count(times.seconds) > CLOCKS_MAX {
        return None;
    }
    let mut clocks = Vec::new();
    for hour in times.hours.numbers() {
        for minute in times.minutes.numbers() {
            clocks.extend(times.seconds.numbers().map(|second| clock(times, hour, minute, second)));
        }
    }
    Some(clocks)
}

/// Seconds are shown where there are any.
fn clock(times: Times, hour: u32, minute: u32, second: u32) -> String {
    if on_the_minute(times) { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") }
}

fn on_the_minute(times: Times) -> bool {
    times.seconds == Set::only(0)
}

/// One time of each hour, where the hours follow a pattern.
fn hourly(times: Times, lists: Lists) -> Option<String> {
    let (minute, second) = (only(times.minutes)?, only(times.seconds)?);
    let at = |hour| clock(times, hour, minute, second);
    if is_all(times.hours, Field::Hour) {
        return Some(match (minute, second) {
            (0, 0) => "every hour".to_owned(),
            (_, 0) => format!("every hour at minute {minute}"),
            _ => format!("every hour at minute {minute} and second {second}"),
        });
    }
    if let Some(Progression { first, step, last }) = progression(times.hours, 2) {
        return Some(format!("every {step} hours from {} through {}", at(first), at(last)));
    }
    let stretches = runs(times.hours.numbers()).into_iter().map(|(first, last)| {
        // An hour by itself is no stretch.
        (first < last).then(|| format!("from {} through {}", at(first), at(last)))
    });
    let stretches: Vec<String> = stretches.collect::<Option<_>>()?;
    Some(format!("every hour {}", lists.join(&stretches, "and")))
}

fn only(set: Set) -> Option<u32> {
    let mut numbers = set.numbers();
    numbers.next().filter(|_| numbers.next().is_none())
}

fn pulsing(times: Times, lists: Lists) -> String {
    let every_hour = is_all(times.hours, Field::Hour);
    let hours = || noun(times.hours, Field::Hour, lists);
    if on_the_minute(times) {
        let pulse = pulse(times.minutes, Field::Minute, lists);
        return match stretches(times, &pulse, lists) {
            _ if every_hour && pulse.goes_on => pulse.text,
            Some(stretches) => format!("{} {stretches}", pulse.text),
            None => format!("{} of {}", pulse.text, hours()),
        };
    }
    let pulse = pulse(times.seconds, Field::Second, lists);
    if !is_all(times.minutes, Field::Minute) {
        let minutes = noun(times.minutes, Field::Minute, lists);
        return format!("{} of {minutes} of {}", pulse.text, hours());
    }
    match (stretches(times, &pulse, lists), pulse.goes_on, every_hour) {
        (_, true, true) => pulse.text,
        (Some(stretches), ..) => format!("{} {stretches}", pulse.text),
        (None, true, false) => format!("{} of {}", pulse.text, hours()),
        (None, false, true) => format!("{} of every minute", pulse.text),
        (None, false, false) => format!("{} of every minute of {}", pulse.text, hours()),
    }
}

fn pulse(set: Set, field: Field, lists: Lists) -> Pulse {
    let (_, high) = field.bounds();
    if is_all(set, field) {
        return Pulse { text: format!("every {field}"), goes_on: true };
    }
    match progression(set, 2) {
        Some(Progression { first: 0, step, last }) if last + step == high + 1 => {
            return Pulse { text: format!("every {step} {field}s"), goes_on: true };
        }
        Some(Progression { first, step, last }) if last - first >= 3 * step => {
            let text = format!("every {step} {field}s from {field} {first} through {last}");
            return Pulse { text, goes_on: false };
        }
        _ => {}
    }
    let text = match pieces(set.numbers())[..] {
        [Piece::One(number)] => format!("at {field} {number}"),
        [Piece::Run(first, last)] => format!("every {field} from {field} {first} through {last}"),
        ref several => format!("at {field}s {}", lists.numbers(several)),
    };
    Pulse { text, goes_on: false }
}

/// Where a pulse goes on for hours, the times at which it begins and ends. `None` where it does not, or the hours are many
/// and apart.
fn stretches(times: Times, pulse: &Pulse, lists: Lists) -> Option<String> {
    let runs = runs(times.hours.numbers());
    if !pulse.goes_on || runs.len() > STRETCHES_MAX {
        return None;
    }
    let end = |set: Set| set.numbers().last().unwrap_or(0);
    let (minute, second) = (end(times.minutes), end(times.seconds));
    let stretches: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| {
            format!("from {} through {}", clock(times, first, 0, 0), clock(times, last, minute, second))
        })
        .collect();
    Some(lists.join(&stretches, "and"))
}

/// `every hour`, `hour 9`, `hours 9 through 17`, `every 2nd hour from 0 through 22`.
fn noun(set: Set, field: Field, lists: Lists) -> String {
    if is_all(set, field) {
        return format!("every {field}");
    }
    if let Some(Progression { first, step, last }) = progression(set, 4) {
        return format!("every {} {field} from {first} through {last}", ordinal(step));
    }
    match pieces(set.numbers())[..] {
        [Piece::One(number)] => format!("{field} {number}"),
        ref several => format!("{field}s {}", lists.numbers(several)),
    }
}
