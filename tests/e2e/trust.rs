//! Whose plugins run: pins and signatures, from the folder to a restart.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Host, Project, shop, until, version};

/// A project that trusts the key `ours`, and knows another key, `theirs`. The components are signed outside of plugins/.
struct Signed {
    project: Project,
    ours: String,
    theirs: String,
}

impl Signed {
    fn new() -> Signed {
        let project = Project::with(&[]);
        fs::create_dir(project.path("built")).unwrap();
        let key = |name: &str| {
            let file = format!("{name}.key");
            let made = project.run(&["sign-plugin", "--generate", "--no-password", "--key", &file, "--json"]).json();
            made["public_key"].as_str().unwrap().to_owned()
        };
        let (ours, theirs) = (key("ours"), key("theirs"));
        let signed = Signed { project, ours, theirs };
        signed.trust(&[&signed.ours]);
        signed
    }

    fn trust(&self, keys: &[&str]) {
        self.hooks(&format!("trust: {{ keys: [ {} ] }}\n", keys.join(", ")));
    }

    /// As a whole, and never empty.
    fn hooks(&self, text: &str) {
        self.project.write("draft", text);
        fs::rename(self.project.path("draft"), self.project.path("hooks.yaml")).unwrap();
    }

    /// The signature by one of the keys.
    fn sign(&self, plugin: &str, bytes: &[u8], key: &str) -> Vec<u8> {
        let file = format!("built/{plugin}.wasm");
        self.project.write(&file, bytes);
        self.project.run(&["sign-plugin", &file, "--key", &format!("{key}.key")]).text();
        fs::read(self.project.path(&format!("{file}.minisig"))).unwrap()
    }

    fn put_signature(&self, plugin: &str, signature: &[u8]) {
        let draft = self.project.path("plugins/.signature");
        fs::write(&draft, signature).unwrap();
        fs::rename(draft, self.project.path(&format!("plugins/{plugin}.wasm.minisig"))).unwrap();
    }

    /// Puts both in place, the signature first.
    fn put(&self, plugin: &str, bytes: &[u8], key: &str) {
        self.put_signature(plugin, &self.sign(plugin, bytes, key));
        self.project.put(plugin, bytes);
    }

    fn taken_over(&self, times: usize) {
        until("the change is taken over", || (self.project.log_lines("were read anew") == times).then_some(()));
    }

    /// Nothing was ever compiled, so nothing was described.
    fn assert_nothing_compiled(&self) {
        assert_eq!(fs::read_dir(self.project.path("data/compiled")).unwrap().count(), 0);
    }
}

fn welcome() -> Vec<u8> {
    hookbox_tests::sample("welcome")
}

fn sha256(bytes: &[u8]) -> String {
    hookbox_core::plugin::Digest(<sha2::Sha256 as sha2::Digest>::digest(bytes).into()).to_string()
}

/// Waits until the plugin is refused with this code; returns how it is listed.
fn refused(host: &Host<'_>, plugin: &str, code: &str) -> Value {
    until(&format!("{plugin} is refused: {code}"), || {
        let listed = host.ask(&format!("plugins/{plugin}"));
        (listed.status == 200 && listed.body["refused"]["code"] == code).then_some(listed.body)
    })
}

/// Waits until these bytes serve, and nothing is refused.
fn serves(host: &Host<'_>, plugin: &str, bytes: &[u8]) -> Value {
    let digest = sha256(bytes);
    until(&format!("{plugin} serves"), || {
        let listed = host.ask(&format!("plugins/{plugin}"));
        let good = listed.body["digest"] == digest && listed.body["refused"].is_null();
        (listed.status == 200 && listed.body["state"] == "active" && good).then_some(listed.body)
    })
}

#[track_caller]
fn assert_greets(host: &Host<'_>, delivery: &str, bytes: &[u8]) {
    let run = host.follow(&shop("user.created", delivery, json!({})));
    assert_eq!(
        (&run["state"], &run["attempts"][0]["version"]),
        (&json!("succeeded"), &json!(sha256(bytes))),
        "{run:#}"
    );
}

