//! The charts of the overview.

use maud::{Markup, html};

use super::super::chart::{self, Chart, Series, Shape};
use crate::operator::Operator;
use crate::operator::overview::{COLUMNS, Span};
use crate::trend::{Look, Stretch};

pub(super) fn all(operator: &Operator, now: Look, span: Span) -> Markup {
    let columns = operator.trend.columns(now, span.long, COLUMNS);
    let chart = |title, told, height_min, series| Chart { title, series, told, span: span.words, height_min };
    let of = |value: &dyn Fn(&Stretch) -> Option<f64>| -> Vec<Option<f64>> {
        columns.iter().map(|column| column.as_ref().and_then(value)).collect()
    };
    let quantile = |share: f64| of(&|stretch| stretch.took.quantile_us(share));
    let series = |name, shape, values| Series { name, shape, values };
    let per_second = |stretch: &Stretch, number: u64| number as f64 * 1000.0 / stretch.span.0.max(1) as f64;
    let charts = [
        chart(
            "Throughput",
            chart::per_second as fn(f64) -> String,
            1.0,
            vec![
                series("events", Shape::Bars, of(&|stretch| Some(stretch.accepted_per_second()))),
                series("attempts", Shape::Line, of(&|stretch| Some(stretch.attempts_per_second()))),
                series("refused", Shape::Line, of(&|stretch| Some(per_second(stretch, stretch.refused)))),
            ],
        ),
        chart(
            "Duration of attempts",
            chart::duration,
            1000.0,
            vec![
                series("99 of 100 within", Shape::Bars, quantile(0.99)),
                series("95 of 100 within", Shape::Line, quantile(0.95)),
                series("half within", Shape::Line, quantile(0.5)),
            ],
        ),
        chart(
            "Attempts that failed",
            chart::percent,
            0.1,
            vec![series("failed", Shape::Bars, of(&Stretch::failure_ratio))],
        ),
        chart(
            "Waiting",
            chart::count,
            10.0,
            vec![series("runs on the queue", Shape::Bars, of(&|stretch| Some(stretch.pending as f64)))],
        ),
        chart(
            "Age of the oldest run that could begin",
            chart::span,
            1000.0,
            vec![series("age", Shape::Bars, of(&|stretch| Some(stretch.oldest.0 as f64)))],
        ),
        chart(
            "Lateness of schedules",
            chart::span,
            1000.0,
            vec![series("on average", Shape::Bars, of(&Stretch::mean_lateness_ms))],
        ),
    ];
    html! {
        h2 { "How it went over " (span.words) }
        p {
            @for (at, other) in Span::ALL.iter().enumerate() {
                @if at > 0 { " \u{b7} " }
                a href={ "/?span=" (other.name) } aria-current=[(*other == span).then_some("true")] { (other.words) }
            }
            span.dim { " Kept for a day, over restarts." }
        }
        div.charts { @for chart in &charts { (chart.draw()) } }
    }
}
