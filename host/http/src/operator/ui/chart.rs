//! Charts, drawn on the server as pictures in the page: no script, and nothing that the policy of pages would refuse. Each
//! says in words what it shows, for those who do not look at it.

use std::fmt::Write as _;

use maud::{Markup, html};

pub(super) use crate::words::{count, duration, per_second, percent, span};

/// Of the drawing; it is stretched to the width that it has on the page.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 110.0;

pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) series: Vec<Series<'a>>,
    /// How a number is said.
    pub(super) told: fn(f64) -> String,
    /// What the whole width is.
    pub(super) span: &'a str,
    /// The least that the whole height is, so that little does not look like much.
    pub(super) height_min: f64,
}

pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    pub(super) shape: Shape,
    /// The oldest first; nothing where nothing is known.
    pub(super) values: Vec<Option<f64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Bars,
    Line,
}

impl Chart<'_> {
    pub(super) fn draw(&self) -> Markup {
        let known = || self.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let most = known().fold(0.0, f64::max);
        let top = if most > self.height_min { most } else { self.height_min.max(f64::MIN_POSITIVE) };
        let words = self.words();
        html! {
            figure.chart {
                figcaption {
                    b { (self.title) }
                    @for (at, series) in self.series.iter().enumerate() {
                        @let latest = series.values.iter().rev().find_map(|value| *value);
                        span.key {
                            span class={ "swatch s" (at) } aria-hidden="true" {}
                            (series.name) " "
                            b { @match latest { Some(value) => ((self.told)(value)), None => "-" } }
                        }
                    }
                }
                @if known().next().is_none() {
                    p.dim { "Nothing yet." }
                } @else {
                    div.plot {
                        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(words) {
                            line.grid x1="0" x2=(WIDTH) y1=(HEIGHT) y2=(HEIGHT) {}
                            line.grid x1="0" x2=(WIDTH) y1=(HEIGHT / 2.0) y2=(HEIGHT / 2.0) {}
                            @for (at, series) in self.series.iter().enumerate() {
                                path class={ (series.shape.class()) " s" (at) } d=(series.path(top)) {}
                            }
                        }
                        span.top aria-hidden="true" { ((self.told)(top)) }
                    }
                    p.axis aria-hidden="true" { span { (self.span) " ago" } span { "now" } }
                }
            }
        }
    }

    fn words(&self) -> String {
        let mut words = format!("{}, {}:", self.title, self.span);
        for series in &self.series {
            let known = || series.values.iter().flatten().copied();
            match series.values.iter().rev().find_map(|value| *value) {
                Some(latest) => {
                    let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(0.0, f64::max));
                    let told = [latest, least, most].map(self.told);
                    let [latest, least, most] = told;
                    let _ = write!(words, " {} is {latest}, between {least} and {most};", series.name);
                }
                None => {
                    let _ = write!(words, " {} is not known;", series.name);
                }
            }
        }
        words.pop();
        words
    }
}

impl Shape {
    fn class(self) -> &'static str {
        match self {
            Shape::Bars => "bars",
            Shape::Line => "line",
        }
    }
}

impl Series<'_> {
    fn path(&self, top: f64) -> String {
        let step = WIDTH / self.values.len().max(1) as f64;
        let height = |value: f64| HEIGHT - (value / top).clamp(0.0, 1.0) * HEIGHT;
        let (mut path, mut pen_is_down) = (String::new(), false);
        for (at, value) in self.values.iter().enumerate() {
            let left = at as f64 * step;
            match (self.shape, value) {
                (Shape::Bars, Some(value)) => {
                    let (right, y) = (left + step * 0.85, height(*value));
                    let _ = write!(path, "M{left:.1} {HEIGHT}V{y:.1}H{right:.1}V{HEIGHT}Z");
                }
                (Shape::Line, Some(value)) => {
                    let (x, y) = (left + step / 2.0, height(*value));
                    let verb = if pen_is_down { 'L' } else { 'M' };
                    let _ = write!(path, "{verb}{x:.1} {y:.1}");
                    // A point that stands alone is seen, too.
                    if !pen_is_down {
                        path.push_str("h0.1");
                    }
                }
                (_, None) => {}
            }
            pen_is_down = value.is_some();
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: Vec<Option<f64>>, shape: Shape) -> Chart<'static> {
        let series = vec![Series { name: "accepted", shape, values }];
        Chart { title: "Throughput", series, told: per_second, span: "an hour", height_min: 1.0 }
    }

    #[test]
    fn bars_and_lines_stay_in_their_frame_and_leave_out_what_is_not_known() {
        let values = vec![None, Some(0.0), Some(5.0), None, Some(10.0)];
        let bars = chart(values.clone(), Shape::Bars);
        insta::assert_snapshot!(bars.series[0].path(10.0), @"M120.0 110V110.0H222.0V110ZM240.0 110V55.0H342.0V110ZM480.0 110V0.0H582.0V110Z");
        let line = chart(values, Shape::Line);
        insta::assert_snapshot!(line.series[0].path(10.0), @"M180.0 110.0h0.1L300.0 55.0M540.0 0.0h0.1");
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let drawn = chart(vec![Some(2.0), Some(12.5)], Shape::Bars).draw().into_string();
        assert!(
            drawn.contains("aria-label=\"Throughput, an hour: accepted is 12/s, between 2.0/s and 12/s\""),
            "{drawn}"
        );
        assert!(!drawn.contains("style="), "{drawn}");
        let empty = chart(vec![None, None], Shape::Line).draw().into_string();
        assert!(empty.contains("Nothing yet.") && !empty.contains("svg"), "{empty}");
    }
}
