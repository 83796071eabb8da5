//! What a newcomer does: a new plugin, and `hookbox dev` on it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Host, Project, environment, said, until};

const VARIABLES: [&str; 4] = ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];

/// A project as a checkout has it: a workspace with the SDK and hooks.yaml, and no plugin yet. It stays where it is,
/// and what it compiles is kept beside what the tests are, so that a second time is quick. There each plugin needs a
/// name of its own.
fn checkout(name: &str) -> Project {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    let mut project = Project::at(folder).bare().env("CARGO_TARGET_DIR", target()).env("CARGO_NET_OFFLINE", "true");
    for variable in VARIABLES {
        if let Some(value) = environment(variable) {
            project = project.env(variable, value);
        }
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = manifest.lines().map(|line| match line.split(' ').next() {
        Some("members") => "members = [\"sdk/rust\", \"sdk/rust/macros\", \"plugins/*\"]",
        Some("default-members") => "",
        _ => line,
    });
    project.write("Cargo.toml", members.collect::<Vec<_>>().join("\n"));
    for file in ["Cargo.lock", "hooks.yaml"] {
        project.write(file, fs::read(root.join(file)).unwrap());
    }
    for folder in ["sdk", "wit"] {
        symlink(root.join(folder), project.path(folder)).unwrap();
    }
    project
}

fn target() -> PathBuf {
    crate::harness::binary().ancestors().nth(2).unwrap().to_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_plugin_passes_its_tests_and_builds() {
    let project = checkout("new-plugin");
    let made = project.run(&["new", "order-desk"]);
    assert!(made.text().contains("plugins/order-desk is made"), "{made:?}");
    let mut cargo = Command::new("cargo");
    project.surround(cargo.args(["test", "--package", "order-desk"]));
    let tested = said(&mut cargo);
    assert!(tested.text().contains("2 passed; 0 failed"), "{tested:?}");

    let built = project.run(&["build", "order-desk"]);
    assert_eq!(built.text(), "plugins/order-desk.wasm\n");
    let payload = ["invoke", "plugins/order-desk.wasm", "--payload", r#"{"event_id":"order-1"}"#, "--json"];
    assert_eq!(project.run(&payload).json()["result"]["event_id"], "order-1");

    let again = project.run(&["new", "order-desk"]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("is there already"), "{again:?}");
    for bad in ["Order", "2nd", "../x", ""] {
        assert_eq!(project.run(&["new", bad]).code, Some(2), "{bad}");
    }
}

#[test]
fn a_plugin_that_does_not_build_says_why_and_leaves_its_last_version() {
    let project = checkout("broken-plugin");
    project.run(&["new", "broken-desk"]).text();
    let source = project.path("plugins/broken-desk/src/lib.rs");
    fs::write(&source, "#[hookbox_sdk::on(\"shop/order.created\")]\nfn on_order() { nonsense }\n").unwrap();
    project.write("plugins/broken-desk.wasm", "the last one");
    let built = project.run(&["build"]);
    assert_eq!(built.code, Some(1));
    assert!(built.err.contains("nonsense") && built.err.contains("broken-desk does not build"), "{built:?}");
    assert_eq!(fs::read(project.path("plugins/broken-desk.wasm")).unwrap(), b"the last one");
}

/// What `dev` printed, once it has all of it.
fn printed(host: &mut Host<'_>, what: &str) -> String {
    until(what, || {
        host.assert_alive();
        Some(host.stdout()).filter(|out| out.contains(what))
    })
}

/// The address after a word that begins a line.
fn address(out: &str, word: &str) -> String {
    let line = out.lines().find_map(|line| line.trim().strip_prefix(word)).unwrap();
    let address = line.trim().strip_prefix("http://").unwrap();
    format!("http://{}", address.split('/').next().unwrap())
}

/// The command that was printed, up to the empty line after it.
fn printed_curl(out: &str) -> String {
    let from = &out[out.find("curl ").unwrap()..];
    from.split("\n\n").next().unwrap().to_owned()
}

#[test]
fn dev_builds_mints_prints_runs_and_builds_again() {
    let project = checkout("dev");
    // What is built here needs no signature, what is dropped in does.
    let hooks = fs::read_to_string(project.path("hooks.yaml")).unwrap();
    let key = "trust: { keys: [RWQp7fobD8F7e5V9VFJV2CTeYqgCziBibJGIEYllMZcG882ek7SCEx3d] }";
    assert_eq!(hooks.matches("\ntrust:\n").count(), 1);
    project.write("hooks.yaml", hooks.replace("\ntrust:\n", &format!("\n{key}\n")));
    project.put("welcome", &hookbox_tests::sample("welcome"));
    project.run(&["new", "dev-desk"]).text();
    let mut host = Host::begin(&project, project.command(&Host::arguments("dev")));
    let out = printed(&mut host, "Try it: ");
    let out = if out.trim_end().ends_with('\'') { out } else { printed(&mut host, "}}'\n") };
    host.ingress = address(&out, "webhooks ");
    host.operator = address(&out, "operator ");
    assert!(out.contains("dev-desk/on-order"), "the handlers are shown:\n{out}");
    assert!(project.log().contains("Building plugin dev-desk (1 of 1)"), "{}", project.log());

    let secrets = project.path("data/dev-secrets");
    assert_eq!((mode(&secrets), mode(&project.path("data"))), (0o600, 0o700));
    let minted = fs::read_to_string(&secrets).unwrap();
    let secret = minted.lines().find_map(|line| line.strip_prefix("WEBHOOK_SECRET_SHOP=")).unwrap().to_owned();
    assert!(secret.len() >= 32);

    let mut shell = Command::new("sh");
    project.surround(shell.arg("-c").arg(printed_curl(&out)));
    let answer = said(&mut shell).json();
    assert_eq!(answer["status"], "accepted");
    let run = host.run_of(answer["id"].as_str().unwrap());
    let shown = printed(&mut host, run["id"].as_str().unwrap());
    let line = shown.lines().find(|line| line.contains(run["id"].as_str().unwrap())).unwrap();
    assert!(line.starts_with("ok ") && line.contains(r#"{"event_id":"try-"#), "{line}");
    assert!(shown.contains("info: order try-"), "what it logs is shown:\n{shown}");

    assert_eq!(host.get("plugins/welcome")["refused"]["code"], "untrusted-unsigned");

    saved_source_serves(&project, &mut host);
    host.stop();
    let output = project.output();
    assert!(!output.contains(&secret), "a minted secret is printed");
    let host = Host::begin(&project, project.command(&Host::arguments("dev")));
    drop(host);
    assert_eq!(fs::read_to_string(&secrets).unwrap(), minted, "secrets stay the same");
}

fn saved_source_serves(project: &Project, host: &mut Host<'_>) {
    let source = project.path("plugins/dev-desk/src/lib.rs");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, text.replace("event_id: order.event_id }))", "event_id: order.event_id + \", seen\" }))"))
        .unwrap();
    let digest = |host: &Host<'_>| host.get("plugins/dev-desk")["digest"].clone();
    let before: Value = digest(host);
    until("what was saved serves", || (digest(host) != before).then_some(()));
    let sent = host.cli(&["send", "shop", "--type", "order.created", "--id", "saved", "--json"]).json();
    let run = host.run_of(sent["id"].as_str().unwrap());
    assert_eq!(run["result"]["data"]["event_id"], "saved, seen", "{run:#}");
}

#[test]
fn serve_never_uses_a_minted_secret() {
    let project = Project::with(&[]).bare();
    project.write("hooks.yaml", "providers: { shop: {} }\n");
    fs::create_dir(project.path("data")).unwrap();
    project.write("data/dev-secrets", format!("WEBHOOK_SECRET_SHOP={}\n", crate::harness::SHOP.secret));
    let host = project.serve();
    assert_eq!(host.get("health")["providers"], serde_json::json!([]));
    assert_eq!(host.post(&crate::harness::shop("count", "1", Value::Null)).status, 401);
    assert!(project.log().contains("provider shop is not live: set"), "{}", project.log());
}
