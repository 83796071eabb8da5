//! The document of the API beside the router that it describes.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use crate::harness::{Host, JSON, OPERATOR, ask};

type Operations = BTreeMap<String, BTreeSet<String>>;

async fn document(host: &Host) -> Value {
    let answer = host.get("/api/v1/openapi.json").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    answer.json()
}

fn described(document: &Value) -> Operations {
    let paths = document["paths"].as_object().unwrap();
    let methods = |operations: &Value| operations.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
    paths.iter().map(|(path, operations)| (path.clone(), methods(operations))).collect()
}

/// A path that fits, with a name or id of nothing.
fn filled(path: &str) -> String {
    let id = match path.split('/').nth(3) {
        Some("runs") => "run_01JABCDEFGHJKMNPQRSTVWXYZ0",
        Some("sessions") => "0123456789abcdef",
        _ => "evt_01JABCDEFGHJKMNPQRSTVWXYZ0",
    };
    let fill = |segment: &str| match segment {
        "{id}" => id.to_owned(),
        segment if segment.starts_with('{') => "nothing".to_owned(),
        segment => segment.to_owned(),
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

/// Paths that the router has, by its own account, but for pages.
async fn routed(host: &Host) -> Operations {
    let router = host.operator();
    let shown = format!("{router:?}");
    let (_, paths) = shown.split_once("paths: {").unwrap();
    let (paths, _) = paths.split_once("} }").unwrap();
    let paths = paths.split('"').skip(1).step_by(2).filter(|path| path.starts_with("/api/") || *path == "/metrics");
    let mut found = Operations::new();
    for path in paths {
        // The refusal of a method that nobody has names those that are taken.
        let request = Request::builder().method("BREW").uri(filled(path)).header("host", OPERATOR);
        let answer = ask(host.operator(), request.header(JSON.0, JSON.1).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 405, "{path}");
        let methods = answer.header("allow").split(',').map(str::to_owned).filter(|method| method != "HEAD");
        found.insert(path.replace("{*", "{"), methods.collect());
    }
    found
}

#[tokio::test]
async fn the_document_has_every_operation_of_the_router_and_no_other() {
    let host = Host::new();
    let (mut described, mut routed) = (described(&document(&host).await), routed(&host).await);
    // The router has this one below the name of a schedule, which none may have then.
    assert_eq!(described.remove("/api/v1/schedules/preview"), Some(["POST".to_owned()].into()));
    assert!(routed.get_mut("/api/v1/schedules/{name}").unwrap().remove("POST"));
    assert!(routed.len() > 30, "the router shows its paths in another way: {routed:?}");
    assert_eq!(described, routed);
}

async fn with_parameter(host: &Host, method: &str, path: &str, name: &str) -> Value {
    let request = Request::builder().method(method.to_uppercase().as_str());
    let request = request.uri(format!("{}?{name}=", filled(path))).header("host", OPERATOR);
    ask(host.operator(), request.header(JSON.0, JSON.1).body(Body::from("{}")).unwrap()).await.json()
}

#[tokio::test]
async fn the_document_has_every_parameter_that_an_operation_knows_and_no_other() {
    let host = Host::new();
    let document = document(&host).await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        if path == "/metrics" {
            continue;
        }
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let named: Vec<&str> =
                parameters.filter(|one| one["in"] == "query").map(|one| one["name"].as_str().unwrap()).collect();
            let named: BTreeSet<&str> = named.into_iter().collect();
            let answer = with_parameter(&host, method, path, "colour").await;
            if path == "/api/v1/plugins" && method == "post" {
                assert_eq!(answer["type"], "urn:hookbox:problem:token-unset");
                continue;
            }
            let known = answer["detail"].as_str().unwrap_or_default().rsplit_once("known: ").map(|(_, known)| known);
            let known = known.unwrap_or_else(|| panic!("{method} {path} takes any parameter: {answer}"));
            let (known, has_more) = match known.split_once(", and most of them after not_") {
                Some((plain, _)) => (plain, true),
                None => (known, false),
            };
            let mut known: BTreeSet<String> =
                known.split(", ").filter(|name| *name != "none").map(str::to_owned).collect();
            for name in if has_more { known.clone() } else { BTreeSet::new() } {
                let not = format!("not_{name}");
                let answer = with_parameter(&host, method, path, &not).await;
                if answer["type"] != "urn:hookbox:problem:unknown-parameter" {
                    known.insert(not);
                }
            }
            assert_eq!(known.iter().map(String::as_str).collect::<BTreeSet<_>>(), named, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            _ => {}
        }
    }
    let document = document(&Host::new()).await;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let schemas: Vec<&String> = document["components"]["schemas"].as_object().unwrap().keys().collect();
    assert!(schemas.iter().all(|name| !name.ends_with("View") && !name.ends_with('2')), "{schemas:?}");
}

#[tokio::test]
async fn whatever_is_wrong_is_told_as_a_problem() {
    let host = Host::new();
    for (path, operations) in described(&document(&host).await) {
        let method = operations.first().unwrap();
        let good = filled(&path);
        for (method, uri, body, status) in [
            ("BREW", good.clone(), "{}", 405),
            ("GET", format!("{good}/and/nothing/more/here/at/all"), "", 404),
            (method.as_str(), format!("{good}?%ff=%ff"), "{}", 400),
            (method.as_str(), format!("{good}?colour"), "{}", 400),
            ("POST", good.clone(), "{", 400),
        ] {
            let request = Request::builder().method(method).uri(&uri).header("host", OPERATOR);
            let request = request.header(JSON.0, JSON.1).body(Body::from(body)).unwrap();
            let answer = ask(host.operator(), request).await;
            if answer.status.is_success() && path == "/metrics" {
                continue;
            }
            assert!(answer.status.is_client_error(), "{method} {uri}: {answer:?}");
            assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {uri}: {answer:?}");
            let problem = answer.json();
            assert_eq!(problem["status"], answer.status.as_u16(), "{method} {uri}");
            assert!(problem["detail"].is_string() || status == 400, "{method} {uri} names no cure: {problem}");
        }
    }
}
