//! The document of the API before a client that believes every word of it.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{Project, number, shop, until};
use crate::schedules::TICK;

const SCHEMATHESIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemathesis/venv/bin/schemathesis");
/// Requests of each operation, at most, beside those that each of its parameters gets.
const EXAMPLES: u64 = 15;
/// What must hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection";
/// How what is wrong may be refused: conditions are looked at before bodies.
const REFUSALS: &str =
    "[checks.negative_data_rejection]\nexpected-statuses = [400, 403, 404, 405, 408, 409, 412, 413, 415, 422]\n";

#[test]
fn what_is_served_is_what_the_document_says() {
    assert!(Path::new(SCHEMATHESIS).is_file(), "{SCHEMATHESIS} is missing: run tests/run");
    let project = Project::with(&["welcome", "ticker", "steps"]);
    project.put("bad", b"no component");
    let host = project.serve();
    let good = host.follow(&shop("user.created", "1", json!({ "data": { "name": "Ada" } })));
    let dead = host.follow(&shop("broken", "2", json!({})));
    let unrouted = host.accept(&shop("nobody", "3", json!({})));
    assert_eq!(host.post(&shop("nobody", "3", json!({}))).status, 200);
    until("a slot has fired", || (host.get(TICK)["counts"]["fired"] != 0).then_some(()));
    let suppressed = host.all("suppressed")[0]["id"].clone();
    let events = [good["event"].clone(), dead["event"].clone(), unrouted.into()];
    let known =
        |name: &str, values: &[serde_json::Value]| format!("[dictionaries.{name}]\nvalues = {}\n", json!(values));
    let often = |place: &str, parameter: &str, name: &str| {
        format!(
            "[[operations]]\ninclude-path-regex = \"^/api/v1/{place}/\"\n[operations.parameters]\n\
             \"path.{parameter}\" = {{ dictionary = \"{name}\", probability = 0.7 }}\n"
        )
    };
    let settings = [
        REFUSALS.to_owned(),
        known("runs", &[good["id"].clone(), dead["id"].clone()]),
        known("events", &events),
        known("suppressed", &[suppressed]),
        known("schedules", &["ticker.tick".into(), "mine".into()]),
        known("plugins", &["welcome".into(), "steps".into(), "bad".into()]),
        known("providers", &["shop".into(), "github".into()]),
        known("holds", &["*".into(), "welcome".into()]),
        often("runs", "id", "runs"),
        often("events", "id", "events"),
        often("suppressed", "id", "suppressed"),
        often("schedules", "name", "schedules"),
        often("plugins", "name", "plugins"),
        often("providers", "name", "providers"),
        often("holds", "target", "holds"),
    ];
    project.write("schemathesis.toml", settings.concat());
    let examples = number("HOOKBOX_API_EXAMPLES", EXAMPLES).to_string();
    let mut command = Command::new(SCHEMATHESIS);
    project.surround(&mut command);
    command.args(["run", &host.api("openapi.json"), "--checks", CHECKS, "--max-examples", &examples]);
    // Streams have no end, and it makes no components.
    command.args([
        "--exclude-path-regex",
        "/stream$",
        "--exclude-name",
        "POST /api/v1/plugins",
        "--phases",
        "examples,coverage,fuzzing",
        "--no-color",
    ]);
    command.args(["--generation-deterministic"]);
    command.args(["--request-timeout", "30", "--warnings", "off", "--suppress-health-check", "all", "--no-shrink"]);
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(host.ask("events").status, 200, "the host is well");
}

