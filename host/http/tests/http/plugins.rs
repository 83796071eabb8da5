//! What operators want of plugins, and what they are told.

use std::fs;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookbox_core::limits::COMPONENT_BYTES_MAX;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_core::time::Millis;
use hookbox_core::trust::SIGNATURE_BYTES_MAX;
use hookbox_http::changes::What;
use hookbox_store::catalogue::{
    By, CommandAnswer, CommandRefused, PluginCommand, RefusedVersion, SignedBy, Trusted, Wish,
};
use hookbox_store::{PluginRow, Store};
use serde_json::json;

use crate::harness::{Answer, Host, NOW, OPERATOR, ask, with_token};
use crate::operator::welcome;

fn name() -> PluginName {
    PluginName::parse("welcome").unwrap()
}

/// Two versions served.
pub(crate) fn twice() -> PluginRow {
    let mut row = welcome();
    let info = row.active.as_ref().unwrap().info.clone();
    row.activated(Digest([3; 32]), info, NOW.plus(Millis(5)));
    row
}

/// Answers the next command as a host would; returns it.
async fn obey(store: Arc<dyn Store>, refused: Option<(&str, &str)>) -> PluginCommand {
    loop {
        let mut changed = std::pin::pin!(store.signals().catalogue.notified());
        changed.as_mut().enable();
        let command = store.catalogue().commands().get(&name()).filter(|last| last.answer.is_none()).cloned();
        if let Some(command) = command {
            let refused = refused.map(|(code, reason)| CommandRefused { code: code.into(), reason: reason.into() });
            store.answer_plugin(&name(), command.asked, CommandAnswer { at: NOW, refused }).await.unwrap();
            return command;
        }
        changed.await;
    }
}

async fn roll_back(host: &Host, body: serde_json::Value) -> Answer {
    host.write("POST", "/api/v1/plugins/welcome/rollback", body).await
}

#[tokio::test]
async fn a_rollback_is_a_command_that_the_host_obeys() {
    let host = Host::new();
    host.store.put_plugin(twice()).await.unwrap();
    let (answer, command) = tokio::join!(roll_back(&host, json!({})), obey(host.store.clone(), None));
    assert_eq!((answer.status.as_u16(), answer.json()["name"].as_str()), (200, Some("welcome")), "{answer:?}");
    assert_eq!(command.wish, Wish::Activate { digest: Digest([1; 32]) });
    let digits = json!({ "version": "sha256:010101" });
    let refused = obey(host.store.clone(), Some(("not-kept", "its bytes are gone")));
    let (answer, _) = tokio::join!(roll_back(&host, digits), refused);
    let told = answer.json();
    assert_eq!(
        (answer.status.as_u16(), &told["cause"], &told["detail"]),
        (422, &json!("not-kept"), &json!("its bytes are gone"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_nobody_obeys_yet_stays() {
    let host = Host::new();
    host.store.put_plugin(twice()).await.unwrap();
    let answer = roll_back(&host, json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "2"), "{answer:?}");
    assert!(host.store.catalogue().commands().contains_key(&name()));
    let answer = roll_back(&host, json!({})).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.body.contains("another change of welcome is under way"), "{answer:?}");
}

#[tokio::test]
async fn a_rollback_is_to_one_version_of_the_history() {
    let host = Host::new();
    host.store.put_plugin(twice()).await.unwrap();
    for (body, status, part) in [
        (json!({ "version": "030303030303" }), 409, "serves already"),
        (json!({ "version": "040404040404" }), 404, "There are: 010101010101, 030303030303"),
        (json!({ "version": "0101" }), 422, "first 6 digits"),
        (json!({ "version": "newest" }), 422, "first 6 digits"),
        (json!({ "to": "010101" }), 400, "unknown field"),
    ] {
        let answer = roll_back(&host, body.clone()).await;
        assert!(answer.status == status && answer.body.contains(part), "{body}: {answer:?}");
    }
    host.store.put_plugin(PluginRow { missing_since: Some(NOW), ..twice() }).await.unwrap();
    assert_eq!(roll_back(&host, json!({})).await.status, 409);
    let mut row = twice();
    let info = row.active.as_ref().unwrap().info.clone();
    row.rolled_back(Digest([1; 32]), info, NOW, &[Digest([3; 32])], By::Operator, "it was wrong");
    host.store.put_plugin(row).await.unwrap();
    let answer = roll_back(&host, json!({})).await;
    assert!(answer.status == 409 && answer.body.contains("no earlier version"), "{answer:?}");
}

#[tokio::test]
async fn a_plugin_that_was_rolled_back_is_shown_so() {
    let host = Host::new();
    let mut row = twice();
    let info = row.active.as_ref().unwrap().info.clone();
    row.rolled_back(Digest([1; 32]), info, NOW.plus(Millis(9)), &[Digest([3; 32])], By::Host, "it failed");
    host.store.put_plugin(row).await.unwrap();
    let shown = host.get("/api/v1/plugins/welcome").await.json();
    let parts = json!({ "history": shown["history"], "rejected": shown["rejected"], "imports": shown["imports"] });
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("plugin-rolled-back", parts);
    });
}

