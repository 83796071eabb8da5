//! What was trusted once, and is no longer.

use std::fs;

use serde_json::json;

use super::{Signed, assert_greets, refused, serves, sha256, welcome};
use crate::harness::{shop, until, version};

#[test]
fn a_key_that_is_taken_out_stops_what_it_has_signed_at_once() {
    let signed = Signed::new();
    let steps = hookbox_tests::sample("steps");
    signed.put("steps", &steps, "ours");
    let host = signed.project.serve();
    serves(&host, "steps", &steps);
    let slow = host.accept(&shop("slow", "1", json!({ "until": crate::harness::now() + 3_600_000 })));
    until("it runs", || (host.get("health")["queue"]["leased"] == 1).then_some(()));

    signed.trust(&[&signed.theirs]);
    until("nothing runs", || (host.get("health")["queue"]["leased"] == 0).then_some(()));
    let listed = refused(&host, "steps", "untrusted-unknown-key");
    assert_eq!(listed["state"], "untrusted", "{listed:#}");
    let slow = host.get(&format!("events/{slow}"))["run_ids"][0].as_str().unwrap().to_owned();
    assert_eq!(host.get(&format!("runs/{slow}"))["state"], "pending", "it is put back, and did not fail");
    let event = host.accept(&shop("count", "2", json!({})));
    assert_eq!(host.write(&format!("runs/{slow}/cancel")).status, 200);

    signed.put("steps", &steps, "theirs");
    serves(&host, "steps", &steps);
    let run = host.run_of(&event);
    assert_eq!((&run["state"], &run["attempts_begun"]), (&json!("succeeded"), &json!(1)), "{run:#}");
}

#[test]
fn an_attempt_on_a_version_that_was_replaced_is_stopped_too() {
    let signed = Signed::new();
    let (old, new) = (hookbox_tests::sample("steps"), version(&hookbox_tests::sample("steps"), 1));
    signed.trust(&[&signed.ours, &signed.theirs]);
    signed.put("steps", &old, "theirs");
    let host = signed.project.serve();
    serves(&host, "steps", &old);
    let event = host.accept(&shop("slow", "1", json!({ "until": crate::harness::now() + 3_600_000 })));
    until("it runs", || (host.get("health")["queue"]["leased"] == 1).then_some(()));
    signed.put("steps", &new, "ours");
    serves(&host, "steps", &new);
    assert_eq!(host.get("health")["queue"]["leased"], 1, "it goes on");

    signed.trust(&[&signed.ours]);
    let run = host.get(&format!("events/{event}"))["run_ids"][0].as_str().unwrap().to_owned();
    // It begins anew on the version that is trusted.
    until("it was put back", || (host.get(&format!("runs/{run}"))["drains"] == 1).then_some(()));
    let revoked = &host.get(&format!("runs/{run}"))["revoked"][0];
    assert_eq!(revoked["outcome"], "revoked", "{revoked:#}");
    assert!(revoked["message"].as_str().unwrap().contains("not trusted"), "{revoked:#}");
    serves(&host, "steps", &new);
    assert_eq!(host.write(&format!("runs/{run}/cancel")).status, 200);
}

#[test]
fn a_key_is_replaced_without_a_gap() {
    let signed = Signed::new();
    signed.put("welcome", &welcome(), "ours");
    let host = signed.project.serve();
    serves(&host, "welcome", &welcome());
    signed.trust(&[&signed.ours, &signed.theirs]);
    signed.taken_over(1);
    signed.put_signature("welcome", &signed.sign("welcome", &welcome(), "theirs"));
    signed.trust(&[&signed.theirs]);
    signed.taken_over(2);
    serves(&host, "welcome", &welcome());
    assert_greets(&host, "1", &welcome());
    assert_eq!(signed.project.log_lines("was refused"), 0, "{}", signed.project.log());
    // What is kept of it goes by the new signature, too, once the file is another.
    until("the new signature is kept", || {
        let kept = signed.project.path("data/versions").join(format!("{}.wasm.minisig", &sha256(&welcome())[7..]));
        let beside = fs::read(signed.project.path("plugins/welcome.wasm.minisig")).unwrap();
        (fs::read(kept).unwrap() == beside).then_some(())
    });
    signed.project.put("welcome", b"no component");
    refused(&host, "welcome", "untrusted-wrong-signature");
    host.stop();
    let host = signed.project.serve();
    assert_greets(&host, "2", &welcome());
}

