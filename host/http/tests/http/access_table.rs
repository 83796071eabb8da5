//! Every route of the router has a rule, and every rule is obeyed: by each role, and by nobody.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hookbox_core::access::{AccessToken, Role, SecretHash, TokenName};
use hookbox_core::time::Millis;
use hookbox_http::operator::{self, Least, RULES, Rule, Takes};
use hookbox_store::types::AccessChange;
use serde_json::Value;
use tower::ServiceExt;

use crate::harness::{Host, NOW, OPERATOR, with_token};

/// Puts a token of each role into the store; each is named as its role.
pub(crate) async fn with_roles() -> Host {
    let host = Host::new();
    for role in Role::ALL {
        keep_token(&host, role.as_str(), role, None).await;
    }
    keep_token(&host, "late", Role::Admin, Some(Millis(0))).await;
    host
}

async fn keep_token(host: &Host, name: &str, role: Role, lasts: Option<Millis>) {
    let token = AccessToken {
        name: TokenName::parse(name).unwrap(),
        hash: SecretHash::of(name.as_bytes()),
        role,
        created: NOW,
        by: "loopback".to_owned(),
        used: None,
        expires: lasts.map(|lasts| NOW.plus(lasts)),
    };
    assert!(host.store.change_access(AccessChange::NewToken(token)).await.unwrap());
}

async fn methods(path: &str, router: &Router) -> BTreeSet<String> {
    let walked = Request::builder().method("WALK").uri(filled(path)).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(walked).await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path} takes any method: say which");
    let allowed = answer.headers()["allow"].to_str().unwrap();
    allowed.split(',').filter(|method| *method != "HEAD").map(str::to_owned).collect()
}

/// With something in place of the names.
fn filled(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "x".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_is_in_the_table_and_the_table_has_no_other() {
    let mut routes = BTreeSet::new();
    for (path, router) in operator::routes_apart(Host::new().parts_with(with_token("hush"))) {
        for method in methods(&path, &router).await {
            routes.insert((path.clone(), method));
        }
    }
    let ruled: BTreeSet<_> = RULES.iter().map(|rule| (rule.path.to_owned(), rule.method.to_owned())).collect();
    let unruled: Vec<_> = routes.difference(&ruled).collect();
    assert!(unruled.is_empty(), "say in access/table.rs who may do these: {unruled:?}");
    let gone: Vec<_> = ruled.difference(&routes).collect();
    assert!(gone.is_empty(), "the router has none of these: {gone:?}");
    assert!(routes.len() > 60, "the walk sees the routes: {}", routes.len());
}

/// The status, and the code of the problem where it is one. Some answers have no end.
async fn ask(router: &Router, rule: &Rule, method: &str, token: Option<&str>) -> (u16, String) {
    let content_type = match rule.takes {
        Takes::Json => "application/json",
        Takes::Form => "application/x-www-form-urlencoded",
        Takes::Wasm => "application/wasm",
    };
    let mut request = Request::builder().method(method).uri(filled(rule.path)).header("host", OPERATOR);
    if !["GET", "HEAD"].contains(&method) {
        request = request.header("content-type", content_type).header("origin", format!("http://{OPERATOR}"));
    }
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = if rule.takes == Takes::Json && method != "GET" { Body::from("{}") } else { Body::empty() };
    let answer = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = answer.status();
    if status.is_success() {
        return (status.as_u16(), String::new());
    }
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    let code = problem["type"].as_str().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default();
    (status.as_u16(), code.to_owned())
}

#[tokio::test]
async fn each_role_may_do_what_the_table_says_and_nobody_else_may() {
    let host = with_roles().await;
    for rule in RULES {
        let methods: &[&str] = if rule.method == "GET" { &["GET", "HEAD"] } else { &[rule.method] };
        for method in methods {
            // A throttle of its own for each.
            let router = host.operator_with(with_token("hush"));
            let what = format!("{method} {}", rule.path);
            for token in [None, Some("late"), Some("wrong")] {
                let (status, code) = ask(&router, rule, method, token).await;
                let refused = status == 401 && (code == "token-wanted" || *method == "HEAD");
                assert_eq!(
                    refused,
                    rule.least != Least::Anyone && !logs_in(rule),
                    "{what} by {token:?}: {status} {code}"
                );
            }
            for role in Role::ALL {
                let (status, code) = ask(&router, rule, method, Some(role.as_str())).await;
                let refused = status == 403 && (code == "forbidden" || *method == "HEAD");
                let may = match rule.least {
                    Least::Anyone => true,
                    Least::Role(least) => role >= least,
                };
                assert_eq!(!refused, may, "{what} by {role}: {status} {code}");
                assert!(status != 401 || logs_in(rule), "{what} by {role}: {status} {code}");
            }
            let (status, code) = ask(&router, rule, method, Some("hush")).await;
            assert!(![401, 403].contains(&status) || logs_in(rule), "{what} by the configured token: {status} {code}");
        }
    }
}

/// It judges what the form says, and not what the header says.
fn logs_in(rule: &Rule) -> bool {
    (rule.method, rule.path) == ("POST", "/login")
}

#[tokio::test]
async fn what_is_in_no_rule_is_refused_to_everybody() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    let of = |method: &'static str, path: &'static str| Rule { method, path, ..RULES[0] };
    for (method, path, known) in
        [("GET", "/nothing", 404), ("PATCH", "/api/v1/runs", 405), ("POST", "/api/v1/nothing", 404)]
    {
        let rule = of(method, path);
        assert_eq!(ask(&router, &rule, method, None).await.0, 401, "a stranger is not told what there is");
        assert_eq!(ask(&router, &rule, method, Some("admin")).await.0, known, "{method} {path}");
    }
}

#[tokio::test]
async fn from_this_machine_everything_is_free_but_uploads() {
    let router = Host::new().operator();
    for rule in RULES.iter().filter(|rule| !logs_in(rule)) {
        let (status, code) = ask(&router, rule, rule.method, None).await;
        let free = ![401, 403].contains(&status);
        assert_eq!(free, rule.takes != Takes::Wasm, "{} {}: {status} {code}", rule.method, rule.path);
    }
}
