//! Who may speak to the operator's listener.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookbox_core::secret::Secret;
use hookbox_http::operator::Access;

use crate::harness::{Answer, Host, Logs, OPERATOR, ask, random};

const NO_RUN: &str = "/api/v1/runs/run_01JABCDEFGHJKMNPQRSTVWXYZ0/replay";

fn loopback(hosts: &[&str]) -> Access {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    Access::new(OPERATOR.parse().unwrap(), &hosts, None, random())
}

fn guarded() -> Access {
    Access::new("0.0.0.0:5555".parse().unwrap(), &[], Secret::new("hush").ok().as_ref(), random())
}

async fn read(access: Access, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get("/api/v1/events");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(Host::new().operator_with(access), request.body(Body::empty()).unwrap()).await
}

/// A write that gets through finds no run.
async fn write(headers: &[(&str, &str)]) -> StatusCode {
    let mut request = Request::post(NO_RUN).header("host", OPERATOR);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(Host::new().operator_with(loopback(&[])), request.body(Body::from("{}")).unwrap()).await.status
}

#[tokio::test]
async fn a_host_is_reached_by_its_own_names_only() {
    for host in ["127.0.0.1:5555", "localhost:5555", "LOCALHOST:5555", "[::1]:5555"] {
        let answer = read(loopback(&["Hooks.example.com"]), &[("host", host)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{host}");
    }
    let token = ("authorization", "Bearer hush");
    for host in ["hooks.example.com", "hooks.example.com:5555", "10.0.0.1:5555", "[::2]", "[::2]:5555", "a.example:80"]
    {
        let hosts = ["Hooks.example.com", "10.0.0.1", "::2", "a.example:80"].map(str::to_owned);
        let hush = Secret::new("hush").unwrap();
        let access = || Access::new(OPERATOR.parse().unwrap(), &hosts, Some(&hush), random());
        assert_eq!(read(access(), &[("host", host), token]).await.status, StatusCode::OK, "{host}");
        // Whoever comes by such a name does not sit at this machine.
        let open = Access::new(OPERATOR.parse().unwrap(), &hosts, None, random());
        assert_eq!(read(open, &[("host", host)]).await.status, StatusCode::UNAUTHORIZED, "{host}");
    }
    for header in ["x-forwarded-for", "forwarded"] {
        let proxied = read(loopback(&[]), &[("host", OPERATOR), (header, "192.0.2.1")]).await;
        assert_eq!(proxied.status, StatusCode::UNAUTHORIZED, "a proxy on this machine speaks for somebody else");
    }
    for host in ["hooks.example.com:80", "a.example", "a.example:5555", "a.example:80:5555", "::2"] {
        let answer = read(loopback(&["hooks.example.com", "::2", "a.example:80"]), &[("host", host)]).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    for host in ["evil.example", "127.0.0.1", "localhost:80", "127.0.0.1:5555.evil.example", "", "0.0.0.0:5555"] {
        let answer = read(loopback(&[]), &[("host", host)]).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert_eq!(answer.json()["type"], "urn:hookbox:problem:foreign-host");
    }
    assert_eq!(read(guarded(), &[("host", "0.0.0.0:5555"), token]).await.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(read(loopback(&[]), &[]).await.status, StatusCode::MISDIRECTED_REQUEST);
    let two = [("host", OPERATOR), ("host", OPERATOR)];
    assert_eq!(read(loopback(&[]), &two).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn the_host_of_an_absolute_target_counts_too() {
    for (target, status) in [("http://127.0.0.1:5555/api/v1/events", 200), ("http://evil.example/api/v1/events", 421)] {
        let request = Request::get(target).header("host", OPERATOR).body(Body::empty()).unwrap();
        assert_eq!(ask(Host::new().operator(), request).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_where_there_is_one() {
    let logs = Logs::capture();
    let host = ("host", OPERATOR);
    for good in ["Bearer hush", "bearer hush", "Bearer  hush "] {
        assert_eq!(read(guarded(), &[host, ("authorization", good)]).await.status, StatusCode::OK, "{good}");
    }
    for bad in ["Bearer hunter2", "Bearer hus", "Bearer hushh", "Bearer ", "Bearer", "hush", "Basic hush", ""] {
        let answer = read(guarded(), &[host, ("authorization", bad)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{bad}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert_eq!(read(guarded(), &[host]).await.status, StatusCode::UNAUTHORIZED);
    let twice = [host, ("authorization", "Bearer hush"), ("authorization", "Bearer hush")];
    assert_eq!(read(guarded(), &twice).await.status, StatusCode::UNAUTHORIZED);
    let lines = logs.take();
    assert!(
        !lines.is_empty() && lines.iter().all(|line| !line.contains("hus") && !line.contains("hunter2")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_write_of_another_site_is_refused() {
    let json = ("content-type", "application/json");
    assert_eq!(write(&[json]).await, StatusCode::NOT_FOUND);
    for good in ["http://127.0.0.1:5555", "http://localhost:5555", "https://localhost:5555"] {
        assert_eq!(write(&[json, ("origin", good)]).await, StatusCode::NOT_FOUND, "{good}");
    }
    for bad in ["null", "http://evil.example", "http://127.0.0.1:8080", "127.0.0.1:5555", "ftp://127.0.0.1:5555", ""] {
        assert_eq!(write(&[json, ("origin", bad)]).await, StatusCode::FORBIDDEN, "{bad}");
    }
    for good in ["same-origin", "none"] {
        assert_eq!(write(&[json, ("sec-fetch-site", good)]).await, StatusCode::NOT_FOUND, "{good}");
    }
    for bad in ["cross-site", "same-site", ""] {
        assert_eq!(write(&[json, ("sec-fetch-site", bad)]).await, StatusCode::FORBIDDEN, "{bad}");
    }
}

#[tokio::test]
async fn a_write_is_json() {
    for good in ["application/json", "Application/JSON; charset=utf-8"] {
        assert_eq!(write(&[("content-type", good)]).await, StatusCode::NOT_FOUND, "{good}");
    }
    for bad in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ""] {
        assert_eq!(write(&[("content-type", bad)]).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{bad}");
    }
    assert_eq!(write(&[]).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn every_answer_is_safe_to_show() {
    let host = Host::new();
    for path in ["/", "/api/v1/events", "/api/v1/nothing", "/api/v1/runs?colour=red"] {
        let answer = host.get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
    }
    assert_eq!(read(loopback(&[]), &[]).await.header("cache-control"), "no-store");
}
