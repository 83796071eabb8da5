//! A secret that its sender brings, through both listeners.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookbox_core::secret::Secret;
use hookbox_core::time::Millis;
use hookbox_http::pairing::WINDOW;
use serde_json::{Value, json};

use crate::harness::{Answer, Host, JSON, Logs, WEBHOOKS};

const TOKEN: &str = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
const WINDOW_AT: &str = "/api/v1/providers/pages/pairing";

async fn bring(host: &Host, provider: &str, token: &str) -> Answer {
    let body = json!({ "verification_token": token }).to_string();
    let request = Request::post(format!("{WEBHOOKS}/{provider}")).header(JSON.0, JSON.1);
    host.deliver(request.body(Body::from(body)).unwrap()).await
}

fn kept(host: &Host) -> Vec<String> {
    let kept = host.kept.lock().unwrap();
    kept.iter().map(|(_, token)| String::from_utf8(token.expose().to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn a_token_is_taken_in_a_window_and_counts_once_it_is_confirmed() {
    let (host, logs) = (Host::new(), Logs::capture());
    let opened = host.post(WINDOW_AT).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
    assert_eq!(opened.json()["caught"], Value::Null);
    assert_eq!(host.post(&format!("{WINDOW_AT}/confirm")).await.status, StatusCode::CONFLICT);

    let answer = bring(&host, "pages", TOKEN).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    let seen = host.get(WINDOW_AT).await;
    assert_eq!(seen.json()["caught"]["begins"], "secret_tMrlL");
    assert!(kept(&host).is_empty(), "nothing counts before the operator has said so");

    let confirmed = host.post(&format!("{WINDOW_AT}/confirm")).await;
    assert_eq!((confirmed.status, &confirmed.json()["file"]), (StatusCode::OK, &json!("pages.key")));
    assert_eq!(kept(&host), [TOKEN]);
    assert_eq!(host.kept.lock().unwrap()[0].1, Secret::new(TOKEN).unwrap());
    assert_eq!(host.get(WINDOW_AT).await.status, StatusCode::NOT_FOUND, "the window is closed");
    assert!(host.is_untouched());
    let told = logs.take().concat() + &seen.body + &confirmed.body + &opened.body;
    assert!(!told.contains(TOKEN), "{told}");
}

#[tokio::test]
async fn without_a_window_a_token_is_refused_as_anything_else() {
    let host = Host::new();
    let stranger = bring(&host, "nobody", TOKEN).await;
    let early = bring(&host, "pages", TOKEN).await;
    assert_eq!((early.status, &early.body), (StatusCode::UNAUTHORIZED, &stranger.body));

    host.post(WINDOW_AT).await;
    for (provider, token) in [("my-shop", TOKEN), ("nobody", TOKEN), ("pages", "no token")] {
        assert_eq!(bring(&host, provider, token).await.body, stranger.body, "{provider}");
    }
    host.clock.advance(WINDOW);
    assert_eq!(bring(&host, "pages", TOKEN).await.body, stranger.body, "the window has closed");
    assert_eq!(host.get(WINDOW_AT).await.status, StatusCode::NOT_FOUND);
    assert!(kept(&host).is_empty());
}

#[tokio::test]
async fn the_last_millisecond_of_a_window_counts() {
    let host = Host::new();
    host.post(WINDOW_AT).await;
    host.clock.advance(Millis(WINDOW.0 - 1));
    assert_eq!(bring(&host, "pages", TOKEN).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_second_token_changes_nothing() {
    let host = Host::new();
    host.post(WINDOW_AT).await;
    assert_eq!(bring(&host, "pages", TOKEN).await.status, StatusCode::OK);
    assert_eq!(bring(&host, "pages", "secret_of-a-stranger").await.status, StatusCode::UNAUTHORIZED);
    host.post(&format!("{WINDOW_AT}/confirm")).await;
    assert_eq!(kept(&host), [TOKEN]);
}

#[tokio::test]
async fn what_the_operator_does_not_want_is_forgotten() {
    let host = Host::new();
    host.post(WINDOW_AT).await;
    assert_eq!(host.post(WINDOW_AT).await.status, StatusCode::CONFLICT, "one window");
    bring(&host, "pages", TOKEN).await;
    assert_eq!(host.post(&format!("{WINDOW_AT}/close")).await.status, StatusCode::OK);
    assert_eq!(host.post(&format!("{WINDOW_AT}/confirm")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(host.post("/api/v1/providers/my-shop/pairing").await.status, StatusCode::NOT_FOUND);
    assert!(kept(&host).is_empty());
}

#[tokio::test]
async fn the_page_of_providers_leads_through_pairing_and_shows_no_secret() {
    let host = Host::new();
    let page = async || host.get("/providers").await.body;
    let idle = page().await;
    assert!(idle.contains("No window is open.") && idle.contains("Wait for the secret of pages"), "{idle}");
    assert!(idle.contains(&format!("data-send=\"{WINDOW_AT}\"")), "{idle}");
    host.post(WINDOW_AT).await;
    let waits = page().await;
    assert!(waits.contains("nothing has come yet") && waits.contains(&format!("{WINDOW_AT}/close")), "{waits}");
    assert!(!waits.contains(&format!("{WINDOW_AT}/confirm")), "there is nothing to confirm: {waits}");
    bring(&host, "pages", TOKEN).await;
    let came = page().await;
    assert!(came.contains("secret_tMrlL") && came.contains(&format!("{WINDOW_AT}/confirm")), "{came}");
    assert!(!came.contains(TOKEN), "{came}");
    assert_eq!(host.post(&format!("{WINDOW_AT}/confirm")).await.status, StatusCode::OK);
    assert!(page().await.contains("No window is open."));
}
