//! `GET /metrics`: what came in and what waits, in the text form that Prometheus reads.
//!
//! Labels are bounded: providers are those that are live, causes are few, secrets go by their places in hooks.yaml.

mod handlers;
mod plugins;
mod schedules;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Api, Operator};
use crate::problem::Problem;
use crate::tally::Counted;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What names that no live provider has are called: no provider has this name.
const STRANGERS: &str = "(unknown)";

type Labels = Vec<(&'static str, String)>;

pub(super) async fn show(State(operator): Api) -> Result<Response, Problem> {
    let mut registry = Registry::with_prefix("hookbox");
    ingress(&mut registry, &operator);
    store(&mut registry, &operator);
    queue(&mut registry, &operator).await?;
    handlers::register(&mut registry, &operator.spending);
    plugins::register(&mut registry, &operator);
    schedules::register(&mut registry, &operator).await?;
    let mut page = String::new();
    text::encode(&mut page, &registry).map_err(|_| Problem::damaged())?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], page).into_response())
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
    let all = Ingress::default();
    for (name, live) in operator.providers.load().all() {
        let counted = operator.tally.of(name);
        all.add(name.as_str(), &counted);
        for place in &live.secret_places {
            let labels = vec![("provider", name.to_string()), ("secret", place.clone())];
            let matched = counted.secrets.get(place).copied().unwrap_or_default();
            all.secrets.get_or_create(&labels).inc_by(matched);
        }
    }
    all.add(STRANGERS, &operator.tally.strangers());
    registry.register("webhooks_accepted", "Events taken in, of verified webhooks", all.accepted);
    registry.register("webhooks_duplicate", "Repetitions, with the body of the first or another", all.duplicates);
    registry.register("webhooks_refused", "Webhooks that were not taken, by cause", all.refused);
    registry.register("webhooks_secret_matched", "Verified webhooks, by the place that the secret is in", all.secrets);
    registry.register("webhooks_last_accepted_seconds", "When the last one was, since 1970", all.last);
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
    for of_handler in operator.store.waiting().await? {
        let labels = vec![
            ("plugin", of_handler.handler.plugin.to_string()),
            ("handler", of_handler.handler.handler.to_string()),
        ];
        waiting.get_or_create(&labels).inc_by(i64::try_from(of_handler.runs).unwrap_or(i64::MAX));
    }
    for target in operator.store.holds().0.keys() {
        held.get_or_create(&vec![("target", target.to_string())]).set(1);
    }
    registry.register("runs_pending", "Runs that wait, by handler", waiting);
    registry.register("held", "What is held: 1 each", held);
    Ok(())
}
