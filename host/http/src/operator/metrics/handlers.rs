//! What handlers cost since the start of the host.
//!
//! Labels are bounded: of handlers there are [`spending::HANDLERS_MAX`] and those that came later, together; of kinds
//! those of [`CallKind`](hookbox_core::host_call::CallKind).

use std::sync::atomic::AtomicU64;

use hookbox_core::spending::{Spending, Spent};
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::histogram::Histogram;
use super::{Labels, OTHERS};

type Seconds = Counter<f64, AtomicU64>;

#[derive(Default)]
struct Handlers {
    attempts: Family<Labels, Counter>,
    wall: Family<Labels, Seconds>,
    cpu: Family<Labels, Seconds>,
    memory: Family<Labels, Gauge>,
    log: Family<Labels, Counter>,
    dropped: Family<Labels, Counter>,
    calls: Family<Labels, Counter>,
    durations: Vec<(Labels, Histogram)>,
    denied: Family<Labels, Counter>,
    runs: Family<Labels, Counter>,
    retries: Family<Labels, Counter>,
}

pub(super) fn register(registry: &mut Registry, spending: &Spending) {
    let mut all = Handlers::default();
    for (handler, spent) in spending.all() {
        let (plugin, name) = match &handler {
            Some(handler) => (handler.plugin.as_str(), handler.handler.as_str()),
            None => (OTHERS, OTHERS),
        };
        all.add(&vec![("plugin", plugin.to_owned()), ("handler", name.to_owned())], &spent);
    }
    registry.register("handler_attempts", "Attempts that were executed", all.attempts);
    registry.register("handler_wall_seconds", "Wall time of attempts", all.wall);
    registry.register("handler_cpu_seconds", "CPU time of attempts", all.cpu);
    registry.register("handler_memory_peak_bytes", "Memory of the attempt that took the most", all.memory);
    registry.register("handler_log_bytes", "Log of attempts that was kept", all.log);
    registry.register("handler_log_bytes_dropped", "Log of attempts that was over its bound", all.dropped);
    registry.register("handler_host_calls", "What attempts asked of the host, by kind", all.calls);
    registry.register("handler_requests_denied", "Requests of attempts that were not let out", all.denied);
    registry.register("handler_runs", "Runs that ended after an attempt, by how", all.runs);
    registry.register("handler_retries", "Attempts that failed and are followed by another", all.retries);
    registry.register("handler_attempt_seconds", "Wall time of an attempt", Durations(all.durations));
}

impl Handlers {
    fn add(&mut self, labels: &Labels, spent: &Spent) {
        self.attempts.get_or_create(labels).inc_by(spent.attempts);
        self.wall.get_or_create(labels).inc_by(spent.wall_us as f64 / 1e6);
        self.cpu.get_or_create(labels).inc_by(spent.cpu_us as f64 / 1e6);
        self.memory.get_or_create(labels).set(i64::try_from(spent.memory_peak_bytes).unwrap_or(i64::MAX));
        self.log.get_or_create(labels).inc_by(spent.log_bytes);
        self.dropped.get_or_create(labels).inc_by(spent.log_bytes_dropped);
        self.durations.push((labels.clone(), Histogram::of_seconds(spent.durations)));
        self.denied.get_or_create(labels).inc_by(spent.requests_denied);
        self.retries.get_or_create(labels).inc_by(spent.ends.retried);
        let ends =
            [("succeeded", spent.ends.succeeded), ("dead", spent.ends.dead), ("cancelled", spent.ends.cancelled)];
        for (state, number) in ends {
            self.runs.get_or_create(&[labels.clone(), vec![("state", state.to_owned())]].concat()).inc_by(number);
        }
        for (kind, calls) in spent.calls.made() {
            let of_kind = [labels.clone(), vec![("kind", kind.code().to_owned())]].concat();
            self.calls.get_or_create(&of_kind).inc_by(calls.number);
        }
    }
}

/// A histogram for each handler: those of the library are filled one observation at a time, and these are counted already.
#[derive(Debug)]
struct Durations(Vec<(Labels, Histogram)>);

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.iter().try_for_each(|(labels, histogram)| histogram.encode(encoder.encode_family(labels)?))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
