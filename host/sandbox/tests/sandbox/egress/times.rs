//! How long a plugin waits for another server, where it says so itself.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use hookbox_sandbox::Resolve;

use super::server::Server;
use super::{Answers, egress, ends, local, sends, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_sets_its_own_times() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let world = world(local(&[&to]), Answers::always("127.0.0.1")).await;
    let (answer, executed) = sends(&world, &format!("GET {to}/silence\n!first-byte 50")).await;
    assert_eq!(answer, "error: ErrorCode::HttpResponseTimeout");
    assert!(ends(&executed)[0].contains("no answer within 50 ms"), "{:?}", ends(&executed));
    let (answer, executed) = sends(&world, &format!("GET {to}/stall\n!between 50")).await;
    assert_eq!(answer, "200 some broken off: Some(ErrorCode::ConnectionReadTimeout)");
    assert_eq!(ends(&executed)[0].split(": ").next(), Some(format!("GET {to}/stall failed").as_str()));
}

struct NeverResolved;

#[async_trait]
impl Resolve for NeverResolved {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_waits_for_a_connection_no_longer_than_it_says() {
    let world = world(egress(&["https://api.example"]), Arc::new(NeverResolved)).await;
    let (answer, executed) = sends(&world, "GET https://api.example/\n!connect 50").await;
    assert_eq!(answer, "error: ErrorCode::ConnectionTimeout");
    assert!(ends(&executed)[0].contains("no connection within the 50 ms"), "{:?}", ends(&executed));
    world.assert_serves().await;
}