#[test]
fn an_unsigned_plugin_waits_for_its_signature_and_is_not_compiled() {
    let signed = Signed::new();
    signed.project.put("welcome", &welcome());
    let host = signed.project.serve();
    let listed = refused(&host, "welcome", "untrusted-unsigned");
    assert_eq!(listed["state"], "refused");
    assert!(listed["refused"]["reason"].as_str().unwrap().contains("hookbox sign-plugin welcome.wasm"), "{listed:#}");
    signed.assert_nothing_compiled();
    // Half of it first.
    let signature = signed.sign("welcome", &welcome(), "ours");
    fs::write(signed.project.path("plugins/welcome.wasm.minisig"), &signature[..90]).unwrap();
    refused(&host, "welcome", "untrusted-not-a-signature");
    signed.assert_nothing_compiled();
    fs::write(signed.project.path("plugins/welcome.wasm.minisig"), &signature).unwrap();
    serves(&host, "welcome", &welcome());
    assert_greets(&host, "1", &welcome());
}

#[test]
fn a_signature_may_come_before_its_plugin() {
    let signed = Signed::new();
    let host = signed.project.serve();
    signed.put("welcome", &welcome(), "ours");
    serves(&host, "welcome", &welcome());
    assert_greets(&host, "1", &welcome());
    assert_eq!(signed.project.log_lines("was refused"), 0, "{}", signed.project.log());
    // Half of a component beside the signature of the whole.
    let whole = version(&welcome(), 1);
    signed.put_signature("welcome", &signed.sign("welcome", &whole, "ours"));
    fs::write(signed.project.path("plugins/welcome.wasm"), &whole[..1000]).unwrap();
    refused(&host, "welcome", "untrusted-wrong-signature");
    assert_greets(&host, "2", &welcome());
    fs::write(signed.project.path("plugins/welcome.wasm"), &whole).unwrap();
    serves(&host, "welcome", &whole);
}

#[test]
fn a_changed_file_is_refused_and_the_signed_one_goes_on_also_after_a_restart() {
    let signed = Signed::new();
    signed.put("welcome", &welcome(), "ours");
    let host = signed.project.serve();
    serves(&host, "welcome", &welcome());
    let compiled = || fs::read_dir(signed.project.path("data/compiled")).unwrap().count();
    assert_eq!(compiled(), 1);
    signed.project.put("welcome", &version(&welcome(), 1));
    let listed = refused(&host, "welcome", "untrusted-wrong-signature");
    assert_eq!((&listed["state"], &listed["digest"]), (&json!("active"), &json!(sha256(&welcome()))));
    assert_greets(&host, "1", &welcome());
    host.stop();
    let host = signed.project.serve();
    refused(&host, "welcome", "untrusted-wrong-signature");
    assert_greets(&host, "2", &welcome());
    assert_eq!(compiled(), 1, "the changed one is not compiled");
    signed.put("welcome", &version(&welcome(), 1), "ours");
    serves(&host, "welcome", &version(&welcome(), 1));
    assert_greets(&host, "3", &version(&welcome(), 1));
}

#[test]
fn a_changed_signature_is_refused_and_the_signed_version_goes_on() {
    let signed = Signed::new();
    signed.put("welcome", &welcome(), "ours");
    let host = signed.project.serve();
    serves(&host, "welcome", &welcome());
    let signature = String::from_utf8(signed.sign("welcome", &welcome(), "ours")).unwrap();
    signed.put_signature("welcome", signature.replace("file:welcome", "file:payments").as_bytes());
    let listed = refused(&host, "welcome", "untrusted-wrong-signature");
    assert_eq!(listed["state"], "active");
    assert_greets(&host, "1", &welcome());
    signed.put_signature("welcome", signature.as_bytes());
    serves(&host, "welcome", &welcome());
}