#[test]
fn a_restart_asks_anew() {
    let signed = Signed::new();
    signed.hooks("# nothing is asked\n");
    signed.project.put("welcome", &welcome());
    let host = signed.project.serve();
    assert_greets(&host, "1", &welcome());
    host.stop();

    signed.trust(&[&signed.ours]);
    let host = signed.project.serve();
    let listed = refused(&host, "welcome", "untrusted-unsigned");
    assert_eq!(listed["state"], "untrusted", "{listed:#}");
    let event = host.accept(&shop("user.created", "2", json!({})));
    assert_eq!(host.get(&format!("events/{event}"))["runs"][0]["state"], "pending", "it is compiled, and does not run");
    host.kill();

    // Signed while no host was there, by a key that is not trusted, and then by one that is.
    signed.put_signature("welcome", &signed.sign("welcome", &welcome(), "theirs"));
    let host = signed.project.serve();
    refused(&host, "welcome", "untrusted-unknown-key");
    host.stop();
    signed.put_signature("welcome", &signed.sign("welcome", &welcome(), "ours"));
    let host = signed.project.serve();
    serves(&host, "welcome", &welcome());
    assert_eq!(host.run_of(&event)["state"], "succeeded");
    host.stop();

    // A key that is taken out while no host is there.
    signed.trust(&[&signed.theirs]);
    let host = signed.project.serve();
    assert_eq!(refused(&host, "welcome", "untrusted-unknown-key")["state"], "untrusted");
}

#[test]
fn a_kept_version_that_was_changed_on_disk_does_not_serve() {
    let signed = Signed::new();
    signed.put("welcome", &welcome(), "ours");
    let host = signed.project.serve();
    serves(&host, "welcome", &welcome());
    host.stop();
    let kept = signed.project.path(&format!("data/versions/{}.wasm", &sha256(&welcome())[7..]));
    fs::write(kept, version(&welcome(), 1)).unwrap();
    fs::remove_file(signed.project.path("plugins/welcome.wasm.minisig")).unwrap();
    let host = signed.project.serve();
    assert_eq!(refused(&host, "welcome", "untrusted-unsigned")["state"], "untrusted");
}

#[test]
fn a_version_that_was_rolled_back_to_is_asked_too() {
    let signed = Signed::new();
    let (old, new) = (welcome(), version(&welcome(), 1));
    signed.put("welcome", &old, "ours");
    let host = signed.project.serve();
    serves(&host, "welcome", &old);
    signed.put("welcome", &new, "ours");
    serves(&host, "welcome", &new);
    host.cli(&["plugins", "rollback", "welcome", &sha256(&old)]).text();
    assert_greets(&host, "1", &old);

    signed.trust(&[&signed.theirs]);
    let listed = refused(&host, "welcome", "untrusted-unknown-key");
    assert_eq!((&listed["state"], &listed["digest"]), (&json!("untrusted"), &json!(sha256(&old))), "{listed:#}");
    let event = host.accept(&shop("user.created", "2", json!({})));
    assert_eq!(host.get(&format!("events/{event}"))["runs"][0]["state"], "pending");
    signed.trust(&[&signed.ours]);
    assert_eq!(host.run_of(&event)["attempts"][0]["version"], sha256(&old), "the one in the folder stays out");
}

#[test]
fn an_operator_goes_back_from_a_version_that_is_trusted_no_longer() {
    let signed = Signed::new();
    let (old, new) = (welcome(), version(&welcome(), 1));
    signed.trust(&[&signed.ours, &signed.theirs]);
    signed.put("welcome", &old, "ours");
    let host = signed.project.serve();
    serves(&host, "welcome", &old);
    signed.put("welcome", &new, "theirs");
    serves(&host, "welcome", &new);
    signed.trust(&[&signed.ours]);
    assert_eq!(refused(&host, "welcome", "untrusted-unknown-key")["state"], "untrusted");
    let event = host.accept(&shop("user.created", "1", json!({})));
    let back = host.cli(&["plugins", "rollback", "welcome", &sha256(&new)]);
    assert!(back.code != Some(0), "{back:?}");
    host.cli(&["plugins", "rollback", "welcome"]).text();
    assert_eq!(host.run_of(&event)["attempts"][0]["version"], sha256(&old));
    // One whose file is gone does not come back so.
    signed.project.take_away("welcome");
    until("it is gone", || (host.get("plugins/welcome")["state"] == "missing").then_some(()));
    assert!(host.cli(&["plugins", "rollback", "welcome"]).code != Some(0));
}