/// What a command has in place of each operation of the API; nothing where it is for other programs.
const COMMANDS: [(&str, &str); 63] = [
    ("GET /api/v1/events", "events list"),
    ("GET /api/v1/events/{id}", "events show"),
    ("POST /api/v1/events/{id}/route", "events route"),
    ("POST /api/v1/events/route", "events route"),
    ("GET /api/v1/suppressed", "events list"),
    ("GET /api/v1/suppressed/{id}", "events show"),
    ("POST /api/v1/suppressed/{id}/release", "events release"),
    ("GET /api/v1/routes", "routes list"),
    ("POST /api/v1/routes/test", "routes test"),
    ("GET /api/v1/runs", "runs list"),
    ("GET /api/v1/runs/stream", "runs list"),
    ("GET /api/v1/runs/{id}", "runs show"),
    ("GET /api/v1/runs/{id}/logs/stream", "runs logs"),
    ("GET /api/v1/runs/{id}/result", "runs result"),
    ("POST /api/v1/runs/{id}/cancel", "runs cancel"),
    ("POST /api/v1/runs/{id}/replay", "runs replay"),
    ("POST /api/v1/runs/cancel", "runs cancel"),
    ("POST /api/v1/runs/replay", "runs replay"),
    ("POST /api/v1/handlers/{plugin}/{handler}/run", "enqueue"),
    ("GET /api/v1/searches", "searches list"),
    ("GET /api/v1/searches/{name}", "searches show"),
    ("PUT /api/v1/searches/{name}", "searches keep"),
    ("DELETE /api/v1/searches/{name}", "searches drop"),
    ("GET /api/v1/holds", "holds list"),
    ("GET /api/v1/holds/{target}", "holds show"),
    ("PUT /api/v1/holds/{target}", "holds add"),
    ("DELETE /api/v1/holds/{target}", "holds remove"),
    ("GET /api/v1/schedules", "schedules list"),
    ("GET /api/v1/schedules/{name}", "schedules show"),
    ("PUT /api/v1/schedules/{name}", "schedules put"),
    ("DELETE /api/v1/schedules/{name}", "schedules remove"),
    ("POST /api/v1/schedules/preview", "schedules put"),
    ("POST /api/v1/schedules/{name}/run", "schedules run"),
    ("POST /api/v1/schedules/{name}/pause", "schedules pause"),
    ("POST /api/v1/schedules/{name}/resume", "schedules resume"),
    ("POST /api/v1/schedules/{name}/reset", "schedules reset"),
    ("POST /api/v1/schedules/{name}/backfill", "schedules backfill"),
    ("GET /api/v1/plugins", "plugins list"),
    ("POST /api/v1/plugins", "plugins push"),
    ("GET /api/v1/plugins/{name}", "plugins show"),
    ("POST /api/v1/plugins/{name}/rollback", "plugins rollback"),
    ("GET /api/v1/plugin-changes", "plugins watch"),
    ("GET /api/v1/providers", "providers live"),
    ("GET /api/v1/providers/{name}", "providers live"),
    ("GET /api/v1/providers/{name}/pairing", "providers pair"),
    ("POST /api/v1/providers/{name}/pairing", "providers pair"),
    ("POST /api/v1/providers/{name}/pairing/confirm", "providers pair"),
    ("POST /api/v1/providers/{name}/pairing/close", "providers pair"),
    ("GET /api/v1/alerts", "alerts list"),
    ("POST /api/v1/alerts/channels/{name}/test", "alerts test"),
    ("GET /api/v1/whoami", "tokens whoami"),
    ("GET /api/v1/tokens", "tokens list"),
    ("POST /api/v1/tokens", "tokens create"),
    ("DELETE /api/v1/tokens/{name}", "tokens revoke"),
    ("GET /api/v1/sessions", "sessions list"),
    ("DELETE /api/v1/sessions/{id}", "sessions end"),
    ("GET /api/v1/audit", "audit"),
    ("POST /api/v1/backup", "backup"),
    ("GET /api/v1/overview", "overview"),
    ("GET /api/v1/system", "system"),
    ("GET /api/v1/health", "health"),
    ("GET /api/v1/openapi.json", ""),
    ("GET /metrics", ""),
];

#[test]
fn every_operation_of_the_api_has_a_command() {
    let project = Project::with(&[]);
    let host = project.serve();
    let document = host.get("openapi.json");
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, described) in operations.as_object().unwrap() {
            let operation = format!("{} {path}", method.to_uppercase());
            let command = COMMANDS.iter().find(|(known, _)| *known == operation);
            let (_, command) = command.unwrap_or_else(|| panic!("{operation}: which command does this?"));
            let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
            let said = project.run(&words);
            assert!(said.text().contains("Usage: hookbox") && said.out.contains("--json"), "{command}");
            let takes = |header: &str| {
                described["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["name"] == header)
            };
            // That one is several writes.
            let keyed = command.is_empty() || *command == "providers pair" || said.out.contains("--idempotency-key");
            assert!(keyed || !takes("Idempotency-Key"), "{operation}: {command} takes no key");
            assert!(said.out.contains("--if-match") || !takes("If-Match"), "{operation}: {command} takes no condition");
        }
    }
}
