//! The store: that of a stopped host is opened and checked row by row; a running host is asked.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use hookbox_store::doctor::{self, Report};
use hookbox_store::owner;
use serde_json::{Value, json};

use super::Findings;
use crate::client::Client;
use crate::inspect::{self, Print};
use crate::project::Project;

const PART: &str = "store";

/// Where a host has the store open, it is asked; another may answer where this one would. Else it is opened, as long as that
/// takes.
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
    match doctor::is_open(data) {
        Ok(true) => running(client().and_then(|client| client.get("health", &[])), &size, data, findings),
        Ok(false) => stopped(data, &size, findings),
        Err(error) => does_not_open(data, &error, findings),
    }
}

fn running(health: Result<Value>, size: &str, data: &Path, findings: &mut Findings) {
    let health = match health {
        Ok(health) => health,
        Err(error) => return does_not_open(data, &format!("another hookbox uses it, and {error:#}"), findings),
    };
    match (health["status"].as_str(), health["reason"].as_str()) {
        (Some("degraded"), reason) => {
            let why = reason.unwrap_or("it does not say why");
            let cure = "see to what it says, and to its log; where the disk fails, it tries again by itself";
            findings.fault(PART, format!("the running host is degraded: {why}"), cure);
        }
        (status, _) => {
            let (status, shown) = (status.unwrap_or("running"), data.display());
            findings.ok(PART, format!("the running host has it open and is {status}; {size} in {shown}"));
        }
    }
}

fn stopped(data: &Path, size: &str, findings: &mut Findings) {
    let checked = owner::keeping(data, || doctor::open(data).and_then(|store| doctor::check(&store)));
    match checked.flatten() {
        Ok(report) if report.faults.is_empty() => {
            let (rows, shown) = (report.events + report.live_runs + report.ended_runs, data.display());
            findings.ok(PART, format!("{size} in {shown}: {rows} events and runs were read, and all fit together"));
        }
        Ok(report) => {
            let cure = "keep a copy of the folder, and restore a backup; see `hookbox doctor --data`";
            report.faults.into_iter().for_each(|fault| findings.fault(PART, fault, cure));
        }
        Err(error) => does_not_open(data, &error, findings),
    }
}

fn does_not_open(data: &Path, why: &dyn Display, findings: &mut Findings) {
    let cure = "where a host runs on it, name its operator API with --url; else restore a backup";
    findings.fault(PART, format!("{} does not open: {why}", data.display()), cure);
}

/// What a check finds, and which of the ids are missing.
fn report(data: &Path, has: Option<&Path>) -> Result<(Report, Vec<String>)> {
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
    Ok((report, missing))
}

/// True if everything is well.
pub(super) fn check(data: &Path, has: Option<&Path>, print: Print) -> Result<bool> {
    let (report, missing) = owner::keeping(data, || report(data, has))??;
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

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_running_host_that_is_degraded_says_why_itself() {
        let found = |health: Value| {
            let mut findings = Findings::default();
            running(Ok(health), "1 MiB", Path::new("data"), &mut findings);
            findings.0.into_iter().map(|finding| (finding.level, finding.what)).collect::<Vec<_>>()
        };
        let told = found(json!({ "status": "degraded", "reason": "the scheduler has finished no pass for 70 s" }));
        let what = "the running host is degraded: the scheduler has finished no pass for 70 s".to_owned();
        assert_eq!(told, [(Level::Fault, what)]);
        let what = "the running host has it open and is ok; 1 MiB in data".to_owned();
        assert_eq!(found(json!({ "status": "ok" })), [(Level::Ok, what)]);
    }
}
