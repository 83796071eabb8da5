//! What is served, documented, drawn and alerted on is one set of metrics.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hookbox_core::attempt::{Cost, Executed, Outcome, Request, RequestEnd};
use hookbox_core::host_call::{CallKind, Calls};
use hookbox_core::run::RunStatus;
use hookbox_core::time::Millis;
use hookbox_http::changes::What;
use serde_json::{Value, json};

use crate::harness::{Host, NOW, ask, shop, webhook};
use crate::operator::{target, welcome};
use hookbox_core::name::PluginName;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One that has done a bit of everything.
async fn busy() -> Host {
    let host = Host::new();
    host.store.put_plugin(welcome()).await.unwrap();
    for _ in 0..2 {
        host.deliver(shop(r#"{"type":"user.created","event_id":"1"}"#)).await;
    }
    host.deliver(webhook("stripe", "generic", "", b"{}", &[])).await;
    let nightly = json!({ "plugin": "welcome", "handler": "repair", "every": "1h" });
    host.write("PUT", "/api/v1/schedules/hourly", nightly).await;
    host.write("PUT", "/api/v1/holds/elsewhere", json!({})).await;
    let mut executed = Executed::bare(Outcome::Completed { output: None });
    executed.cost = Cost { wall_us: 3_000, ..Cost::default() };
    executed.cost.calls.add(CallKind::Log, Calls { number: 3, bytes_given: 9, bytes_answered: 0 });
    let end = RequestEnd::Denied("no grant".into());
    let url = "https://example.com".into();
    executed.requests.kept = vec![Request { method: "GET".into(), url, ms: 1, sent_bytes: 0, received_bytes: 0, end }];
    host.spending.add(&target("welcome", "on-user"), &executed);
    for status in [RunStatus::Pending, RunStatus::Dead] {
        host.spending.finished(&target("welcome", "on-user"), status);
    }
    host.meters.late(Millis(1_500));
    host.changes.tell(NOW, &PluginName::parse("welcome").unwrap(), None, What::Active);
    host.clock.advance(Millis(90_000));
    host
}

/// Names of the descriptions, and of the samples.
fn names(page: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let described = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let samples = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next());
    (described.map(str::to_owned).collect(), samples.map(str::to_owned).collect())
}

/// All that is named `hookbox_` in a text.
fn mentioned(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("hookbox_")).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_served_is_what_is_documented() {
    let (served, _) = names(&busy().await.get("/metrics").await.body);
    let documented = std::fs::read_to_string(project().join("docs/metrics.md")).unwrap();
    let rows = documented.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<String> = rows.map(str::to_owned).collect();
    assert_eq!(served, documented, "docs/metrics.md and the page differ");
}

#[tokio::test]
async fn what_is_drawn_and_alerted_on_is_served() {
    let (_, samples) = names(&busy().await.get("/metrics").await.body);
    let dashboard = std::fs::read_to_string(project().join("deploy/grafana/hookbox.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let drawn: Vec<BTreeSet<String>> = targets.map(|of| mentioned(of["expr"].as_str().unwrap())).collect();
    assert!(drawn.len() >= panels.len() && drawn.iter().all(|names| !names.is_empty()));
    let rules = std::fs::read_to_string(project().join("deploy/prometheus/hookbox.rules.yaml")).unwrap();
    let alerted = mentioned(&rules);
    assert!(alerted.len() > 10, "{alerted:?}");
    for name in drawn.into_iter().flatten().chain(alerted) {
        assert!(samples.contains(&name), "{name} is not served");
    }
}

#[tokio::test]
async fn a_caller_that_accepts_open_metrics_has_them() {
    use axum::body::Body;
    let host = busy().await;
    let asked = axum::http::Request::get("/metrics").header("host", crate::harness::OPERATOR);
    let asked = asked.header("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    let answer = ask(host.operator(), asked.body(Body::empty()).unwrap()).await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(answer.body.ends_with("# EOF\n") && answer.body.contains("# TYPE hookbox_webhooks_accepted counter"));
}

#[tokio::test]
async fn the_measures_are_told() {
    let page = busy().await.get("/metrics").await.body;
    let of = r#"plugin="welcome",handler="on-user""#;
    for line in [
        "hookbox_queue_oldest_seconds 90.0".to_owned(),
        "hookbox_serving 1".to_owned(),
        format!("hookbox_handler_runs_total{{{of},state=\"dead\"}} 1"),
        format!("hookbox_handler_retries_total{{{of}}} 1"),
        format!("hookbox_handler_requests_denied_total{{{of}}} 1"),
        format!("hookbox_handler_attempt_seconds_bucket{{le=\"0.0025\",{of}}} 0"),
        format!("hookbox_handler_attempt_seconds_bucket{{le=\"0.005\",{of}}} 1"),
        format!("hookbox_handler_attempt_seconds_count{{{of}}} 1"),
        "hookbox_slot_lateness_seconds_bucket{le=\"5.0\"} 1".to_owned(),
        "hookbox_webhooks_ack_seconds_count 2".to_owned(),
        "hookbox_plugins_swapped_total{plugin=\"welcome\"} 1".to_owned(),
    ] {
        assert!(page.lines().any(|told| told == line), "{line} is missing in\n{page}");
    }
}

/// Debian's package `prometheus`, which `tests/run` installs.
fn promtool(arguments: &[&str], input: &str) {
    use std::io::Write;
    let folder = project().join("deploy/prometheus");
    let command = Command::new("promtool").args(arguments).current_dir(folder).stdin(Stdio::piped()).spawn();
    let mut command = command.unwrap_or_else(|error| panic!("promtool: {error}: tests/run installs it"));
    command.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(command.wait().unwrap().success(), "promtool {arguments:?} finds something");
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_the_page() {
    promtool(&["check", "metrics"], &busy().await.get("/metrics").await.body);
}

#[test]
fn promtool_finds_the_rules_sound_and_they_fire_when_they_should() {
    promtool(&["check", "rules", "hookbox.rules.yaml"], "");
    promtool(&["test", "rules", "hookbox.tests.yaml"], "");
}
