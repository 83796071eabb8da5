//! Browsers that log in.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use hookbox_core::access::{SESSION_IDLE, SESSION_MAX, USED_STEP};
use hookbox_core::secret::Secret;
use hookbox_core::time::Millis;
use hookbox_http::operator::{Access, Login};
use hookbox_http::serve::Peer;
use tower::ServiceExt;

use crate::access_table::with_roles;
use crate::harness::{Answer, Host, Logs, OPERATOR, ask, random, shop, with_token};

const OWN: (&str, &str) = ("origin", "http://127.0.0.1:5555");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");
const NO_RUN: &str = "/api/v1/runs/run_01JABCDEFGHJKMNPQRSTVWXYZ0/replay";

async fn send(router: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", OPERATOR);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(router.clone(), request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn log_in(router: &Router, token: &str) -> Answer {
    send(router, "POST", "/login", &[OWN, FORM], &format!("token={token}&next=/runs")).await
}

/// What the browser sends along from then on.
#[track_caller]
fn cookie(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn page(router: &Router, cookie: &str) -> Answer {
    send(router, "GET", "/", &[("cookie", cookie), ("accept", "text/html")], "").await
}

#[tokio::test]
async fn somebody_logs_in_with_a_token_and_out_again() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    for (token, who) in
        [("viewer", "viewer (viewer)"), ("operator", "operator (operator)"), ("hush", "configured (admin)")]
    {
        let answer = log_in(&router, token).await;
        assert_eq!(answer.header("location"), "/runs");
        for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(answer.header("set-cookie").contains(part), "{answer:?}");
        }
        let cookie = cookie(&answer);
        assert!(!cookie.contains(token));
        let shown = page(&router, &cookie).await;
        assert_eq!(shown.status, StatusCode::OK);
        assert!(shown.body.contains(who), "{}", shown.body);
        let out = send(&router, "POST", "/logout", &[OWN, FORM, ("cookie", &cookie)], "").await;
        assert_eq!((out.status, out.header("location")), (StatusCode::SEE_OTHER, "/login"));
        assert!(out.header("set-cookie").contains("Max-Age=0"));
        assert_eq!(page(&router, &cookie).await.status, StatusCode::SEE_OTHER, "the cookie is worth nothing");
    }
    assert!(host.store.access().sessions.is_empty());
}

#[tokio::test]
async fn a_session_may_what_its_token_may_and_ends_with_it() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    let session = cookie(&log_in(&router, "viewer").await);
    let write = [OWN, JSON, ("cookie", session.as_str())];
    let refused = send(&router, "POST", NO_RUN, &write, "{}").await;
    assert_eq!(refused.json()["type"], "urn:hookbox:problem:forbidden");
    assert_eq!(refused.json()["detail"], "this needs the role operator, and viewer has viewer");
    let html = send(&router, "GET", "/audit", &[("cookie", &session), ("accept", "text/html")], "").await;
    assert!(html.status == StatusCode::FORBIDDEN && html.body.contains("<h1>The role does not allow this"), "{html:?}");
    let admin = ("authorization", "Bearer admin");
    let revoked = send(&router, "DELETE", "/api/v1/tokens/viewer", &[admin, JSON], "").await;
    assert_eq!(revoked.status, StatusCode::OK, "{revoked:?}");
    assert_eq!(page(&router, &session).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_admin_sees_who_is_logged_in_and_logs_one_out() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    let mut cookies = Vec::new();
    for token in ["viewer", "viewer", "operator"] {
        cookies.push(cookie(&log_in(&router, token).await));
    }
    let admin = ("authorization", "Bearer admin");
    let list = async || send(&router, "GET", "/api/v1/sessions", &[admin], "").await;
    let listed = list().await;
    let sessions = listed.json()["items"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 3, "{listed:?}");
    for cookie in &cookies {
        let id = cookie.split_once('=').unwrap().1;
        assert!(!listed.body.contains(id), "nobody can take over a session by the list");
        let own = send(&router, "GET", "/api/v1/sessions", &[("cookie", cookie)], "").await;
        assert_eq!(own.status, StatusCode::FORBIDDEN, "who is here is for admins");
    }
    let operator = sessions.iter().find(|session| session["who"] == "operator").unwrap();
    assert_eq!((operator["role"].as_str(), operator["by"].as_str()), (Some("operator"), Some("token")));
    assert_eq!(operator["own"], false);
    let path = format!("/api/v1/sessions/{}", operator["id"].as_str().unwrap());
    let ended = send(&router, "DELETE", &path, &[admin, JSON], "").await;
    assert!(ended.status == StatusCode::OK && ended.json()["who"] == "operator", "{ended:?}");
    let inside: Vec<_> = {
        let mut all = Vec::new();
        for cookie in &cookies {
            all.push(page(&router, cookie).await.status);
        }
        all
    };
    assert_eq!(inside, [StatusCode::OK, StatusCode::OK, StatusCode::SEE_OTHER], "the other two go on");
    for gone in [path.as_str(), "/api/v1/sessions/0123456789abcdef", "/api/v1/sessions/me"] {
        let answer = send(&router, "DELETE", gone, &[admin, JSON], "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{gone} {answer:?}");
    }
    assert_eq!(list().await.json()["items"].as_array().unwrap().len(), 2);
    let audit = send(&router, "GET", "/api/v1/audit?text=end%20session", &[admin], "").await;
    assert!(audit.body.contains("of operator") && audit.body.contains("not-found"), "{}", audit.body);
}

