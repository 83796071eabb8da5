//! `/api/v1/system`: the host itself, and the limits that count. The page of that name shows the same.

use std::fs;
use std::path::Path;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::config::Config;
use hookbox_core::time::Millis;

use super::query::Query;
use super::{Api, Operator};
use crate::disk::Disk;
use crate::load;
use crate::problem::Problem;
use crate::view::system::{LimitView, SystemView};
use crate::words;

pub(super) async fn show(State(operator): Api, uri: Uri) -> Result<Json<SystemView>, Problem> {
    Query::read(&uri, &[])?;
    Ok(Json(of(&operator)))
}

pub(super) fn of(operator: &Operator) -> SystemView {
    let (counts, standing) = (operator.store.counts(), operator.standing());
    let disk = Disk::of(&operator.data);
    SystemView {
        status: standing.status,
        reason: standing.reason,
        release: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        scheduler_pass_ms_ago: operator.pass_age().map(|age| age.0),
        store: operator.data.display().to_string(),
        store_bytes: bytes_in(&operator.data, FOLDERS_DEEP),
        disk_free_bytes: disk.as_ref().map(|disk| disk.free_bytes),
        disk_size_bytes: disk.as_ref().map(|disk| disk.size_bytes),
        load_average: load::average(),
        cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64),
        queue: counts.pending,
        queue_max: operator.queue_max,
        attempts: counts.attempts,
        runs_pruned: counts.runs_pruned,
        limits: limits(operator, &operator.config.load()),
    }
}

/// Folders in folders that are looked into.
const FOLDERS_DEEP: usize = 2;

/// Of its files; what is removed meanwhile counts nothing.
fn bytes_in(folder: &Path, deep: usize) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.filter_map(|entry| {
        let kind = entry.file_type().ok()?;
        match kind.is_dir() {
            true => deep.checked_sub(1).map(|deep| bytes_in(&entry.path(), deep)),
            false => entry.metadata().ok().map(|metadata| metadata.len()),
        }
    });
    bytes.sum()
}

/// What hooks.yaml says, or leaves to the defaults, or the command line to neither. There is no secret in any of it.
fn limits(operator: &Operator, config: &Config) -> Vec<LimitView> {
    let Config { server, engine, retention: keep, alerts, rollback, .. } = config;
    let kept = |span: Millis, most: u64| format!("{span}, {} at most", words::number(most));
    let listed = |all: &[ipnet::IpNet]| match all {
        [] => "none".to_owned(),
        all => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let tls = |is_spoken: bool| if is_spoken { "with TLS" } else { "without TLS" };
    let on_trial = if rollback.is_some() { "are on trial" } else { "are not on trial" };
    let traced = config.tracing.endpoint.is_some();
    let rows: [(&str, &str, String); 21] = [
        ("server.listen", "Webhooks come to", format!("{}, {}", operator.listens.webhooks, tls(server.tls.is_some()))),
        (
            "operator.listen",
            "Operators come to",
            format!("{}, {}", operator.listens.operator, tls(config.operator.tls.is_some())),
        ),
        ("server.limits.body", "Longest body", words::bytes(server.body_bytes_max)),
        ("server.limits.bodies", "All bodies together", words::bytes(server.bodies_bytes_max)),
        ("server.limits.connections", "Connections", words::number(operator.listens.connections_max as u64)),
        ("server.limits.in_flight", "Webhooks at one time", words::number(u64::from(server.in_flight_max))),
        ("server.limits.queue", "Runs that may wait", words::number(operator.queue_max)),
        ("server.limits.per_source", "From one address", server.per_source.to_string()),
        ("server.trusted_proxies", "Believed proxies of webhooks", listed(&server.trusted_proxies)),
        ("operator.trusted_proxies", "Believed proxies of operators", listed(&config.operator.trusted_proxies)),
        ("store", "Store", operator.data.display().to_string()),
        ("engine.slots", "Attempts at one time", engine.slots.to_string()),
        ("engine.stack", "Stack of each attempt", words::bytes(engine.stack_bytes as u64)),
        ("keep.succeeded", "Runs that succeeded are kept", kept(keep.succeeded_for, keep.succeeded_max)),
        ("keep.dead", "Dead letters", kept(keep.dead_for, keep.dead_max)),
        ("keep.cancelled", "Cancelled runs", kept(keep.cancelled_for, keep.cancelled_max)),
        ("keep.events", "Events without a handler", keep.events_for.to_string()),
        ("keep.audit", "The audit log", kept(keep.audit_for, keep.audit_max)),
        ("alerts.channels", "Channels that alerts go to", words::number(alerts.channels.len() as u64)),
        ("tracing.endpoint", "Spans", if traced { "are sent" } else { "are not sent" }.to_owned()),
        ("rollback", "New versions", on_trial.to_owned()),
    ];
    let view = |(option, what, value)| LimitView { option, what, value };
    rows.into_iter().map(view).collect()
}
