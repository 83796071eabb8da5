//! Whose plugins run: pins and signatures, from the folder to a restart.

mod withdrawn;

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
    assert_eq!((&listed["state"], &listed["digest"]), (&json!("untrusted"), &Value::Null));
    assert!(listed["refused"]["reason"].as_str().unwrap().contains("hookbox sign-plugin welcome.wasm"), "{listed:#}");
    signed.assert_nothing_compiled();
    // Half of it first.
    let signature = signed.sign("welcome", &welcome(), "ours");
    fs::write(signed.project.path("plugins/welcome.wasm.minisig"), &signature[..90]).unwrap();
    refused(&host, "welcome", "untrusted-not-a-signature");
    signed.assert_nothing_compiled();
    fs::write(signed.project.path("plugins/welcome.wasm.minisig"), &signature).unwrap();
    let listed = serves(&host, "welcome", &welcome());
    let trust = &listed["trust"];
    assert!(trust["comment"].as_str().unwrap().contains("file:welcome.wasm"), "{listed:#}");
    let said = host.cli(&["plugins", "show", "welcome"]);
    let line = format!("signed by the key {} ({})", trust["key"].as_str().unwrap(), trust["comment"].as_str().unwrap());
    assert!(said.text().contains(&line), "{line}: {said:?}");
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
