//! What the two listeners tell, and to whom.

use serde_json::{Value, json};
use ureq::http::Request;

use crate::harness::{Answer, Host, Project, shop, until};

type Headers<'a> = &'a [(&'a str, &'a str)];

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn write(host: &Host<'_>, headers: Headers<'_>) -> Answer {
    let mut request = Request::post(host.api("schedules/ticker.new-year/run"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    host.request(request.body(b"{}".to_vec()).unwrap())
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.body["status"]), (status, &json!(status)), "{answer:?}");
    assert_eq!(answer.body["type"], format!("urn:hookbox:problem:{code}"));
    assert!(answer.body["title"].is_string(), "{answer:?}");
}

#[test]
fn a_write_of_another_site_is_refused_and_does_nothing() {
    let project = Project::with(&["ticker"]);
    let host = project.serve();
    let own = host.operator.clone();
    let foreign: [Headers<'_>; 5] = [
        &[JSON, ("Origin", "https://evil.example")],
        &[JSON, ("Origin", "null")],
        &[JSON, ("Sec-Fetch-Site", "cross-site")],
        &[JSON, ("Sec-Fetch-Site", "same-site")],
        &[JSON, ("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
    ];
    for headers in foreign {
        assert_problem(&write(&host, headers), 403, "foreign-origin");
    }
    assert_eq!(host.all("runs?handler=new-year"), Vec::<Value>::new());
    assert_eq!(write(&host, &[JSON, ("Origin", &own), ("Sec-Fetch-Site", "same-origin")]).status, 201);
}

#[test]
fn a_write_that_is_not_json_is_refused() {
    let project = Project::with(&["ticker"]);
    let host = project.serve();
    let types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];
    for content_type in types {
        assert_problem(&write(&host, &[("Content-Type", content_type)]), 415, "json-wanted");
    }
    assert_problem(&write(&host, &[]), 415, "json-wanted");
    assert_eq!(host.all("runs?handler=new-year"), Vec::<Value>::new());
}

#[test]
fn a_name_that_is_not_the_hosts_is_refused() {
    let project = Project::with(&[]);
    let host = project.serve();
    let port = host.operator.rsplit(':').next().unwrap().to_owned();
    let ask =
        |name: &str| host.request(Request::get(host.api("events")).header("Host", name).body(Vec::new()).unwrap());
    for name in ["evil.example".to_owned(), format!("evil.example:{port}"), "localhost".to_owned()] {
        assert_problem(&ask(&name), 421, "foreign-host");
    }
    for name in [format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        assert_eq!(ask(&name).status, 200, "{name}");
    }
}

#[test]
fn a_token_is_wanted_where_one_is_set() {
    let project = Project::with(&["ticker"]).env("HOOKBOX_TOKEN", "hush-operator-30");
    let host = project.serve();
    assert_problem(&host.ask("events"), 401, "token-wanted");
    assert_problem(&write(&host, &[JSON]), 401, "token-wanted");
    assert_problem(&write(&host, &[JSON, ("Authorization", "Bearer hush-operator-31")]), 401, "token-wanted");
    assert_eq!(write(&host, &[JSON, ("Authorization", "Bearer hush-operator-30")]).status, 201);
    assert_eq!(host.cli(&["events", "list", "--json"]).json()["items"], json!([]), "the commands have it too");
    drop(host);
    assert!(!project.output().contains("hush-operator"));
}

#[test]
fn an_operator_listener_for_others_needs_a_token() {
    let project = Project::with(&[]);
    let said = project.run(&["serve", "--listen", "127.0.0.1:0", "--operator", "0.0.0.0:0"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("HOOKBOX_TOKEN") && said.err.contains("127.0.0.1"), "{said:?}");
}

#[test]
fn ingress_tells_its_health() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    host.follow(&shop("broken", "1", json!({})));
    let ask = || host.request(Request::get(host.webhook_url("health")).body(Vec::new()).unwrap());
    // The counts follow the run's row by a moment.
    let health = until("the dead letter is counted", || Some(ask()).filter(|health| health.body["queue"]["dead"] == 1));
    assert_eq!(health.status, 200);
    assert_eq!(health.body["status"], "ok");
    assert_eq!(health.body["providers"], json!(["github", "shop", "standard-webhooks", "stripe"]));
    assert!(health.body["handlers"].as_array().unwrap().contains(&json!("steps/chain")), "{health:?}");
    assert_eq!(health.body["queue"], json!({ "pending": 0, "leased": 0, "dead": 1 }));
}

#[test]
fn ingress_has_nothing_but_webhooks_and_health() {
    let project = Project::with(&[]);
    let host = project.serve();
    let get = |path: &str| host.request(Request::get(format!("{}{path}", host.ingress)).body(Vec::new()).unwrap());
    for path in ["/", "/api/v1/events", "/api/v1/webhooks/webhook", "/api/v1/webhooks/webhook/a/b", "/metrics"] {
        assert_problem(&get(path), 404, "not-found");
    }
    // A provider without a challenge and one that does not exist look alike.
    for name in ["shop", "nobody"] {
        assert_problem(&get(&format!("/api/v1/webhooks/webhook/{name}")), 401, "unverified");
    }
}

#[test]
fn an_answer_of_the_operator_is_neither_cached_nor_framed() {
    let project = Project::with(&[]);
    let host = project.serve();
    let page = host.request(Request::get(format!("{}/", host.operator)).body(Vec::new()).unwrap());
    assert_eq!(page.status, 200);
    for (name, value) in
        [("cache-control", "no-store"), ("x-frame-options", "DENY"), ("x-content-type-options", "nosniff")]
    {
        assert_eq!(page.headers.get(name).unwrap(), value);
        assert_eq!(host.ask("nothing").headers.get(name).unwrap(), value);
    }
}

#[test]
fn what_is_not_there_is_a_problem_with_its_cause() {
    let project = Project::with(&[]);
    let host = project.serve();
    assert_problem(&host.ask("nothing"), 404, "not-found");
    assert_problem(&host.ask("events/evt_01ARZ3NDEKTSV4RRFFQ69G5FAV"), 404, "not-found");
    assert_problem(&host.ask("runs?state=happy"), 422, "bad-parameter");
    assert_problem(&host.ask("runs?colour=red"), 400, "unknown-parameter");
    let detail = host.ask("runs?state=happy").str("detail").to_owned();
    assert!(detail.contains("pending, leased, succeeded, dead, cancelled"), "{detail}");
}

#[test]
fn lists_come_in_pages_without_a_gap() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let mut ids: Vec<Value> =
        (0..7).map(|number| json!(host.accept(&shop("count", &number.to_string(), json!({}))))).collect();
    ids.reverse();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for rows in [3, 3, 1] {
        let page = host.get(&format!("events?limit=3{cursor}"));
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), rows);
        found.extend(items.iter().map(|item| item["id"].clone()));
        cursor = format!("&cursor={}", page["next"].as_str().unwrap_or_default());
    }
    assert_eq!(found, ids, "newest first, each once");
}
