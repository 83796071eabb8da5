//! Real deliveries in files: caught, shown, and sent again.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use ureq::http::Request;

use crate::harness::{Ended, Host, Project, SHOP, Webhook, shop, until};

/// A `capture` that waits for deliveries.
struct Capture<'a> {
    project: &'a Project,
    host: Host<'a>,
}

impl<'a> Capture<'a> {
    fn begin(project: &'a Project, more: &[&str]) -> Capture<'a> {
        let arguments = [&["capture", "--listen", "127.0.0.1:0", "--out", "caught"], more].concat();
        let mut host = Host::begin(project, project.command(&arguments));
        let line = until("the listener is ready", || {
            host.assert_alive();
            host.stdout().lines().next().map(str::to_owned)
        });
        host.ingress =
            line.split(' ').find(|word| word.starts_with("http://")).unwrap().trim_end_matches(',').to_owned();
        Capture { project, host }
    }

    fn file(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.project.path(&format!("caught/{name}"))).unwrap()).unwrap()
    }
}

#[test]
fn a_delivery_is_caught_to_the_byte() {
    let project = Project::with(&[]);
    let mut capture = Capture::begin(&project, &["--count", "2"]);
    let webhook = SHOP.sign("1", b"{\"n\": 1.0,  \"\xff\"}\r\n".to_vec()).header("X-Odd", "tab\there");
    let answer = capture.host.post(&webhook);
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(capture.host.post(&SHOP.sign("2", "plain text")).status, 200);
    assert_eq!(capture.host.wait(), Ended::Code(0));

    let caught = capture.file("0001-shop.delivery.json");
    assert_eq!((&caught["format"], &caught["method"]), (&json!(1), &json!("POST")));
    assert_eq!(caught["path"], "/api/v1/webhooks/webhook/shop");
    // {"n": 1.0,  "\xff"}\r\n
    assert_eq!(caught["body"], json!({ "base64": "eyJuIjogMS4wLCAgIv8ifQ0K" }));
    // A plugin's own test reads the same bytes.
    let event = hookbox_sdk::testing::event_of_delivery("shop/order.paid", &caught.to_string());
    assert_eq!((event.data.as_slice(), event.type_.as_str()), (webhook.body.as_slice(), "order.paid"));
    assert_eq!(event.content_type, "application/json");
    let names: Vec<&str> = event.attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"header.x-odd") && !names.iter().any(|name| name.contains("signature")), "{names:?}");
    let headers = caught["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-odd", "tab\there"])), "{headers:?}");
    assert!(headers.contains(&json!(["x-webhook-signature", webhook.value("X-Webhook-Signature")])), "{headers:?}");
    assert_eq!(capture.file("0002-shop.delivery.json")["body"], "plain text");

    let mode = |name: &str| fs::metadata(project.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("caught"), mode("caught/0001-shop.delivery.json")), (0o700, 0o600));
    assert!(project.log().contains("keep them as you keep secrets"), "{}", project.log());
}

#[test]
fn what_is_no_delivery_is_not_caught() {
    let project = Project::with(&[]);
    let capture = Capture::begin(&project, &[]);
    let get = Request::get(format!("{}/favicon.ico", capture.host.ingress)).body(Vec::new()).unwrap();
    assert_eq!(capture.host.request(get).status, 405);
    let large = Webhook { provider: "shop".to_owned(), headers: Vec::new(), body: vec![b' '; (32 << 20) + 1] };
    assert!(capture.host.try_post(&large).is_ok_and(|answer| answer.status == 413));
    assert_eq!(fs::read_dir(project.path("caught")).unwrap().count(), 0);
}

#[test]
fn a_question_is_caught_and_the_hosts_answer_goes_back() {
    let project = Project::with(&[]);
    let host = project.serve();
    let capture = Capture::begin(&project, &["--forward", &host.ingress]);
    let webhook = shop("user.created", "1", Value::Null);
    let answer = capture.host.post(&webhook);
    assert_eq!((answer.status, answer.str("status")), (202, "accepted"), "{answer:?}");
    let wrong = Webhook { body: b"{}".to_vec(), ..webhook };
    assert_eq!(capture.host.post(&wrong).status, 401);
    let asked = format!("{}/api/v1/webhooks/webhook/health?full=no", capture.host.ingress);
    let answer = capture.host.request(Request::get(asked).body(Vec::new()).unwrap());
    assert_eq!(answer.str("status"), "ok", "{answer:?}");
    let caught = capture.file("0003-health.delivery.json");
    assert_eq!((&caught["method"], &caught["query"]), (&json!("GET"), &json!("full=no")));
    assert_eq!(host.get("events")["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_caught_delivery_is_given_to_a_handler() {
    let project = Project::with(&["welcome"]);
    let mut capture = Capture::begin(&project, &["--count", "1"]);
    let webhook = shop("user.created", "1", json!({ "data": { "name": "Ada" } }));
    assert_eq!(capture.host.post(&webhook).status, 200);
    assert_eq!(capture.host.wait(), Ended::Code(0));
    let said =
        project.run(&["invoke", "plugins/welcome.wasm", "--delivery", "caught/0001-shop.delivery.json", "--json"]);
    assert_eq!(said.json()["outcome"], "completed", "{said:?}");
    let said = project.run(&["invoke", "plugins/welcome.wasm", "--delivery", "plugins/welcome.wasm"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("is no recorded delivery"), "{said:?}");
}
