//! What a run cost: with its attempt, on the terminal, and for Prometheus.

use serde_json::json;
use ureq::http::Request;

use crate::harness::{Project, shop};

#[test]
fn what_a_run_cost_is_shown_and_counted() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let run = host.follow(&shop("user.created", "1", json!({})));
    let attempt = &run["attempts"][0];
    let (cost, log) = (&attempt["cost"], &attempt["log"]);
    assert!(cost["wall_us"].as_u64().unwrap() > 0 && cost["memory_peak_bytes"].as_u64().unwrap() > 0, "{cost:#}");
    let written = cost["host_calls"]["kv-write"]["calls"].as_u64().unwrap();
    let logged = &cost["host_calls"]["log"];
    assert!(written > 0 && logged["calls"].as_u64().unwrap() > 0, "{cost:#}");
    assert!(log["bytes"].as_u64().unwrap() > 0 && log["bytes_dropped"] == 0, "{log:#}");

    let shown = host.cli(&["runs", "show", run["id"].as_str().unwrap()]);
    assert!(shown.text().contains("kv-write"), "{shown:?}");

    let metrics = host.request(Request::get(format!("{}/metrics", host.operator)).body(Vec::new()).unwrap()).text;
    let handler = run["handler"].as_str().unwrap();
    for (name, value) in [
        (format!("attempts_total{{plugin=\"welcome\",handler=\"{handler}\"}}"), 1),
        (format!("host_calls_total{{plugin=\"welcome\",handler=\"{handler}\",kind=\"kv-write\"}}"), written),
    ] {
        assert!(metrics.contains(&format!("hookbox_handler_{name} {value}\n")), "{name}: {metrics}");
    }
}
