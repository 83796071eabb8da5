//! `hookbox doctor`: opens a stopped host's data and checks it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use hookbox_store::doctor;
use serde_json::json;

use crate::inspect::{self, Print};

/// True if everything is well.
pub(crate) fn doctor(data: &Path, has: Option<&Path>, print: Print) -> Result<bool> {
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
