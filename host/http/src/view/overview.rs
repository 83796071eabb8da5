use hookbox_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::operator::overview::Overview;
use crate::trend::Stretch;

/// Whether all is well, and how it went.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct OverviewView {
    /// `healthy`, `attention` where something waits for somebody, `moving` where the host starts or stops, or `unhealthy`.
    verdict: &'static str,
    said: String,
    /// What makes it unhealthy comes first.
    concerns: Vec<ConcernView>,
    /// How long the oldest run waits that could begin; null while the store takes nothing.
    oldest_ms: Option<u64>,
    /// Of the latest five minutes; null until there is something to compare.
    lately: Option<StretchView>,
    /// The time that is looked back on in 60 equal parts, the oldest first; those that were not seen as a whole are left out.
    /// A restart keeps them; a crash forgets five minutes at most.
    parts: Vec<StretchView>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct ConcernView {
    text: String,
    /// The page that shows it.
    page: String,
}

/// What was done in some time.
#[derive(Debug, JsonSchema, Serialize)]
struct StretchView {
    since: String,
    span_ms: u64,
    accepted: u64,
    refused: u64,
    /// That ended.
    attempts: u64,
    failed: u64,
    /// Within which half of them, 95 and 99 of 100 took; null where none ended.
    p50_us: Option<f64>,
    p95_us: Option<f64>,
    p99_us: Option<f64>,
    slots_fired: u64,
    /// On average, of those slots.
    late_ms: Option<f64>,
    /// Runs that waited, at its end.
    pending: u64,
    oldest_ms: u64,
}

impl OverviewView {
    pub(crate) fn of(overview: &Overview, parts: impl Iterator<Item = (Timestamp, Stretch)>) -> OverviewView {
        let Overview { verdict, said, concerns, look, lately, .. } = overview;
        let lately = lately.zip(*look);
        let concern = |concern: &crate::operator::overview::Concern| ConcernView {
            text: concern.text.clone(),
            page: concern.page.clone(),
        };
        OverviewView {
            verdict: verdict.code(),
            said: said.clone(),
            concerns: concerns.iter().map(concern).collect(),
            oldest_ms: look.map(|look| look.oldest.0),
            lately: lately.map(|(lately, look)| StretchView::of(look.at.minus(lately.span), &lately)),
            parts: parts.map(|(since, stretch)| StretchView::of(since, &stretch)).collect(),
        }
    }
}

impl StretchView {
    fn of(since: Timestamp, stretch: &Stretch) -> StretchView {
        StretchView {
            since: since.to_string(),
            span_ms: stretch.span.0,
            accepted: stretch.accepted,
            refused: stretch.refused,
            attempts: stretch.took.attempts(),
            failed: stretch.took.failed,
            p50_us: stretch.took.quantile_us(0.5),
            p95_us: stretch.took.quantile_us(0.95),
            p99_us: stretch.took.quantile_us(0.99),
            slots_fired: stretch.slots_fired,
            late_ms: stretch.mean_lateness_ms(),
            pending: stretch.pending,
            oldest_ms: stretch.oldest.0,
        }
    }
}
