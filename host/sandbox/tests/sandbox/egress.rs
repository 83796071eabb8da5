//! Requests of plugins, to a server of our own.

mod connections;
mod hiding;
mod server;
mod times;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use hookbox_core::attempt::{Executed, RequestEnd};
use hookbox_core::egress::{Egress, Grant};
use hookbox_core::host_call::{CallKind, Calls};
use hookbox_core::limits::PluginSettings;
use hookbox_core::secret::Secret;
use hookbox_sandbox::Resolve;

use crate::world::{World, call, output};
use server::Server;

/// Answers each question with the next of its answers, and the last of them for ever.
struct Answers(Vec<&'static str>, AtomicUsize);

impl Answers {
    fn always(address: &'static str) -> Arc<Answers> {
        Answers::in_turn(vec![address])
    }

    fn in_turn(addresses: Vec<&'static str>) -> Arc<Answers> {
        Arc::new(Answers(addresses, AtomicUsize::new(0)))
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Resolve for Answers {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if name.ends_with(".invalid") {
            return Err(io::Error::other("no such name"));
        }
        let n = self.1.fetch_add(1, Ordering::Relaxed);
        Ok(self.0[n.min(self.0.len() - 1)].split(' ').map(|address| address.parse().unwrap()).collect())
    }
}

fn egress(grants: &[&str]) -> Egress {
    let grants = grants.iter().map(|grant| Grant::parse(grant).unwrap()).collect();
    Egress { grants, ..Egress::default() }
}

/// Loopback is reachable, where our server is.
fn local(grants: &[&str]) -> Egress {
    Egress { networks: vec!["127.0.0.0/8".parse().unwrap()], ..egress(grants) }
}

async fn world(egress: Egress, resolver: Arc<dyn Resolve>) -> World {
    let world = World::resolving(resolver);
    let settings = PluginSettings { egress: Arc::new(egress), ..PluginSettings::default() };
    world.sandbox.activate(&world.prepare("mischief", settings).await);
    world
}

/// Looks until it is so, for some seconds.
async fn until(so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it did not come to this");
}

async fn sends(world: &World, told: &str) -> (String, Executed) {
    let executed = world.execute(call("requests", told)).await;
    (output(&executed), executed)
}

fn ends(executed: &Executed) -> Vec<String> {
    let end = |end: &RequestEnd| match end {
        RequestEnd::Unfinished => "unfinished".to_owned(),
        RequestEnd::Answered(status) => status.to_string(),
        RequestEnd::Failed(reason) => format!("failed: {reason}"),
        RequestEnd::Denied(reason) => format!("denied: {reason}"),
    };
    let kept = &executed.requests.kept;
    kept.iter().map(|request| format!("{} {} {}", request.method, request.url, end(&request.end))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_request_is_sent_and_written_down() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let world = world(local(&[&format!("POST {to}")]), Answers::always("127.0.0.1")).await;
    let (answer, executed) = sends(&world, &format!("POST {to}/echo?key=hunter2\nx-mark: one\n\nhello")).await;
    assert_eq!(answer, "200 POST /echo?key=hunter2 hello");
    assert_eq!(ends(&executed), [format!("POST {to}/echo 200")]);
    let request = &executed.requests.kept[0];
    assert_eq!((request.sent_bytes, request.received_bytes), (5, 28));
    let counted = Calls { number: 1, bytes_given: 5, bytes_answered: 28 };
    assert_eq!(executed.cost.calls.of(CallKind::Request), counted);
    let seen = server.seen();
    assert_eq!(seen[0].header("host"), Some(to.trim_start_matches("http://")));
    assert_eq!(seen[0].header("x-mark"), Some("one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_without_a_grant_and_the_cure_is_told() {
    let server = Server::start().await;
    let (to, other) = (server.url("api.example"), server.url("other.example"));
    let world = world(local(&[&format!("POST {to}")]), Answers::always("127.0.0.1")).await;
    for (told, wanted) in [
        (format!("GET {to}/"), format!("GET {to}")),
        (format!("POST {other}/"), format!("POST {other}")),
        (format!("POST https://api.example:{}/", server.port()), format!("POST https://api.example:{}", server.port())),
        ("POST http://api.example/".to_owned(), "POST http://api.example".to_owned()),
    ] {
        let (answer, executed) = sends(&world, &told).await;
        assert_eq!(answer, "error: ErrorCode::HttpRequestDenied", "{told}");
        let cure = format!("add \"{wanted}\" to grants.http of the plugin");
        assert!(ends(&executed)[0].contains(&format!("denied: it is not granted: {cure}")), "{:?}", ends(&executed));
        assert!(executed.log.lines.iter().any(|line| line.message.contains(&cure)), "{:?}", executed.log);
    }
    assert!(server.seen().is_empty());
    world.assert_serves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_without_grants_sends_nothing() {
    let server = Server::start().await;
    let world = world(Egress::default(), Answers::always("127.0.0.1")).await;
    let (answer, executed) = sends(&world, &format!("GET {}/", server.url("api.example"))).await;
    assert_eq!(answer, "error: ErrorCode::HttpRequestDenied");
    assert_eq!((executed.requests.kept.len(), executed.cost.calls.of(CallKind::Request)), (1, Calls::one()));
    assert!(server.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_this_machine_is_refused() {
    let server = Server::start().await;
    let (to, port) = (server.url("api.example"), server.port());
    for address in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1", "0.0.0.0"] {
        let world = world(egress(&["http://*"]), Answers::always(address)).await;
        let granted = world_of(&format!("http://*:{port}"), address).await;
        for world in [world, granted] {
            let (answer, executed) = sends(&world, &format!("GET {to}/")).await;
            assert!(answer.starts_with("error: ErrorCode::"), "{address}: {answer}");
            assert!(ends(&executed)[0].contains("denied: "), "{:?}", ends(&executed));
        }
    }
    assert!(server.seen().is_empty());
}

async fn world_of(grant: &str, address: &'static str) -> World {
    world(egress(&[grant]), Answers::always(address)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_the_url_passes_the_second_gate_too() {
    let server = Server::start().await;
    let port = server.port();
    let world = world_of(&format!("http://*:{port}"), "127.0.0.1").await;
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0"] {
        let (answer, executed) = sends(&world, &format!("GET http://{host}:{port}/")).await;
        assert_eq!(answer, "error: ErrorCode::DestinationIpProhibited", "{host}");
        assert!(ends(&executed)[0].contains("add its network to grants.networks"), "{:?}", ends(&executed));
    }
    for host in ["2130706433", "0x7f000001", "017700000001", "127.1", "0177.0.0.1"] {
        let (answer, executed) = sends(&world, &format!("GET http://{host}:{port}/")).await;
        assert_eq!(answer, "error: ErrorCode::HttpRequestUriInvalid", "{host}");
        assert!(ends(&executed)[0].contains("four decimal numbers"), "{:?}", ends(&executed));
    }
    assert!(server.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_bound_anew_is_connected_where_it_was_looked_at() {
    let server = Server::start().await;
    let port = server.port();
    // First where nobody listens, which is granted, and a moment later where the server is, which is not.
    let networks = vec!["127.0.0.2/32".parse().unwrap()];
    let answers = Answers::in_turn(vec!["127.0.0.2", "127.0.0.1"]);
    let rebound = Egress { networks, ..egress(&[&format!("http://*:{port}")]) };
    let world = world(rebound, answers.clone()).await;
    let told = format!("GET http://api.example:{port}/");
    let (answer, _) = sends(&world, &told).await;
    assert_eq!((answer.as_str(), answers.asked()), ("error: ErrorCode::ConnectionRefused", 1));
    // Asked again, it is refused for what it is now.
    let (answer, _) = sends(&world, &told).await;
    assert_eq!(answer, "error: ErrorCode::DestinationIpProhibited");
    assert!(server.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_addresses_only_those_that_pass_are_connected() {
    let server = Server::start().await;
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    let port = server.port();
    let mixed = Egress { networks, ..egress(&[&format!("http://*:{port}")]) };
    let world = world(mixed, Answers::always("::1 10.1.2.3 127.0.0.1")).await;
    let (answer, _) = sends(&world, &format!("GET http://api.example:{port}/")).await;
    assert_eq!(answer, "200 GET / ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let world = world(local(&[&to]), Answers::always("127.0.0.1")).await;
    let (answer, executed) = sends(&world, &format!("GET {to}/redirect")).await;
    assert_eq!(answer, "302 to http://169.254.169.254/latest/meta-data ");
    assert_eq!((server.seen().len(), executed.requests.kept.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_host_nor_framing_nor_another_line_gets_into_the_headers() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let world = world(local(&[&to]), Answers::always("127.0.0.1")).await;
    for header in ["host: evil.example", "transfer-encoding: chunked", "connection: upgrade", "x-a: b\\r\\nx-c: d"] {
        let (answer, _) = sends(&world, &format!("GET {to}/\n{header}")).await;
        assert!(answer.starts_with("error: HeaderError::"), "{header}: {answer}");
    }
    for method in ["CONNECT", "TRACE"] {
        let (answer, _) = sends(&world, &format!("{method} {to}/")).await;
        assert_eq!(answer, "error: ErrorCode::HttpRequestDenied", "{method}");
    }
    // What wasmtime would keep without a bound.
    let long = "X".repeat(65);
    assert_eq!(sends(&world, &format!("{long} {to}/")).await.0, "error: bad method");
    assert_eq!(sends(&world, &format!("GET http://{}/", "a".repeat(513))).await.0, "error: bad authority");
    assert!(server.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_filled_in_where_it_was_granted_and_nowhere_else() {
    let server = Server::start().await;
    let (to, other) = (server.url("api.example"), server.url("evil.example"));
    let mut carrying = local(&[&to, &other]);
    carrying.grants[0].headers.insert("authorization".to_owned(), vec!["key".to_owned()]);
    carrying.secrets = BTreeMap::from([("key".to_owned(), Arc::new(Secret::new(*b"hunter2").unwrap()))]);
    let world = world(carrying, Answers::always("127.0.0.1")).await;
    let (answer, executed) = sends(&world, &format!("GET {to}/\nauthorization: Bearer {{{{secret:key}}}}!")).await;
    assert_eq!(answer, "200 GET / ");
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer hunter2!"));
    assert!(!format!("{:?}{:?}", executed.log, executed.requests).contains("hunter2"));
    for (url, header) in [
        (&other, "authorization: {{secret:key}}"),
        (&to, "x-mark: {{secret:key}}"),
        (&to, "authorization: {{secret:other}}"),
        (&to, "authorization: {{secret:key"),
        (&to, "authorization: \u{e9}{{secret:key}}"),
    ] {
        let (answer, _) = sends(&world, &format!("GET {url}/\n{header}")).await;
        assert_eq!(answer, "error: ErrorCode::HttpRequestDenied", "{url} {header}");
    }
    for path in ["{{secret:key}}", "?key={{secret:key}}", "%7B%7bsecret%3akey%7D%7D"] {
        let (answer, executed) = sends(&world, &format!("GET {to}/{path}")).await;
        assert_eq!(answer, "error: ErrorCode::HttpRequestDenied", "{path}");
        assert!(ends(&executed)[0].contains("only into a header that grants.http names"), "{:?}", ends(&executed));
    }
    assert_eq!(server.seen().len(), 1);
    // Nor can the plugin read it.
    assert_eq!(world.answer("reads-config", "").await, "None None");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_attempt_sends_the_same_keys() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let world = world(local(&[&to]), Answers::always("127.0.0.1")).await;
    let told = format!(
        "POST {to}/a\n\nx\n---\nPOST {to}/a\n\nx\n---\nPOST {to}/b\n\nx\n---\nPOST {to}/a\nidempotency-key: own\n\nx"
    );
    sends(&world, &told).await;
    sends(&world, &told).await;
    let seen = server.seen();
    let keys: Vec<&str> = seen.iter().map(|seen| seen.header("idempotency-key").unwrap()).collect();
    assert_eq!(keys[..4], keys[4..]);
    assert_eq!(keys[3], "own");
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0].len() == 64, "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_others_are_in_the_way_of_takes_no_key() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let few = Egress { at_once_max: 1, ..local(&[&to]) };
    let world = world(few, Answers::always("127.0.0.1")).await;
    let one = format!("POST {to}/a\n\nx");
    let keys =
        || server.seen().iter().map(|seen| seen.header("idempotency-key").unwrap().to_owned()).collect::<Vec<_>>();
    sends(&world, &[one.as_str(); 2].join("\n---\n")).await;
    let (answer, _) = sends(&world, &format!("together\n{}", [one.as_str(); 2].join("\n---\n"))).await;
    assert!(answer.ends_with("error: ErrorCode::ConnectionLimitReached"), "{answer}");
    let keys = keys();
    assert_eq!((keys.len(), &keys[2]), (3, &keys[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_off_does_not_look_whole() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let world = world(local(&[&to]), Answers::always("127.0.0.1")).await;
    // Half a chunked body, and then the attempt is over.
    let told = format!("half POST {to}/half");
    let timely = hookbox_core::attempt::Call { timeout: hookbox_core::time::Millis(500), ..call("requests", &told) };
    let executed = world.execute(timely).await;
    assert_eq!(executed.outcome.code(), "timed-out");
    until(|| !server.ended().is_empty()).await;
    assert_eq!(server.ended(), ["/half: broken off"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_in_total_and_at_one_time() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let few = Egress { requests_max: 3, at_once_max: 2, ..local(&[&to]) };
    let world = world(few, Answers::always("127.0.0.1")).await;
    let one = format!("GET {to}/");
    let (answer, executed) = sends(&world, &[one.as_str(); 4].join("\n---\n")).await;
    assert!(answer.ends_with("200 GET / \n---\nerror: ErrorCode::HttpRequestDenied"), "{answer}");
    assert!(ends(&executed)[3].contains("more than 3 requests in one attempt: raise limits.requests"));
    let (answer, _) = sends(&world, &format!("together\n{}", [one.as_str(); 3].join("\n---\n"))).await;
    assert!(answer.ends_with("error: ErrorCode::ConnectionLimitReached"), "{answer}");
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_bounded_in_bytes_and_in_time() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let small = Egress { response_bytes_max: 100_000, ..local(&[&to]) };
    let world = world(small, Answers::always("127.0.0.1")).await;
    let (answer, executed) = sends(&world, &format!("GET {to}/flood")).await;
    assert!(answer.ends_with("broken off: Some(ErrorCode::HttpResponseBodySize(Some(100000)))"), "{answer}");
    assert!(ends(&executed)[0].contains("raise limits.responses"), "{:?}", ends(&executed));
    assert!(executed.requests.kept[0].received_bytes < 300_000, "{:?}", executed.requests);
    // A server that says nothing holds the attempt no longer than it has.
    let told = format!("GET {to}/silence");
    let timely = hookbox_core::attempt::Call { timeout: hookbox_core::time::Millis(300), ..call("requests", &told) };
    let executed = world.execute(timely).await;
    assert_eq!(executed.outcome.code(), "timed-out");
    assert_eq!(ends(&executed), [format!("GET {to}/silence unfinished")]);
    world.assert_serves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_not_sent_in_the_clear_to_an_address_of_others() {
    let server = Server::start().await;
    let to = server.url("api.example");
    // The name leads to a public address, and to one of the plugin's own networks at another time.
    let mut carrying = local(&[&to]);
    carrying.grants[0].headers.insert("authorization".to_owned(), vec!["key".to_owned()]);
    carrying.secrets = BTreeMap::from([("key".to_owned(), Arc::new(Secret::new(*b"hunter2").unwrap()))]);
    let world = world(carrying, Answers::in_turn(vec!["192.0.9.1", "192.0.9.1 127.0.0.1"])).await;
    let told = format!("GET {to}/\nauthorization: {{{{secret:key}}}}");
    let (answer, executed) = sends(&world, &told).await;
    assert_eq!(answer, "error: ErrorCode::DestinationIpProhibited");
    assert!(ends(&executed)[0].contains("is in none of grants.networks"), "{:?}", ends(&executed));
    assert_eq!(sends(&world, &told).await.0, "200 GET / ");
    assert_eq!(server.seen()[0].header("authorization"), Some("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_as_what_it_is() {
    let world = world(local(&["http://*:1", "http://*"]), Answers::always("127.0.0.1")).await;
    let (answer, executed) = sends(&world, "GET http://api.example:1/").await;
    assert_eq!(answer, "error: ErrorCode::ConnectionRefused");
    assert!(ends(&executed)[0].contains("failed: "), "{:?}", ends(&executed));
    let (answer, _) = sends(&world, "GET http://nowhere.invalid/").await;
    assert!(answer.starts_with("error: ErrorCode::DnsError"), "{answer}");
}
