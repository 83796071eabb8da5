//! `/api/v1/overview`: is all well, and what should somebody look at? The page `/` shows the same.

use std::fmt;
use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::ScheduleCounts;

use super::query::Query;
use super::{Api, Operator};
use crate::lifecycle::Phase;
use crate::problem::Problem;
use crate::trend::{Look, Stretch};
use crate::view::overview::OverviewView;
use crate::words;

/// What counts as lately.
const LATELY: Millis = Millis(5 * Millis::MINUTE.0);
/// A run that could begin and has waited for so long waits too long.
const OLDEST_MAX: Millis = Millis::MINUTE;
/// Of the attempts that ended lately, so many may fail.
const FAILURES_MAX: f64 = 0.5;
/// Fewer attempts say nothing.
const ATTEMPTS_MIN: u64 = 10;
/// Parts that the time which is looked back on is told in.
pub(super) const COLUMNS: usize = 60;

/// How the host is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Healthy,
    /// It works, and something waits for somebody.
    Attention,
    /// It is starting or stopping.
    Moving,
    Unhealthy,
}

impl Verdict {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Verdict::Healthy => "healthy",
            Verdict::Attention => "attention",
            Verdict::Moving => "moving",
            Verdict::Unhealthy => "unhealthy",
        }
    }
}

/// Something that somebody should look at, and the page that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Concern {
    pub(crate) text: String,
    pub(crate) page: String,
}

pub(crate) struct Overview {
    pub(crate) verdict: Verdict,
    /// In a sentence.
    pub(crate) said: String,
    /// What makes it unhealthy comes first.
    pub(crate) concerns: Vec<Concern>,
    pub(crate) schedules: ScheduleCounts,
    /// Nothing while the store is away.
    pub(crate) look: Option<Look>,
    pub(crate) lately: Option<Stretch>,
}

/// What can be looked back on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) name: &'static str,
    pub(super) words: &'static str,
    pub(super) long: Millis,
}

impl Span {
    pub(super) const ALL: [Span; 3] = [
        Span { name: "1h", words: "an hour", long: Millis::HOUR },
        Span { name: "6h", words: "6 hours", long: Millis(6 * Millis::HOUR.0) },
        Span { name: "24h", words: "a day", long: Millis::DAY },
    ];
}

impl Default for Span {
    fn default() -> Span {
        let [first, ..] = Span::ALL;
        first
    }
}

#[derive(Debug)]
pub(super) struct NotASpan;

impl fmt::Display for NotASpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be one of {}", Span::ALL.map(|span| span.name).join(", "))
    }
}

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Span, NotASpan> {
        Span::ALL.into_iter().find(|span| span.name == text).ok_or(NotASpan)
    }
}

pub(super) async fn show(State(operator): Api, uri: Uri) -> Result<Json<OverviewView>, Problem> {
    let span = Query::read(&uri, &["span"])?.parsed::<Span>("span")?.unwrap_or_default();
    let overview = of(&operator).await;
    let columns = overview.look.map(|look| columns(&operator, look, span)).unwrap_or_default();
    Ok(Json(OverviewView::of(&overview, columns.into_iter())))
}

/// The parts of the time up to the look, with when each began; those that were not seen are left out.
pub(super) fn columns(operator: &Operator, look: Look, span: Span) -> Vec<(Timestamp, Stretch)> {
    let width = span.long.0 / COLUMNS as u64;
    let all = operator.trend.columns(look, span.long, COLUMNS).into_iter().enumerate();
    let since = |at: usize| look.at.minus(Millis(width * (COLUMNS - at) as u64));
    all.filter_map(|(at, stretch)| Some((since(at), stretch?))).collect()
}

pub(super) async fn of(operator: &Operator) -> Overview {
    let schedules = operator.store.schedule_counts(operator.clock.now());
    // While the store is away, that is said all the same.
    let look = operator.sources().look().await.ok();
    let lately = look.and_then(|look| operator.trend.lately(look, LATELY));
    let (verdict, said, concerns) = judged(operator, &schedules, look.as_ref(), lately.as_ref());
    Overview { verdict, said, concerns, schedules, look, lately }
}

fn judged(
    operator: &Operator,
    schedules: &ScheduleCounts,
    look: Option<&Look>,
    lately: Option<&Stretch>,
) -> (Verdict, String, Vec<Concern>) {
    if let Some(reason) = operator.store.failure() {
        let said = format!("Not healthy: the store takes nothing at this moment: {reason}");
        return (Verdict::Unhealthy, said, Vec::new());
    }
    if operator.lifecycle.phase() != Phase::Serving {
        return (Verdict::Moving, "The host is starting or stopping.".to_owned(), Vec::new());
    }
    if let Some(reason) = operator.standing().reason {
        return (Verdict::Unhealthy, format!("Not healthy: {reason}"), Vec::new());
    }
    let (bad, notes) = (wrong(look, lately), notes(operator, schedules));
    match (bad.is_empty(), notes.is_empty()) {
        (true, true) => (Verdict::Healthy, "Healthy: all is well.".to_owned(), notes),
        (true, false) => (Verdict::Attention, "Healthy; somebody should look at this:".to_owned(), notes),
        (false, _) => (Verdict::Unhealthy, "Not healthy:".to_owned(), [bad, notes].concat()),
    }
}

/// What makes the host unhealthy.
fn wrong(look: Option<&Look>, lately: Option<&Stretch>) -> Vec<Concern> {
    let mut all = Vec::new();
    let mut say = |page: &str, text: String| all.push(Concern { text, page: page.to_owned() });
    if let Some(look) = look.filter(|look| look.oldest > OLDEST_MAX) {
        let waits = words::span(look.oldest.0 as f64);
        say("/runs?state=pending", format!("the queue is behind: a run that could begin waits since {waits}"));
    }
    let failing = lately.filter(|lately| lately.took.attempts() >= ATTEMPTS_MIN).and_then(Stretch::failure_ratio);
    if let Some(ratio) = failing.filter(|ratio| *ratio > FAILURES_MAX) {
        say("/runs?state=pending", format!("{} of the latest attempts failed", words::percent(ratio)));
    }
    all
}

/// What waits for somebody.
fn notes(operator: &Operator, schedules: &ScheduleCounts) -> Vec<Concern> {
    let (counts, catalogue, holds) = (operator.store.counts(), operator.store.catalogue(), operator.store.holds());
    let mut all = Vec::new();
    let mut say = |page: &str, text: String| all.push(Concern { text, page: page.to_owned() });
    let mut count = |page: &str, what: &str, number: u64| {
        if number > 0 {
            say(page, format!("{what}: {}", words::number(number)));
        }
    };
    let alerts = operator.alerts.shown().book.alerts.iter().filter(|alert| alert.resolved.is_none()).count();
    count("/alerts", "alerts that fire", alerts as u64);
    count("/runs?state=dead&replayed=false", "dead letters that wait for an operator", counts.dead_left());
    count("/events?unrouted=true", "events that reached no handler", counts.unrouted);
    count("/system", "held targets, whose runs wait", holds.0.len() as u64);
    count("/schedules", "schedules that want a look", schedules.attention.iter().sum());
    for row in catalogue.plugins().filter(|row| row.refused.is_some()) {
        say(&format!("/plugins/{}", row.name), format!("the latest file of {} was refused", row.name));
    }
    all
}