#[tokio::test]
async fn the_page_logs_a_browser_out_and_says_which_is_ones_own() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    let own = cookie(&log_in(&router, "admin").await);
    let theirs = cookie(&log_in(&router, "viewer").await);
    let shown = send(&router, "GET", "/tokens", &[("cookie", &own), ("accept", "text/html")], "").await;
    assert_eq!(shown.body.matches(">you<").count(), 1, "{}", shown.body);
    let listed = send(&router, "GET", "/api/v1/sessions", &[("cookie", &own)], "").await;
    let listed = listed.json();
    let by = |who: &str| {
        let of = listed["items"].as_array().unwrap().iter().find(|session| session["who"] == who).unwrap();
        assert_eq!(of["own"], who == "admin");
        format!("/sessions/{}/end", of["id"].as_str().unwrap())
    };
    assert!(shown.body.contains(&by("viewer")), "{}", shown.body);
    for (who, cookie) in [("viewer", &theirs), ("admin", &own)] {
        let answer = send(&router, "POST", &by(who), &[OWN, FORM, ("cookie", &own)], "").await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/tokens"));
        assert_eq!(page(&router, cookie).await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn a_write_with_a_cookie_says_where_it_comes_from() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    let session = cookie(&log_in(&router, "operator").await);
    let own = ("cookie", session.as_str());
    for good in [OWN, ("sec-fetch-site", "same-origin")] {
        assert_eq!(send(&router, "POST", NO_RUN, &[good, JSON, own], "{}").await.status, StatusCode::NOT_FOUND);
    }
    let bad: [&[(&str, &str)]; 4] =
        [&[], &[("origin", "null")], &[("origin", "http://evil.example")], &[OWN, ("sec-fetch-site", "cross-site")]];
    for from in bad {
        let headers = [&[JSON, own], from].concat();
        let refused = send(&router, "POST", NO_RUN, &headers, "{}").await;
        assert_eq!(refused.json()["type"], "urn:hookbox:problem:foreign-origin", "{from:?}");
        let headers = [&[FORM, own], from].concat();
        for path in ["/login", "/logout", "/tokens"] {
            let status = send(&router, "POST", path, &headers, "token=operator").await.status;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {from:?}");
        }
    }
    assert_eq!(page(&router, &session).await.status, StatusCode::OK, "nobody was logged out by another site");
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    let session = cookie(&log_in(&router, "viewer").await);
    let mut passed = Millis(0);
    let step = Millis(SESSION_IDLE.0 - 1);
    while passed.0 + step.0 < SESSION_MAX.0 {
        host.clock.advance(step);
        passed = Millis(passed.0 + step.0);
        assert_eq!(page(&router, &session).await.status, StatusCode::OK, "after {passed}");
    }
    host.clock.advance(Millis(SESSION_MAX.0 - passed.0));
    assert_eq!(page(&router, &session).await.status, StatusCode::SEE_OTHER, "it is too old");
    let session = cookie(&log_in(&router, "viewer").await);
    host.clock.advance(SESSION_IDLE);
    assert_eq!(page(&router, &session).await.status, StatusCode::SEE_OTHER, "it was idle");
}

#[tokio::test]
async fn when_something_was_used_is_not_written_with_every_request() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    let used =
        || host.store.access().tokens[&"viewer".parse().unwrap()].used.map(|used| used.since(crate::harness::NOW));
    let read = async || send(&router, "GET", "/api/v1/runs", &[("authorization", "Bearer viewer")], "").await.status;
    assert_eq!(used(), None);
    assert_eq!(read().await, StatusCode::OK);
    assert_eq!(used(), Some(Millis(0)));
    host.clock.advance(Millis(USED_STEP.0 - 1));
    read().await;
    assert_eq!(used(), Some(Millis(0)));
    host.clock.advance(Millis(1));
    read().await;
    assert_eq!(used(), Some(USED_STEP));
}