#[test]
fn what_another_key_has_signed_is_refused_with_both_ids() {
    let signed = Signed::new();
    signed.put("welcome", &welcome(), "theirs");
    let host = signed.project.serve();
    let listed = refused(&host, "welcome", "untrusted-unknown-key");
    let id = |key: &str| {
        let file = fs::read_to_string(signed.project.path(&format!("{key}.pub"))).unwrap();
        file.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    for id in [id("ours"), id("theirs")] {
        assert!(listed["refused"]["reason"].as_str().unwrap().contains(&id), "{id}: {listed:#}");
    }
    signed.assert_nothing_compiled();
}

#[test]
fn a_pinned_plugin_changes_with_its_pin() {
    let signed = Signed::new();
    let (old, new) = (welcome(), version(&welcome(), 1));
    let pin = |pins: &[&[u8]]| {
        let pins: Vec<String> = pins.iter().map(|bytes| sha256(bytes)).collect();
        signed.hooks(&format!("plugins: {{ welcome: {{ pinned: [ {} ] }} }}\n", pins.join(", ")));
    };
    pin(&[&old]);
    signed.project.put("welcome", &old);
    let host = signed.project.serve();
    serves(&host, "welcome", &old);
    signed.project.put("welcome", &new);
    let listed = refused(&host, "welcome", "untrusted-not-pinned");
    assert!(listed["refused"]["reason"].as_str().unwrap().contains(&sha256(&new)), "{listed:#}");
    assert_greets(&host, "1", &old);

    // Both for a while: nothing is ever missing.
    pin(&[&old, &new]);
    signed.taken_over(1);
    serves(&host, "welcome", &new);
    assert_greets(&host, "2", &new);
    pin(&[&new]);
    signed.taken_over(2);
    assert_greets(&host, "3", &new);

    // A pin alone takes down what serves.
    pin(&[&old]);
    signed.taken_over(3);
    let listed = host.get("plugins/welcome");
    assert_eq!((&listed["state"], &listed["refused"]["code"]), (&json!("untrusted"), &json!("untrusted-not-pinned")));
    let event = host.accept(&shop("user.created", "4", json!({})));
    assert_eq!(host.get(&format!("events/{event}"))["runs"][0]["state"], "pending");
    signed.project.put("welcome", &old);
    let run = host.run_of(&event);
    assert_eq!((&run["state"], &run["attempts_begun"]), (&json!("succeeded"), &json!(1)), "{run:#}");
}

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

#[test]
fn one_plugin_may_have_a_rule_of_its_own() {
    let signed = Signed::new();
    signed.hooks(&format!(
        "trust: {{ keys: [ {} ] }}\n\
         plugins:\n  welcome: {{ trust: {{ keys: [ {} ] }} }}\n  steps: {{ trust: {{ require_signed: false }} }}\n",
        signed.ours, signed.theirs
    ));
    let steps = hookbox_tests::sample("steps");
    signed.put("welcome", &welcome(), "theirs");
    signed.project.put("steps", &steps);
    let host = signed.project.serve();
    serves(&host, "welcome", &welcome());
    serves(&host, "steps", &steps);
    signed.put("welcome", &version(&welcome(), 1), "ours");
    refused(&host, "welcome", "untrusted-unknown-key");
}

#[test]
fn check_tells_of_each_file_whether_it_is_trusted() {
    let signed = Signed::new();
    signed.put("welcome", &welcome(), "ours");
    let good = signed.project.run(&["check"]);
    let line = good.text().lines().find(|line| line.starts_with("plugin: ")).unwrap();
    for part in ["plugins/welcome.wasm", &sha256(&welcome()), "signed by the key", "file:welcome.wasm"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    // One that would be refused for what it is, too, if it were compiled.
    signed.project.put("payments", b"\0asm\x01\0\0\0");
    let bad = signed.project.run(&["check", "--json"]);
    let told: Value = serde_json::from_str(&bad.out).unwrap();
    let mistakes = told["mistakes"].as_array().unwrap();
    assert_eq!((bad.code, mistakes.len()), (Some(2), 1), "{told:#}");
    assert!(mistakes[0].as_str().unwrap().contains("plugins/payments.wasm: it is not signed"), "{told:#}");
    let mut files: Vec<_> = told["plugins"].as_array().unwrap().iter().map(|file| file["trusted"].as_bool()).collect();
    files.sort();
    assert_eq!(files, [Some(false), Some(true)]);
    // With a mistake elsewhere it is not known which keys count.
    signed.hooks(&format!("trust: {{ keys: [ {} ] }}\ncolour: red\n", signed.ours));
    let said = signed.project.run(&["check"]);
    assert!(said.out.contains("no plugin was looked at") && !said.out.contains("plugin: "), "{said:?}");
}
