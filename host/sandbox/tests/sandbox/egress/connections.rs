//! Which connection a request has.

use super::server::Server;
use super::{Answers, ends, local, sends, world};

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_for_the_next_attempt_of_a_version() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let world = world(local(&[&to]), Answers::always("127.0.0.1")).await;
    for _ in 0..3 {
        sends(&world, &format!("GET {to}/")).await;
    }
    assert_eq!((server.seen().len(), server.connections()), (3, 1));
}

/// An answer that nobody reads is there all the same, and its connection at the next request by then.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_dropped_unread_takes_no_other_request_with_it() {
    let server = Server::start().await;
    let to = server.url("api.example");
    let world = world(local(&[&to]), Answers::always("127.0.0.1")).await;
    for _ in 0..3 {
        let told = format!("unread\nGET {to}/\n---\nPOST {to}/\n\nhello\n---\nGET {to}/\n---\nPOST {to}/\n\nhello");
        let (answer, executed) = sends(&world, &told).await;
        assert_eq!(answer, "200 200 200 200", "{:?}", ends(&executed));
    }
    assert_eq!((server.seen().len(), server.connections()), (12, 1));
}
