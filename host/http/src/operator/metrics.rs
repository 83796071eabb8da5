//! `GET /metrics`: what came in and what waits, in the text form that Prometheus reads.
//!
//! Labels are bounded: providers, handlers, plugins and held targets beyond the first so many are one together, causes
//! are few, secrets go by their places in hooks.yaml. Names, units and labels are told in docs/metrics.md, and a test
//! compares that with the page.

mod handlers;
mod histogram;
mod host;
mod plugins;
mod schedules;
mod text;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hookbox_core::name::HandlerRef;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Api, Operator};
use crate::problem::Problem;
use crate::tally::Counted;

const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What names that no live provider has are called: no provider has this name.
const STRANGERS: &str = "(unknown)";

/// Plugin, handler or provider of those that came when there were too many.
const OTHERS: &str = "(others)";
/// Providers, and plugins, that are told apart.
const NAMED_MAX: usize = 200;
/// Handlers that are told apart.
const HANDLERS_MAX: usize = 500;

type Labels = Vec<(&'static str, String)>;

pub(super) async fn show(State(operator): Api, headers: HeaderMap) -> Result<Response, Problem> {
    let mut registry = Registry::with_prefix("hookbox");
    ingress(&mut registry, &operator);
    store(&mut registry, &operator);
    queue(&mut registry, &operator).await?;
    handlers::register(&mut registry, &operator.spending);
    plugins::register(&mut registry, &operator);
    schedules::register(&mut registry, &operator).await?;
    host::register(&mut registry, &operator);
    let mut page = String::new();
    encode(&mut page, &registry).map_err(|_| Problem::damaged())?;
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|accepted| accepted.to_str().ok());
    match accepted.any(|accepted| accepted.contains("application/openmetrics-text")) {
        true => Ok(([(CONTENT_TYPE, OPEN_METRICS)], page).into_response()),
        false => Ok(([(CONTENT_TYPE, CLASSIC)], text::classic(&page)).into_response()),
    }
}

/// Names beyond the first so many are one.
struct Capped {
    known: BTreeSet<String>,
    most: usize,
}

impl Capped {
    fn to(most: usize) -> Capped {
        Capped { known: BTreeSet::new(), most }
    }

    fn label(&mut self, name: &str) -> String {
        if !self.known.contains(name) {
            if self.known.len() >= self.most {
                return OTHERS.to_owned();
            }
            self.known.insert(name.to_owned());
        }
        name.to_owned()
    }
}

/// Since the start of the host.
#[derive(Default)]
struct Ingress {
    accepted: Family<Labels, Counter>,
    duplicates: Family<Labels, Counter>,
    refused: Family<Labels, Counter>,
    secrets: Family<Labels, Counter>,
    last: Family<Labels, Gauge>,
}

fn ingress(registry: &mut Registry, operator: &Operator) {
    let (all, mut names) = (Ingress::default(), Capped::to(NAMED_MAX));
    for (name, live) in operator.providers.load().all() {
        let (counted, name) = (operator.tally.of(name), names.label(name.as_str()));
        all.add(&name, &counted);
        for place in &live.secret_places {
            if name == OTHERS {
                continue;
            }
            let labels = vec![("provider", name.clone()), ("secret", place.clone())];
            let matched = counted.secrets.get(place).copied().unwrap_or_default();
            all.secrets.get_or_create(&labels).inc_by(matched);
        }
    }
    all.add(STRANGERS, &operator.tally.strangers());
    registry.register("webhooks_accepted", "Events taken in, of verified webhooks", all.accepted);
    registry.register("webhooks_duplicate", "Repetitions, with the body of the first or another", all.duplicates);
    registry.register("webhooks_refused", "Webhooks that were not taken, by cause", all.refused);
    registry.register("webhooks_secret_matched", "Verified webhooks, by the place that the secret is in", all.secrets);
    registry.register("webhooks_last_accepted_timestamp_seconds", "When the last one was, since 1970", all.last);
}