#[tokio::test]
async fn changes_are_told_in_their_order() {
    let host = Host::new();
    let digest = Some(Digest([1; 32]));
    let reason = || "it is a core module".to_owned();
    for what in [
        What::Found,
        What::Compiled { took: Millis(63), cached: false },
        What::Active,
        What::Refused { code: "core-module".to_owned(), reason: reason() },
        What::RolledBack { to: Digest([2; 32]), reason: reason() },
        What::Stays { reason: "none is left".to_owned() },
        What::Gone,
    ] {
        host.changes.tell(NOW, &name(), digest, what);
    }
    let all = host.get("/api/v1/plugin-changes").await.json();
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("plugin-changes", all);
    });
    let next = all["next"].as_u64().unwrap();
    let later = host.get(&format!("/api/v1/plugin-changes?after={}", next - 1)).await.json();
    assert_eq!((later["items"].as_array().unwrap().len(), &later["missed"]), (1, &json!(false)));
    assert_eq!(host.get("/api/v1/plugin-changes?after=now").await.status, 422);
}

/// To a host with a token.
async fn push(host: &Host, body: impl Into<Body>) -> Answer {
    let access = with_token("hush");
    let request = Request::post("/api/v1/plugins?name=welcome").header("host", OPERATOR);
    let request = request.header("content-type", "application/wasm").header("authorization", "Bearer hush");
    ask(host.operator_with(access), request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn an_upload_waits_whole_in_the_folder_until_the_host_has_looked_at_it() {
    let host = Host::new();
    host.store.put_plugin(welcome()).await.unwrap();
    let (answer, command) = tokio::join!(push(&host, "bytes"), obey(host.store.clone(), None));
    assert_eq!(answer.status, 200, "{answer:?}");
    let Wish::Take { digest, signature: None } = command.wish else { panic!("{command:?}") };
    let staged = host.plugins.path().join(hookbox_http::uploads::staged(&name(), digest));
    assert_eq!(fs::read(staged).unwrap(), b"bytes");
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_bounded() {
    let host = Host::new();
    let large = vec![0; usize::try_from(COMPONENT_BYTES_MAX).unwrap() + 1];
    let answer = push(&host, large).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(fs::read_dir(host.plugins.path()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upload_while_another_change_is_under_way_leaves_nothing() {
    let host = Host::new();
    let command = PluginCommand { asked: NOW, wish: Wish::Activate { digest: Digest([1; 32]) }, answer: None };
    host.store.command_plugin(&name(), command).await.unwrap();
    let answer = push(&host, "bytes").await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(fs::read_dir(host.plugins.path()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn uploads_that_wait_for_the_host_are_bounded() {
    let host = Host::new();
    for number in 0..8 {
        let wish = Wish::Take { digest: Digest([number; 32]), signature: None };
        let command = PluginCommand { asked: NOW, wish, answer: None };
        host.store.command_plugin(&PluginName::parse(&format!("p{number}")).unwrap(), command).await.unwrap();
    }
    let answer = push(&host, "bytes").await;
    assert!(answer.status == 503 && answer.json()["detail"].as_str().unwrap().contains("8 uploads wait"), "{answer:?}");
    assert_eq!(fs::read_dir(host.plugins.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_upload_may_have_any_signature_that_a_file_may_have() {
    let host = Host::new();
    host.store.put_plugin(welcome()).await.unwrap();
    let signed = async |bytes: u64| {
        let text = "x".repeat(usize::try_from(bytes).unwrap());
        let access = with_token("hush");
        let request = Request::post("/api/v1/plugins?name=welcome").header("host", OPERATOR);
        let request = request.header("content-type", "application/wasm").header("authorization", "Bearer hush");
        let request = request.header("hookbox-signature", STANDARD.encode(text));
        ask(host.operator_with(access), request.body(Body::from("bytes")).unwrap()).await
    };
    let (answer, command) = tokio::join!(signed(SIGNATURE_BYTES_MAX), obey(host.store.clone(), None));
    assert_eq!(answer.status, 200, "{answer:?}");
    let Wish::Take { signature: Some(text), .. } = command.wish else { panic!("{command:?}") };
    assert_eq!(text.len() as u64, SIGNATURE_BYTES_MAX);
    assert_eq!(signed(SIGNATURE_BYTES_MAX + 1).await.status, 422);
}

#[tokio::test]
async fn a_plugin_of_which_no_file_is_trusted_is_untrusted_and_one_that_may_run_tells_why() {
    let host = Host::new();
    let mut row = PluginRow::new(name());
    let refused = |code: &str| RefusedVersion {
        digest: Some(Digest([1; 32])),
        at: NOW,
        code: code.to_owned(),
        reason: "sign it".to_owned(),
    };
    for (code, state) in [("untrusted-unsigned", "untrusted"), ("core-module", "refused")] {
        row.refused = Some(refused(code));
        host.store.put_plugin(row.clone()).await.unwrap();
        let told = host.get("/api/v1/plugins/welcome").await.json();
        assert_eq!((&told["state"], &told["refused"]["reason"]), (&json!(state), &json!("sign it")), "{told:#}");
    }
    let mut row = welcome();
    let signed = Some(SignedBy { key: "E7620F1842B4E81F".to_owned(), comment: "file:welcome.wasm".to_owned() });
    row.trusted = Some(Trusted { pinned: false, signed });
    host.store.put_plugin(row.clone()).await.unwrap();
    let told = host.get("/api/v1/plugins/welcome").await.json();
    let trust = json!({ "pinned": false, "key": "E7620F1842B4E81F", "comment": "file:welcome.wasm" });
    assert_eq!(told["trust"], trust, "{told:#}");
    // None serves any longer.
    row.missing_since = Some(NOW);
    for (refused, state) in [(None, "missing"), (Some(refused("untrusted-unsigned")), "untrusted")] {
        host.store.put_plugin(PluginRow { refused, ..row.clone() }).await.unwrap();
        let told = host.get("/api/v1/plugins/welcome").await.json();
        assert_eq!((&told["state"], &told["trust"]), (&json!(state), &json!(null)), "{told:#}");
    }
}
