//! The host itself: which release, how fast it answers and writes, and how full its disk is.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Labels;
use super::histogram::Histogram;
use crate::disk::Disk;
use crate::lifecycle::Phase;
use crate::operator::Operator;

pub(super) fn register(registry: &mut Registry, operator: &Operator) {
    let build = Family::<Labels, Gauge>::default();
    let labels =
        [("version", env!("CARGO_PKG_VERSION")), ("os", std::env::consts::OS), ("arch", std::env::consts::ARCH)];
    build.get_or_create(&labels.map(|(name, value)| (name, value.to_owned())).to_vec()).set(1);
    registry.register("build_info", "1, with the release that runs", build);

    let serving = Gauge::<i64>::default();
    let serves = operator.lifecycle.phase() == Phase::Serving && operator.store.failure().is_none();
    serving.set(i64::from(serves));
    registry.register("serving", "1 while webhooks are taken in, 0 while it starts, drains or its disk fails", serving);

    let acks = Histogram::of_seconds(operator.tally.acks());
    registry.register("webhooks_ack_seconds", "From the head of a webhook to its answer with 2xx", acks);

    let commits = operator.store.commits();
    let took = Histogram::of_seconds(commits.took);
    registry.register("store_commit_seconds", "Write and sync of a group of changes", took);
    let changes = Histogram::of_numbers(commits.changes);
    registry.register("store_commit_changes", "Changes in a group that was written", changes);

    if let Some(disk) = Disk::of(&operator.data) {
        let gauge = |bytes: u64| {
            let gauge = Gauge::<u64, AtomicU64>::default();
            gauge.set(bytes);
            gauge
        };
        registry.register("disk_free_bytes", "Room on the disk of the store, for hookbox", gauge(disk.free_bytes));
        registry.register("disk_size_bytes", "Size of the disk of the store", gauge(disk.size_bytes));
    }
}
