//! What an operator sees of each provider's deliveries.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookbox_core::secret::Secret;
use hookbox_core::verify::{Scheme, Verifier};
use hookbox_http::providers::{LiveProvider, Providers};
use serde_json::json;

use crate::harness::{Host, JSON, NOW, live, shop, signed};

const SECRET_OF_ANOTHER: &str = "whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI=";

fn forged(provider: &str) -> Request<Body> {
    signed(provider, "generic", SECRET_OF_ANOTHER, NOW, "", br#"{"card":"4711"}"#, &[JSON])
}

#[tokio::test]
async fn an_operator_sees_what_came_and_why_some_of_it_was_refused() {
    let host = Host::new();
    assert_eq!(host.deliver(shop(r#"{"event_id":"1"}"#)).await.status, StatusCode::ACCEPTED);
    assert_eq!(host.deliver(shop(r#"{"event_id":"1"}"#)).await.status, StatusCode::OK);
    assert_eq!(host.deliver(shop(r#"{"event_id":"1","x":1}"#)).await.status, StatusCode::OK);
    assert_eq!(host.deliver(forged("my-shop")).await.status, StatusCode::UNAUTHORIZED);

    let answer = host.get("/api/v1/providers/my-shop").await;
    let seen = answer.json();
    assert_eq!((seen["accepted"].clone(), seen["duplicates"].clone()), (json!(1), json!(2)), "{seen}");
    assert_eq!(seen["duplicates_that_differ"], 1);
    assert_eq!(seen["refused"], json!({ "mismatch": 1 }));
    assert_eq!(seen["secrets_matched"], json!({ "env SECRET": 3 }));
    let written = hookbox_core::time::Timestamp(NOW.0 - 3 * 86_400_000).to_string();
    assert_eq!(seen["secrets_written"], json!({ "env SECRET": written }), "its age, and never its value");
    assert_eq!(seen["last_accepted"], NOW.to_string());
    let refusal = &seen["recent_refusals"][0];
    assert_eq!(refusal["cause"], "mismatch");
    assert!(refusal["message"].as_str().unwrap().contains("X-Webhook-Signature"), "{refusal}");
    let told = seen.to_string();
    for hidden in [SECRET_OF_ANOTHER, "4711", "sha256="] {
        assert!(!told.contains(hidden), "{hidden} in {told}");
    }
}

#[tokio::test]
async fn names_that_no_provider_has_share_one_place() {
    let host = Host::new();
    for name in ["acme", "nobody", "x"] {
        assert_eq!(host.deliver(forged(name)).await.status, StatusCode::UNAUTHORIZED);
    }
    let seen = host.get("/api/v1/providers").await.json();
    assert_eq!(seen["strangers"]["refused"], json!({ "unknown-provider": 3 }));
    let names: Vec<_> = seen["providers"].as_array().unwrap().iter().map(|provider| &provider["name"]).collect();
    assert!(names.contains(&&json!("my-shop")) && !names.contains(&&json!("acme")), "{seen}");
    assert_eq!(seen["providers"][0]["recent_refusals"], json!(null));
    assert_eq!(host.get("/api/v1/providers/acme").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_secret_is_counted_by_its_place_and_not_by_its_position() {
    let host = Host::new();
    let secrets = |listed: &[(&str, &str)]| {
        let (name, shop) = live("my-shop", "generic", None);
        let made: Vec<Secret> = listed.iter().map(|(_, secret)| Secret::new(*secret).unwrap()).collect();
        let verifier = Verifier::new(Scheme::generic(), &made, None).unwrap().into();
        let secret_places = listed.iter().map(|(place, _)| (*place).to_owned()).collect();
        host.providers.store(Providers::new([(name, LiveProvider { verifier, secret_places, ..shop })]).into());
    };
    let matched = async || host.get("/api/v1/providers/my-shop").await.json()["secrets_matched"].clone();
    let deliver = async |secret: &str, id: &str| {
        let body = format!(r#"{{"event_id":"{id}"}}"#);
        let taken = host.deliver(signed("my-shop", "generic", secret, NOW, "", body.as_bytes(), &[JSON])).await;
        assert_eq!(taken.status, StatusCode::ACCEPTED);
    };
    secrets(&[("file old.key", "hush-1"), ("file new.key", "hush-2")]);
    deliver("hush-1", "1").await;
    assert_eq!(matched().await, json!({ "file old.key": 1, "file new.key": 0 }));
    deliver("hush-2", "2").await;
    secrets(&[("file new.key", "hush-2")]);
    deliver("hush-2", "3").await;
    assert_eq!(matched().await, json!({ "file new.key": 2 }));
    let metrics = host.get("/metrics").await.body;
    assert!(metrics.contains(r#"secret="file new.key"} 2"#) && !metrics.contains("old.key"), "{metrics}");
}
