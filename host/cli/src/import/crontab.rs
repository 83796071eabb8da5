//! Celery's `crontab(..)` as a cron expression that means the same.

use hookbox_core::cron::CronExpr;

use super::value::{Call, Value};

/// A field of a crontab: its name in Celery, and what it may be.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// In the order of crontab's own arguments.
const FIELDS: [Field; 5] = [
    Field { name: "minute", first: 0, last: 59, names: &[] },
    Field { name: "hour", first: 0, last: 23, names: &[] },
    Field { name: "day_of_week", first: 0, last: 6, names: &DAYS },
    Field { name: "day_of_month", first: 1, last: 31, names: &[] },
    Field { name: "month_of_year", first: 1, last: 12, names: &MONTHS },
];

/// Of those, which an expression has first, second and so on.
const PLACES: [usize; 5] = [0, 1, 3, 4, 2];

/// The expression, and arguments that have no place in it.
pub(super) fn expression(call: &Call) -> Result<(String, Vec<String>), String> {
    let mut fields = Vec::new();
    for place in PLACES {
        let Some(field) = FIELDS.get(place) else { continue };
        fields.push(match call.argument(place, field.name) {
            None => "*".to_owned(),
            Some(value) => field.text(value)?,
        });
    }
    let others = call.named.iter().filter(|(name, _)| FIELDS.iter().all(|field| field.name != name));
    let others = others.map(|(name, value)| format!("{name}={value}")).collect();
    Ok((fields.join(" "), others))
}

/// The expression of `crontab.from_string`, or of JSON: minute, hour, day of the month, month, day of the week.
pub(super) fn of_text(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day_of_month, month_of_year, day_of_week] = parts.as_slice() else {
        return Err(format!("{text:?} has not five fields"));
    };
    let given = [minute, hour, day_of_week, day_of_month, month_of_year];
    let named = FIELDS.iter().zip(given).map(|(field, text)| (field.name.to_owned(), Value::Text((*text).to_owned())));
    let call = Call { name: "crontab".to_owned(), args: Vec::new(), named: named.collect() };
    expression(&call).map(|(expression, _)| expression)
}

impl Field {
    fn text(&self, value: &Value) -> Result<String, String> {
        let written = match value {
            Value::Int(number) => number.to_string(),
            Value::Text(text) => text.to_ascii_lowercase(),
            Value::List(items) => {
                let items: Result<Vec<String>, String> = items.iter().map(|item| self.text(item)).collect();
                items?.join(",")
            }
            other => return Err(format!("{} is {other}, which is made by code", self.name)),
        };
        let parts: Result<Vec<String>, String> = written.split(',').map(|part| self.part(part.trim())).collect();
        Ok(parts?.join(","))
    }

    /// As it is written where that means the same here, else the values one by one.
    fn part(&self, part: &str) -> Result<String, String> {
        let refused = || format!("{} has {part:?}, which Celery does not take either", self.name);
        let (range, step) = match part.split_once('/') {
            // 5/15 is no range.
            Some((range, _)) if range != "*" && !range.contains('-') => return Err(refused()),
            Some((range, step)) => (range.trim(), self.number(step)?),
            None => (part, 1),
        };
        if step == 0 {
            return Err(refused());
        }
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.first, self.last),
            Some((first, last)) => (self.value(first.trim())?, self.value(last.trim())?),
            None => {
                let one = self.value(range)?;
                (one, one)
            }
        };
        let shown = match (range, first == last) {
            ("*", _) if step == 1 => "*".to_owned(),
            ("*", _) => format!("*/{step}"),
            (_, true) => first.to_string(),
            _ if step == 1 => format!("{first}-{last}"),
            _ => format!("{first}-{last}/{step}"),
        };
        let is_taken = || {
            let own = |place: usize| FIELDS.get(place).is_some_and(|field| field.name == self.name);
            let fields = PLACES.map(|place| if own(place) { shown.as_str() } else { "*" });
            CronExpr::parse(&fields.join(" ")).is_ok()
        };
        if first <= last && is_taken() {
            return Ok(shown);
        }
        // Backwards, or with a step beyond the end: Celery goes on from the beginning, and takes every so many.
        let all = match first <= last {
            true => (first..=last).collect::<Vec<_>>(),
            false => (first..=self.last).chain(self.first..=last).collect(),
        };
        let all: Vec<u32> = all.into_iter().step_by(step as usize).collect();
        // Up to the end and from the beginning, each as short as it can be: a whole expression has a length at most.
        let runs = all.chunk_by(|one, next| one < next).map(|run| match (run, step) {
            ([first, .., last], 1) => format!("{first}-{last}"),
            ([first, .., last], step) => format!("{first}-{last}/{step}"),
            _ => run.iter().map(u32::to_string).collect(),
        });
        Ok(runs.collect::<Vec<_>>().join(","))
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        text.trim().parse().map_err(|_| format!("{} has {text:?}, which is no number", self.name))
    }

    /// Celery looks at the first three letters of a name only.
    fn value(&self, text: &str) -> Result<u32, String> {
        let wrong = || format!("{} has {text:?}, which Celery does not take either", self.name);
        let number = match text.parse::<u32>() {
            Ok(number) => number,
            Err(_) => {
                let beginning: String = text.chars().take(3).collect();
                let place = self.names.iter().position(|name| *name == beginning).ok_or_else(wrong)?;
                u32::try_from(place).map_err(|_| wrong())? + self.first
            }
        };
        if (self.first..=self.last).contains(&number) { Ok(number) } else { Err(wrong()) }
    }
}