impl Ingress {
    fn add(&self, provider: &str, counted: &Counted) {
        let of = |more: Labels| [vec![("provider", provider.to_owned())], more].concat();
        if provider != STRANGERS {
            self.accepted.get_or_create(&of(vec![])).inc_by(counted.accepted);
            let same = counted.duplicates.saturating_sub(counted.differing);
            for (body, number) in [("same", same), ("other", counted.differing)] {
                self.duplicates.get_or_create(&of(vec![("body", body.to_owned())])).inc_by(number);
            }
        }
        for (cause, number) in &counted.refused {
            self.refused.get_or_create(&of(vec![("cause", (*cause).to_owned())])).inc_by(*number);
        }
        if let Some(last) = counted.last_accepted {
            self.last.get_or_create(&of(vec![])).set(i64::try_from(last.0 / 1000).unwrap_or(i64::MAX));
        }
    }
}

fn store(registry: &mut Registry, operator: &Operator) {
    let counts = operator.store.counts();
    let runs = Family::<Labels, Gauge>::default();
    let states = [
        ("pending", counts.pending),
        ("leased", counts.leased),
        ("succeeded", counts.succeeded),
        ("dead", counts.dead),
        ("cancelled", counts.cancelled),
    ];
    for (state, number) in states {
        runs.get_or_create(&vec![("state", state.to_owned())]).set(i64::try_from(number).unwrap_or(i64::MAX));
    }
    let unrouted = Gauge::<i64>::default();
    unrouted.set(i64::try_from(counts.unrouted).unwrap_or(i64::MAX));
    registry.register("runs", "Runs that are kept, by state", runs);
    registry.register("events_unrouted", "Events that no handler has taken", unrouted);
}

async fn queue(registry: &mut Registry, operator: &Operator) -> Result<(), Problem> {
    let (waiting, held) = (Family::<Labels, Gauge>::default(), Family::<Labels, Gauge>::default());
    let (now, mut oldest_ms) = (operator.clock.now(), 0);
    let (mut handlers, holds) = (Capped::to(HANDLERS_MAX), operator.store.holds());
    for of_handler in operator.store.waiting().await? {
        let labels = labels_of(&mut handlers, &of_handler.handler);
        waiting.get_or_create(&labels).inc_by(i64::try_from(of_handler.runs).unwrap_or(i64::MAX));
        // What is held waits because somebody wants it to.
        let due = of_handler.due.filter(|_| !holds.hold(&of_handler.handler));
        oldest_ms = oldest_ms.max(due.map_or(0, |due| now.since(due).0));
    }
    let mut targets = Capped::to(HANDLERS_MAX);
    for target in holds.0.keys() {
        held.get_or_create(&vec![("target", targets.label(&target.to_string()))]).set(1);
    }
    let oldest = Gauge::<f64, AtomicU64>::default();
    oldest.set(oldest_ms as f64 / 1000.0);
    let help = "How long the run waits that could have begun first; 0 where none waits";
    registry.register("queue_oldest_seconds", help, oldest);
    registry.register("runs_pending", "Runs that wait, by handler", waiting);
    registry.register("held", "What is held: 1 each", held);
    Ok(())
}

/// A handler as labels.
fn labels_of(known: &mut Capped, handler: &HandlerRef) -> Labels {
    let (plugin, name) = match known.label(&handler.to_string()) {
        label if label == OTHERS => (OTHERS.to_owned(), OTHERS.to_owned()),
        _ => (handler.plugin.to_string(), handler.handler.to_string()),
    };
    vec![("plugin", plugin), ("handler", name)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_most_are_one() {
        let mut names = Capped::to(2);
        let told = ["a", "b", "c", "a", "d"].map(|name| names.label(name));
        assert_eq!(told, ["a", "b", OTHERS, "a", OTHERS]);
    }
}