#[tokio::test]
async fn wrong_tokens_are_slowed_down_and_right_ones_of_ours_are_not() {
    let logs = Logs::capture();
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    let from = async |address: &str, token: &str| {
        let request = Request::post("/login").header("host", OPERATOR).header(OWN.0, OWN.1).header(FORM.0, FORM.1);
        let mut request = request.body(Body::from(format!("token={token}"))).unwrap();
        request.extensions_mut().insert(Peer(address.parse().unwrap()));
        ask(router.clone(), request).await
    };
    for _ in 0..10 {
        let wrong = from("192.0.2.1", "hunter2").await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        assert!(wrong.body.contains("not known here") && !wrong.body.contains("hunter2"), "{}", wrong.body);
        assert_eq!(wrong.header("set-cookie"), "");
    }
    assert_eq!(from("192.0.2.1", "hunter2").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(from("192.0.2.1", "hush").await.status, StatusCode::TOO_MANY_REQUESTS, "it may have been guessed");
    assert_eq!(from("192.0.2.1", "viewer").await.status, StatusCode::SEE_OTHER, "nobody guesses 256 bits");
    assert_eq!(from("192.0.2.2", "hush").await.status, StatusCode::SEE_OTHER);
    host.clock.advance(Millis(10 * Millis::MINUTE.0));
    assert_eq!(from("192.0.2.1", "hush").await.status, StatusCode::SEE_OTHER);
    let lines = logs.take();
    assert!(lines.iter().all(|line| !line.contains("hunter2") && !line.contains("hush")), "{lines:?}");
}

#[tokio::test]
async fn a_trusted_proxy_says_who_is_slowed_down_and_written_down() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush").behind(vec!["10.0.0.0/8".parse().unwrap()]));
    let from = async |peer: &str, forwarded: &str, path: &str, with: (&str, &str), body: &str| {
        let request = Request::post(path).header("host", OPERATOR).header(OWN.0, OWN.1).header(with.0, with.1);
        let request = request.header("x-forwarded-for", forwarded).header("authorization", "Bearer admin");
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        if path == "/login" {
            request.headers_mut().remove("authorization");
        }
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        ask(router.clone(), request).await.status
    };
    let log_in = async |peer: &str, forwarded: &str, token: &str| {
        from(peer, forwarded, "/login", FORM, &format!("token={token}")).await
    };
    for _ in 0..10 {
        assert_eq!(log_in("10.0.0.1", "198.51.100.7, 203.0.113.9", "hunter2").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(log_in("10.0.0.1", "203.0.113.9", "hush").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(log_in("10.0.0.1", "198.51.100.7", "hush").await, StatusCode::SEE_OTHER, "another one by the proxy");
    // Anybody else writes what they like there, and it says nothing.
    for n in 0..10 {
        assert_eq!(log_in("192.0.2.1", &format!("198.51.100.{n}"), "hunter2").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(log_in("192.0.2.1", "198.51.100.99", "hush").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(log_in("10.0.0.2", "192.0.2.2", "hush").await, StatusCode::SEE_OTHER);
    from("10.0.0.1", "198.51.100.8", NO_RUN, JSON, "{}").await;
    from("192.0.2.3", "198.51.100.9", NO_RUN, JSON, "{}").await;
    let audit = send(&router, "GET", "/api/v1/audit?limit=100", &[("authorization", "Bearer admin")], "").await.body;
    for address in ["203.0.113.9", "198.51.100.7", "192.0.2.2", "198.51.100.8", "192.0.2.3"] {
        assert!(audit.contains(&format!("\"{address}\"")), "{address}: {audit}");
    }
    for address in ["10.0.0.1", "198.51.100.99", "198.51.100.9"] {
        assert!(!audit.contains(&format!("\"{address}\"")), "{address}: {audit}");
    }
}

#[tokio::test]
async fn a_page_leads_to_the_login_and_back() {
    let router = with_roles().await.operator_with(with_token("hush"));
    let html = ("accept", "text/html,*/*;q=0.8");
    let sent = send(&router, "GET", "/runs?state=dead", &[html], "").await;
    assert_eq!((sent.status, sent.header("location")), (StatusCode::SEE_OTHER, "/login?next=%2Fruns%3Fstate%3Ddead"));
    let form = send(&router, "GET", "/login?next=%2Fruns%3Fstate%3Ddead", &[html], "").await;
    assert!(form.body.contains("value=\"/runs?state=dead\""), "{}", form.body);
    assert!(!form.body.contains("<nav") && !form.body.contains("live.js"), "strangers see nothing else");
    for path in ["/api/v1/runs", "/metrics"] {
        let status = send(&router, "GET", path, &[html], "").await.status;
        assert!(status == StatusCode::UNAUTHORIZED || path == "/metrics", "{path}: {status}");
    }
    let elsewhere = send(&router, "POST", "/login", &[OWN, FORM], "token=viewer&next=//evil.example").await;
    assert_eq!(elsewhere.header("location"), "/");
    let machine = log_in(&router, "metrics").await;
    assert_eq!(machine.status, StatusCode::FORBIDDEN, "{machine:?}");
}

#[tokio::test]
async fn over_tls_the_cookie_goes_nowhere_else_and_browsers_are_told() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush").over_tls());
    let own = ("origin", "https://127.0.0.1:5555");
    let answer = send(&router, "POST", "/login", &[own, FORM], "token=viewer").await;
    let set = answer.header("set-cookie");
    assert!(set.starts_with("__Host-hookbox_session=") && set.ends_with("; Secure"), "{set}");
    assert_eq!(answer.header("strict-transport-security"), "max-age=63072000");
    assert_eq!(page(&router, &cookie(&answer)).await.status, StatusCode::OK);
    let plain = send(&router, "POST", "/login", &[OWN, FORM], "token=viewer").await;
    assert_eq!(plain.status, StatusCode::FORBIDDEN, "a page that came without TLS is not of this host");
    // A proxy speaks TLS for us: its page says so.
    let access = Access::new(OPERATOR.parse().unwrap(), &["ops.example.com".to_owned()], None, random());
    let router = host.operator_with(access.with_login(Login::Everybody));
    let proxied = send(&router, "POST", "/login", &[("origin", "https://ops.example.com"), FORM], "token=viewer").await;
    assert!(proxied.header("set-cookie").ends_with("; Secure"), "{proxied:?}");
    assert_eq!(proxied.header("strict-transport-security"), "");
}

#[tokio::test]
async fn where_everybody_logs_in_loopback_does_too() {
    let host = with_roles().await;
    let access = Access::new(OPERATOR.parse().unwrap(), &[], None, random()).with_login(Login::Everybody);
    let router = host.operator_with(access);
    assert_eq!(send(&router, "GET", "/api/v1/runs", &[], "").await.status, StatusCode::UNAUTHORIZED);
    let viewer = ("authorization", "Bearer viewer");
    assert_eq!(send(&router, "GET", "/api/v1/runs", &[viewer], "").await.status, StatusCode::OK);
    // Whoever shows a token is judged by it, also where nobody has to.
    let open = host.operator();
    assert_eq!(send(&open, "POST", NO_RUN, &[viewer, JSON], "{}").await.status, StatusCode::FORBIDDEN);
    let wrong = ("authorization", "Bearer wrong");
    assert_eq!(send(&open, "GET", "/api/v1/runs", &[wrong], "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_what_let_its_reader_in() {
    let host: Host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    let live = Request::get("/live").header("host", OPERATOR).header("authorization", "Bearer viewer");
    let answer = router.clone().oneshot(live.body(Body::empty()).unwrap()).await.unwrap();
    let mut told = answer.into_body().into_data_stream();
    assert!(told.next().await.is_some(), "it says now and then that it is there");
    let admin = ("authorization", "Bearer admin");
    send(&router, "DELETE", "/api/v1/tokens/viewer", &[admin, JSON], "").await;
    host.deliver(shop(r#"{"type":"user.created","event_id":"e-1"}"#)).await;
    assert!(told.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_token_of_the_same_name_made_anew_keeps_no_stream_of_the_old_one() {
    let host: Host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    let session = format!("{}; other=1", cookie(&log_in(&router, "viewer").await));
    let open = async |by: (&str, &str)| {
        let live = Request::get("/live").header("host", OPERATOR).header(by.0, by.1).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(live).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{by:?}");
        let mut told = answer.into_body().into_data_stream();
        assert!(told.next().await.is_some(), "it says now and then that it is there");
        told
    };
    let old = [open(("authorization", "Bearer viewer")).await, open(("cookie", &session)).await];
    let admin = ("authorization", "Bearer admin");
    let revoked = send(&router, "DELETE", "/api/v1/tokens/viewer", &[admin, JSON], "").await;
    assert_eq!(revoked.status, StatusCode::OK, "{revoked:?}");
    let body = r#"{"name":"viewer","role":"viewer"}"#;
    let made = send(&router, "POST", "/api/v1/tokens", &[admin, JSON], body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let bearer = format!("Bearer {}", made.json()["token"].as_str().unwrap());
    let mut new = open(("authorization", &bearer)).await;
    for number in 1..=2 {
        host.deliver(shop(&format!(r#"{{"type":"user.created","event_id":"e-{number}"}}"#))).await;
        assert!(new.next().await.is_some(), "who has the new one is told");
    }
    for mut stream in old {
        assert!(stream.next().await.is_none(), "who had the old one is told nothing more");
    }
    assert_eq!(page(&router, &session).await.status, StatusCode::SEE_OTHER, "nor is its session worth anything");
}

/// The proxy speaks TLS with the browser, and this listener does not.
#[tokio::test]
async fn a_session_begun_behind_a_proxy_that_speaks_tls_goes_on() {
    let host = with_roles().await;
    let token = Secret::new("hush").unwrap();
    let access =
        Access::new("127.0.0.1:5555".parse().unwrap(), &["ops.example.com".to_owned()], Some(&token), random());
    let router = host.operator_with(access);
    let request = Request::post("/login").header("host", "ops.example.com").header("origin", "https://ops.example.com");
    let request = request.header(FORM.0, FORM.1).header("x-forwarded-proto", "https");
    let answer = ask(router.clone(), request.body(Body::from("token=viewer&next=/runs")).unwrap()).await;
    let session = cookie(&answer);
    assert!(session.starts_with("__Host-") && answer.header("set-cookie").contains("; Secure"), "{answer:?}");
    let request = Request::get("/runs").header("host", "ops.example.com").header("cookie", &session);
    let page = ask(router, request.header("accept", "text/html").body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
}
