//! Guests that would rather not show what they send.

use hookbox_core::attempt::{REFUSED_KEPT_MAX, Request};
use hookbox_core::egress::Egress;

use super::server::Server;
use super::{Answers, local, sends, world};

const REFUSED: &str = "GET http://junk.example/";

#[tokio::test(flavor = "multi_thread")]
async fn refused_requests_hide_neither_what_is_sent_nor_where_it_was_to_go() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let many = Egress { requests_max: 300, ..local(&[&to]) };
    let world = world(many, Answers::always("127.0.0.1")).await;
    let mut told: Vec<String> = (0..100).map(|n| format!("GET http://{n}.example/")).collect();
    told.push("GET http://169.254.169.254/".to_owned());
    told.extend((0..85).map(|_| format!("GET {to}/")));
    told.extend((100..110).map(|n| format!("GET http://{n}.example/")));
    let (_, executed) = sends(&world, &told.join("\n---\n")).await;
    let requests = &executed.requests;
    let refused = requests.kept.iter().filter(|request| Request::is_denied(request)).count();
    assert_eq!((requests.kept.len() - refused, server.seen().len()), (85, 85));
    assert!(refused <= REFUSED_KEPT_MAX, "{refused}");
    assert_eq!(requests.kept.len() + requests.dropped as usize, told.len());
    let probe = "GET http://169.254.169.254";
    assert!(executed.denied.iter().any(|denied| denied.what == probe), "{:?}", executed.denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_requests_count_against_their_limit() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let few = Egress { requests_max: 3, ..local(&[&to]) };
    let world = world(few, Answers::always("127.0.0.1")).await;
    let (answer, _) =
        sends(&world, &[REFUSED, REFUSED, &format!("GET {to}/"), &format!("GET {to}/")].join("\n---\n")).await;
    let answers: Vec<_> = answer.split("\n---\n").collect();
    let denied = "error: ErrorCode::HttpRequestDenied";
    assert_eq!(answers, [denied, denied, "200 GET / ", denied]);
    assert_eq!(server.seen().len(), 1);
}
