//! The store: that of a stopped host is opened and checked row by row; a running host is asked.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use hookbox_store::doctor;
use serde_json::json;

use super::Findings;
use crate::client::Client;
use crate::inspect::{self, Print};
use crate::project::Project;

const PART: &str = "store";

/// A host that answers has the store: it is asked. Else it is opened, as long as that takes.
pub(super) fn look(project: &Project, client: impl FnOnce() -> Result<Client>, findings: &mut Findings) {
    let (data, shown) = (&project.data, project.data.display());
    if !data.join("db").exists() {
        findings.ok(PART, format!("there is none in {shown} yet: the first start makes it"));
        return;
    }
    let size: u64 = fs::read_dir(data)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| file.metadata().ok())
        .map(|metadata| metadata.len())
        .sum();
    let size = format!("{} MiB", size.div_ceil(1 << 20));
    if let Ok(health) = client().and_then(|client| client.get("health", &[])) {
        match (health["status"].as_str(), health["reason"].as_str()) {
            (Some("degraded"), reason) => {
                let why = reason.unwrap_or("it does not say why");
                let cure = "free the disk or mend it: the host tries again by itself";
                findings.fault(PART, format!("the running host cannot write: {why}"), cure);
            }
            (status, _) => {
                let status = status.unwrap_or("running");
                findings.ok(PART, format!("the running host has it open and is {status}; {size} in {shown}"));
            }
        }
        return;
    }
    match doctor::open(data).and_then(|store| doctor::check(&store)) {
        Ok(report) if report.faults.is_empty() => {
            let rows = report.events + report.live_runs + report.ended_runs;
            findings.ok(PART, format!("{size} in {shown}: {rows} events and runs were read, and all fit together"));
        }
        Ok(report) => {
            let cure = "keep a copy of the folder, and restore a backup; see `hookbox doctor --data`";
            report.faults.into_iter().for_each(|fault| findings.fault(PART, fault, cure));
        }
        Err(error) => {
            let cure = "where a host runs on it, name its operator API with --url; else restore a backup";
            findings.fault(PART, format!("{shown} does not open: {error}"), cure);
        }
    }
}

/// True if everything is well.
pub(super) fn check(data: &Path, has: Option<&Path>, print: Print) -> Result<bool> {
    let store = doctor::open(data).with_context(|| format!("cannot open {}", data.display()))?;
    let report = doctor::check(&store)?;
    let mut missing = Vec::new();
    if let Some(file) = has {
        let ids = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        for id in ids.lines().map(str::trim).filter(|id| !id.is_empty()) {
            if !doctor::has(&store, id)? {
                missing.push(id.to_owned());
            }
        }
    }
    let well = report.faults.is_empty() && missing.is_empty();
    if print == Print::Json {
        inspect::json(&json!({
            "well": well,
            "events": report.events,
            "live_runs": report.live_runs,
            "ended_runs": report.ended_runs,
            "schedules": report.schedules,
            "plugins": report.plugins,
            "kv_keys": report.kv_keys,
            "faults": report.faults,
            "missing": missing,
        }))?;
        return Ok(well);
    }
    say!(
        "{} events, {} live and {} ended runs, {} schedules, {} plugins, {} keys",
        report.events,
        report.live_runs,
        report.ended_runs,
        report.schedules,
        report.plugins,
        report.kv_keys
    );
    for fault in &report.faults {
        say!("fault: {fault}");
    }
    for id in &missing {
        say!("missing: {id}");
    }
    say!("{}", if well { "All is well." } else { "Not all is well." });
    Ok(well)
}
