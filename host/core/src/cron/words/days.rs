//! The days, and which of the two day fields says so.

use super::super::days::{Days, DaysOfMonth, DaysOfWeek};
use super::super::field::{Field, Set};
use super::{Lists, Piece, Progression, is_all, ordinal, pieces, pieces_around, progression};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const WEEKS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// What goes behind the times, from its comma on: nothing where every day will do.
pub(super) fn describe(days: &Days, times_are_clocks: bool, lists: Lists) -> String {
    let months = Months::new(days.months, lists);
    let any_of_month = is_all(days.of_month.plain, Field::DayOfMonth);
    let any_of_week = is_all(days.of_week.plain, Field::DayOfWeek);
    let (of, of_the_month) = (months.of(), "of the month");
    match (any_of_month, any_of_week, days.must_both_match()) {
        (true, true, _) | (true, _, false) | (_, true, false) => match times_are_clocks {
            true => format!(", every day{}", months.behind_days()),
            false => months.behind_comma(),
        },
        (false, true, true) => format!(", on {} {of}{}", of_month(&days.of_month, lists), months.behind_of()),
        (true, false, true) if days.of_week.plain.is_empty() => {
            format!(", on {} {of}{}", of_week(&days.of_week, "any", lists), months.behind_of())
        }
        (true, false, true) => {
            let of_week = &days.of_week;
            let counted = !of_week.nth.is_empty() || !of_week.last.is_empty();
            let (of, then) = match counted {
                true => (" of the month", months.behind_comma()),
                false => ("", months.behind_days()),
            };
            format!(", on {}{of}{then}", self::of_week(of_week, "any", lists))
        }
        (false, false, true) => {
            let (date, weekday) = (of_month(&days.of_month, lists), of_week(&days.of_week, "a", lists));
            format!(", on {date} {of}, but only if that is {weekday}{}", months.behind_of())
        }
        (false, false, false) => {
            let (date, weekday) = (of_month(&days.of_month, lists), of_week(&days.of_week, "any", lists));
            format!(", on {date} {of_the_month} or on {weekday}{}", months.behind_comma())
        }
    }
}

/// `the 13th`, `the 1st, the 5th through the 10th and the last day`.
fn of_month(days: &DaysOfMonth, lists: Lists) -> String {
    let the = |day| format!("the {}", ordinal(day));
    let mut items = Vec::new();
    if let Some(Progression { first, step, last }) = progression(days.plain, 4) {
        items.push(format!("every {} day from {} through {}", ordinal(step), the(first), the(last)));
    } else {
        items.extend(pieces(days.plain.numbers()).into_iter().map(|piece| match piece {
            Piece::One(day) => the(day),
            Piece::Run(first, last) => format!("{} through {}", the(first), the(last)),
        }));
    }
    items.extend(days.nearest_weekday.numbers().map(|day| format!("the weekday nearest to {}", the(day))));
    items.extend(days.last.then(|| "the last day".to_owned()));
    items.extend(days.last_weekday.then(|| "the last weekday".to_owned()));
    lists.join(&items, "and")
}

/// With "any" or "a": `any Monday or Friday`, `a day from Monday through Friday`, `the second Friday or the last Sunday`.
fn of_week(days: &DaysOfWeek, article: &str, lists: Lists) -> String {
    let name = |day: u32| WEEKDAYS.get((day % 7) as usize).copied().unwrap_or_default().to_owned();
    let (mut single, mut items) = (Vec::new(), Vec::new());
    for piece in pieces_around(days.plain, Field::DayOfWeek.bounds()) {
        match piece {
            Piece::One(day) => single.push(day),
            Piece::Run(first, last) => items.push(format!("{article} day from {} through {}", name(first), name(last))),
        }
    }
    // A week begins on Monday.
    single.sort_by_key(|day| (day + 6) % 7);
    if !single.is_empty() {
        let single: Vec<String> = single.into_iter().map(name).collect();
        items.insert(0, format!("{article} {}", lists.join(&single, "or")));
    }
    items.extend(days.nth.numbers().map(|nth| {
        let week = WEEKS.get((nth / 7) as usize).copied().unwrap_or_default();
        format!("the {week} {}", name(nth))
    }));
    items.extend(days.last.numbers().map(|day| format!("the last {}", name(day))));
    lists.join(&items, "or")
}

/// The months, where not all will do.
enum Months {
    All,
    /// `June and July`
    Named(String),
    /// `from June through August`, `in January and from June through August`
    Stretches(String),
}

impl Months {
    fn new(set: Set, lists: Lists) -> Months {
        if is_all(set, Field::Month) {
            return Months::All;
        }
        let name = |month: u32| MONTHS.get(month as usize - 1).copied().unwrap_or_default().to_owned();
        let pieces = pieces_around(set, Field::Month.bounds());
        let named: Option<Vec<String>> = pieces
            .iter()
            .map(|piece| match *piece {
                Piece::One(month) => Some(name(month)),
                Piece::Run(..) => None,
            })
            .collect();
        if let Some(named) = named {
            return Months::Named(lists.join(&named, "and"));
        }
        let stretches: Vec<String> = pieces
            .iter()
            .map(|piece| match *piece {
                Piece::One(month) => format!("in {}", name(month)),
                Piece::Run(first, last) => format!("from {} through {}", name(first), name(last)),
            })
            .collect();
        Months::Stretches(lists.join(&stretches, "and"))
    }

    /// What a day of the month is of.
    fn of(&self) -> String {
        match self {
            Months::All | Months::Stretches(_) => "of the month".to_owned(),
            Months::Named(names) => format!("of {names}"),
        }
    }

    /// What is left to say behind [`Months::of`].
    fn behind_of(&self) -> String {
        match self {
            Months::All | Months::Named(_) => String::new(),
            Months::Stretches(text) => format!(", {text}"),
        }
    }

    /// All there is to say, behind a day that needs no month.
    fn behind_days(&self) -> String {
        match self {
            Months::All => String::new(),
            Months::Named(names) => format!(" in {names}"),
            Months::Stretches(text) => format!(" {text}"),
        }
    }

    /// All there is to say, for all that was said before.
    fn behind_comma(&self) -> String {
        match self {
            Months::All => String::new(),
            Months::Named(names) => format!(", in {names}"),
            Months::Stretches(text) => format!(", {text}"),
        }
    }
}
