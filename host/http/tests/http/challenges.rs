//! What a sender asks before it sends, and what it hears after.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use hookbox_http::providers::Providers;

use crate::harness::{Answer, Host, JSON, WEBHOOKS, live, webhook};

/// With senders that ask.
fn asked(host: Host) -> Host {
    let senders = ["my-shop", "dropbox", "x", "slack", "meta"];
    let scheme = |name| if name == "my-shop" { "generic" } else { name };
    host.providers.store(Providers::new(senders.map(|name| live(name, scheme(name), None))).into());
    host
}

async fn ask(host: &Host, provider: &str, query: &str) -> Answer {
    host.deliver(Request::get(format!("{WEBHOOKS}/{provider}?{query}")).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn an_echo_is_plain_text_that_no_browser_takes_for_a_page() {
    let host = asked(Host::new());
    let answer = ask(&host, "dropbox", "challenge=abc_123").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "abc_123"));
    assert!(answer.header("content-type").starts_with("text/plain"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(host.is_untouched());
}

#[tokio::test]
async fn a_word_is_signed_and_nothing_else() {
    let host = asked(Host::new());
    let answer = ask(&host, "x", "crc_token=uzwcfYtzr9").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.json()["response_token"].as_str().unwrap().starts_with("sha256="), "{answer:?}");
    // A body that a stranger would like to have signed.
    for token in ["%7B%22id%22%3A1%7D", "a.b", "", &"a".repeat(129)] {
        let answer = ask(&host, "x", &format!("crc_token={token}")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}");
    }
}

#[tokio::test]
async fn a_stranger_who_asks_learns_nothing() {
    let host = asked(Host::new());
    let nobody = ask(&host, "nobody", "challenge=abc").await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    for (provider, query) in
        [("my-shop", "challenge=abc"), ("dropbox", ""), ("dropbox", "challenge=%3Cb%3E"), ("x", "")]
    {
        let answer = ask(&host, provider, query).await;
        assert_eq!((answer.status, &answer.body), (nobody.status, &nobody.body), "{provider} {query}");
    }
    let starting = asked(Host::starting());
    assert_eq!(ask(&starting, "dropbox", "challenge=abc").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_signed_challenge_is_answered_and_is_no_event() {
    let host = asked(Host::new());
    let body = br#"{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#;
    let answer = host.deliver(webhook("slack", "slack", "", body, &[JSON])).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(host.is_untouched());
    let unsigned = Request::post(format!("{WEBHOOKS}/slack")).header(JSON.0, JSON.1);
    let answer = host.deliver(unsigned.body(Body::from(body.to_vec())).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_sender_hears_what_it_wants_to_hear_once_its_event_is_kept() {
    let host = asked(Host::new());
    for _ in 0..2 {
        let answer = host.deliver(webhook("meta", "meta", "", br#"{"object":"page","entry":[]}"#, &[JSON])).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    }
    let counts = host.store.counts();
    assert_eq!((counts.events, counts.duplicates), (1, 1));
}
