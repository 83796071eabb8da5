//! `hookbox cron`: when an expression fires, told by the code that fires schedules.

use std::fmt;

use hookbox_core::clock::Clock;
use hookbox_core::cron::{Calendar, ClockChange, CronError, CronExpr, DayRule, Fate, Zone};
use hookbox_core::time::Timestamp;
use serde_json::{Value, json};

use crate::args::{CronArgs, CronCommand};
use crate::clock::SystemClock;
use crate::inspect::Print;

/// Times that `explain` tells.
const EXPLAINED: usize = 10;
/// Changes of the clocks that `explain` tells.
const CHANGES: usize = 2;
/// Readings of a change that are written as JSON.
const READINGS_SHOWN: usize = 10;

/// What is wrong with which argument.
#[derive(Debug, PartialEq, Eq)]
struct Mistake {
    field: String,
    message: String,
}

/// What is asked for.
struct Question {
    expr: CronExpr,
    zone: Zone,
    from: Timestamp,
}

/// False if what was typed is at fault, which is told.
pub(crate) fn cron(command: &CronCommand, print: Print) -> bool {
    let answer = match command {
        CronCommand::Explain(cron) => Question::read(cron).and_then(|question| explain(&question, print)),
        CronCommand::Next { cron, count } => {
            Question::read(cron).and_then(|question| next(&question, read_count(count)?, print))
        }
    };
    match &answer {
        Ok(text) => say!("{text}"),
        Err(mistake) if print == Print::Json => say!("{}", refused(&mistake.field, &mistake.message)),
        Err(mistake) => eprintln!("{mistake}"),
    }
    answer.is_ok()
}

/// What is said of a mistake as JSON.
pub(crate) fn refused(field: &str, message: &str) -> Value {
    json!({ "error": { "field": field, "message": message } })
}

fn next(question: &Question, count: usize, print: Print) -> Result<String, Mistake> {
    let times = question.upcoming(count)?;
    if print == Print::Json {
        let times: Vec<String> = times.into_iter().map(Timestamp::show_seconds).collect();
        return Ok(json!({ "next": times }).to_string());
    }
    let lines = times.into_iter().map(|at| match question.zone == Zone::default() {
        true => at.show_seconds(),
        false => format!("{}  {}", question.zone.show(at), at.show_seconds()),
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn explain(question: &Question, print: Print) -> Result<String, Mistake> {
    let Question { expr, zone, from } = question;
    let times: Vec<String> = question.upcoming(EXPLAINED)?.into_iter().map(|at| zone.show(at)).collect();
    let changes = expr.clock_changes(zone, *from, CHANGES);
    let refused = question.calendar().first_after(*from).err();
    if print == Print::Json {
        let answer = json!({
            "expression": expr.as_str(),
            "timezone": zone.name(),
            "day_rule": match expr.day_rule() {
                DayRule::Or => "or",
                DayRule::And => "and",
            },
            "description": expr.describe(),
            "next": times,
            "changes": changes.iter().map(|change| change_as_json(change, zone)).collect::<Vec<_>>(),
            // Why no schedule can be made of it.
            "refused": refused.map(|refused| refused.to_string()),
        });
        return Ok(format!("{answer:#}"));
    }
    let mut lines = vec![format!("{expr} ({zone})"), expr.describe(), String::new(), "Next:".to_owned()];
    lines.extend(times.into_iter().map(|time| format!("  {time}")));
    lines.extend(refused.map(|refused| format!("No schedule can be made of it: it {refused}.")));
    lines.push(String::new());
    if changes.is_empty() {
        lines.push(format!("No change of the clocks in {zone} is known for the next ten years."));
    }
    for change in &changes {
        let (before, after) = (offset(change.from_seconds), offset(change.to_seconds));
        let (day, at) = (change.from_reading.format("%-d %B %Y"), change.at.show_seconds());
        lines.push(format!("{day} ({at}), from {before} to {after}:"));
        lines.push(format!("  {}", change.describe()));
    }
    Ok(lines.join("\n"))
}

fn change_as_json(change: &ClockChange, zone: &Zone) -> Value {
    let readings = change.readings.iter().take(READINGS_SHOWN);
    json!({
        "at": change.at.show_seconds(),
        "local": zone.show(change.at),
        "date": change.from_reading.format("%Y-%m-%d").to_string(),
        "from_offset": offset(change.from_seconds),
        "to_offset": offset(change.to_seconds),
        "clocks": if change.is_forward() { "forward" } else { "back" },
        "effect": match change.readings.first() {
            None => "none",
            Some((_, Fate::Skipped)) => "skipped",
            Some((_, Fate::MadeUp)) => "made-up",
            Some((_, Fate::Once)) => "once",
            Some((_, Fate::Twice)) => "twice",
        },
        "readings": readings.map(|(reading, _)| reading.format("%Y-%m-%dT%H:%M:%S").to_string()).collect::<Vec<_>>(),
        "readings_total": change.readings.len(),
        "description": change.describe(),
    })
}

/// `+05:45`
fn offset(seconds: i32) -> String {
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

impl Question {
    fn read(args: &CronArgs) -> Result<Question, Mistake> {
        let wrong = |field: &str, message: String| Mistake { field: field.to_owned(), message };
        let rule = match args.day_rule.as_str() {
            "or" => DayRule::Or,
            "and" => DayRule::And,
            other => return Err(wrong("day-rule", format!("must be or, or and, got {other:?}"))),
        };
        let expr = CronExpr::parse(&args.expression)?.with_day_rule(rule);
        let zone = Zone::parse(&args.tz).map_err(|error| wrong("timezone", error.to_string()))?;
        let from = match &args.from {
            None => SystemClock::new().now(),
            Some(from) => from.parse().map_err(|error| wrong("from", format!("{error}")))?,
        };
        Ok(Question { expr, zone, from })
    }

    fn calendar(&self) -> Calendar {
        Calendar::Cron { expr: self.expr.clone(), zone: self.zone.clone() }
    }

    /// One time at least.
    fn upcoming(&self, count: usize) -> Result<Vec<Timestamp>, Mistake> {
        let calendar = self.calendar();
        let times = calendar.upcoming(self.from, count);
        if !times.is_empty() {
            return Ok(times);
        }
        let message = match (self.expr.names_a_day(), calendar.first_after(self.from)) {
            (true, Err(rare)) => format!("{:?} {rare}", self.expr.as_str()),
            _ => format!("{:?} can never fire: no such day exists", self.expr.as_str()),
        };
        Err(Mistake { field: "expression".to_owned(), message })
    }
}

fn read_count(text: &str) -> Result<usize, Mistake> {
    let max = Calendar::UPCOMING_MAX;
    let count = text.parse().ok().filter(|count| (1..=max).contains(count));
    count.ok_or_else(|| Mistake { field: "count".to_owned(), message: format!("must be 1 to {max}, got {text:?}") })
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// The field by the name that it has in an argument.
impl From<CronError> for Mistake {
    fn from(error: CronError) -> Mistake {
        let field = error.field.map_or("expression".to_owned(), |field| field.to_string().replace(' ', "-"));
        Mistake { field, message: error.message }
    }
}
