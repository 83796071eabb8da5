//! `POST /api/v1/backup`.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hookbox_store::backup::{self, BackupError};
use serde_json::json;
use tower::ServiceExt;

use crate::harness::{Host, JSON, OPERATOR};

#[tokio::test]
async fn a_backup_is_whole_and_has_the_plugins() {
    let host = Host::new();
    std::fs::write(host.plugins.path().join("welcome.wasm"), b"\0asm").unwrap();
    std::fs::write(host.plugins.path().join("notes.txt"), b"no plugin").unwrap();
    let request = Request::post("/api/v1/backup").header("host", OPERATOR).header(JSON.0, JSON.1);
    let answer = host.operator().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let contents = backup::check(&bytes[..]).unwrap();
    assert_eq!((contents.files, contents.bytes), (1, bytes.len() as u64));
    assert_eq!(contents.head.time(), crate::harness::NOW);
    assert_eq!(outcomes(&host).await, [("hand out backup", "done"), ("back up", "done")].map(written));
    let cut = backup::check(&bytes[..bytes.len() - 1]);
    assert!(matches!(cut, Err(BackupError::Broken(_))), "{cut:?}");
}

#[tokio::test]
async fn a_backup_is_asked_for_as_a_write() {
    let host = Host::new();
    assert_eq!(host.get("/api/v1/backup").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let strange = host.write("POST", "/api/v1/backup", json!({ "all": true })).await;
    assert_eq!(strange.status, StatusCode::BAD_REQUEST, "{strange:?}");
    let request = Request::post("/api/v1/backup").header("host", OPERATOR).header("origin", "https://evil.example");
    let lured = host.operator().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(lured.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_nobody_reads_on_is_given_up_and_is_no_whole_one() {
    let host = Host::new();
    for n in 0..4 {
        std::fs::write(host.plugins.path().join(format!("p{n}.wasm")), vec![n; 3 << 20]).unwrap();
    }
    let request = Request::post("/api/v1/backup").header("host", OPERATOR).header(JSON.0, JSON.1);
    let answer = host.operator().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    assert_eq!(outcomes(&host).await, [("hand out backup", "given-up"), ("back up", "done")].map(written));
    // Its place is free, though it is held on to.
    let request = Request::post("/api/v1/backup").header("host", OPERATOR).header(JSON.0, JSON.1);
    let second = host.operator().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(second.status(), StatusCode::OK);
    backup::check(&to_bytes(second.into_body(), usize::MAX).await.unwrap()[..]).unwrap();
    let read = to_bytes(answer.into_body(), usize::MAX).await;
    assert!(read.is_err(), "{} bytes", read.unwrap().len());
}

fn written((what, result): (&str, &str)) -> (String, String) {
    (what.to_owned(), result.to_owned())
}

/// What the audit log has of backups, the newest first, once the last one has ended.
async fn outcomes(host: &Host) -> Vec<(String, String)> {
    for _ in 0..10_000 {
        let audit = host.get("/api/v1/audit?text=back").await.json();
        let text = |entry: &serde_json::Value, member: &str| entry[member].as_str().map(str::to_owned);
        let entries = audit["items"].as_array().unwrap().iter();
        let entries: Option<Vec<_>> = entries.map(|one| Some((text(one, "what")?, text(one, "result")?))).collect();
        match entries.filter(|entries| entries.first().is_some_and(|(what, _)| what == "hand out backup")) {
            Some(entries) => return entries,
            None => tokio::task::yield_now().await,
        }
    }
    panic!("it is not written down how the backup ended");
}
