//! What the doctor finds, and the cures that it names.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::harness::{Project, Said, shop};

/// Nobody answers there.
const NOBODY: [&str; 2] = ["--url", "http://127.0.0.1:9"];

fn findings(said: &Said) -> Vec<(String, String, String, String)> {
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    assert_eq!(report["well"], said.code == Some(0), "{said:?}");
    let all = report["findings"].as_array().unwrap().iter().map(|finding| {
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        (text("part"), text("level"), text("what"), text("cure"))
    });
    let all: Vec<_> = all.collect();
    assert!(all.iter().all(|(_, level, _, cure)| (level == "ok") == cure.is_empty()), "{all:#?}");
    all
}

fn doctor(project: &Project, more: &[&str]) -> Said {
    project.run(&[&["doctor", "--json"][..], more].concat())
}

#[track_caller]
fn finds(said: &Said, part: &str, level: &str, what: &str, cure: &str) {
    let all = findings(said);
    let found = all.iter().any(|(its_part, its_level, its_what, its_cure)| {
        its_part == part && its_level == level && its_what.contains(what) && its_cure.contains(cure)
    });
    assert!(found, "no {level} of {part} says {what:?} and {cure:?}: {all:#?}");
}

#[test]
fn a_good_project_is_well_before_beside_and_after_its_host() {
    let project = Project::with(&["steps"]);
    let before = doctor(&project, &NOBODY);
    assert_eq!(before.code, Some(0), "{before:?}");
    finds(&before, "store", "ok", "there is none", "");
    finds(&before, "toolchains", "ok", "no plugin has its source", "");
    let host = project.serve();
    host.follow(&shop("count", "1", serde_json::json!({})));
    let beside = doctor(&project, &["--url", &host.operator]);
    finds(&beside, "store", "ok", "the running host has it open and is ok", "");
    finds(&beside, "files", "ok", "its owner's alone", "");
    let lost = doctor(&project, &NOBODY);
    finds(&lost, "store", "fault", "does not open", "--url");
    assert_eq!(lost.code, Some(1));
    host.stop();
    let after = doctor(&project, &NOBODY);
    assert_eq!(after.code, Some(0), "{after:?}");
    finds(&after, "store", "ok", "2 events and runs were read", "");
    finds(&after, "clock", "ok", "goes as fast", "");
    finds(&after, "clock", "ok", "time zones", "");
    assert!(project.run(&[&["doctor"][..], &NOBODY].concat()).text().contains("ok       store"));
}

#[test]
fn mistakes_of_the_configuration_are_told() {
    let project = Project::with(&[]);
    project.write("hooks.yaml", "operator: { listn: 127.0.0.1:0 }\n");
    let said = doctor(&project, &NOBODY);
    assert_eq!(said.code, Some(1));
    finds(&said, "config", "fault", "listn", "hookbox check");
}

#[test]
fn what_ends_a_start_is_told_as_check_tells_it() {
    let project = Project::with(&[]).env("WEBHOOK_SECRET_TWILIO", "12345678901234567890123456789012");
    project.write("hooks.yaml", "alerts: { channels: { ops: { slack: { env: OPS_SLACK_URL } } } }\n");
    let (checked, started) = (project.run(&["check"]), project.serve_in_vain());
    assert_eq!((checked.code, started.code), (Some(2), Some(2)), "{checked:?} {started:?}");
    let said = doctor(&project, &NOBODY);
    assert_eq!(said.code, Some(1), "{said:?}");
    for what in ["provider twilio signs the URL that it calls", "alerts.channels.ops"] {
        assert!(checked.out.contains(what), "{checked:?}");
        finds(&said, "config", "fault", what, "mend it");
    }
}

#[test]
fn a_host_of_another_project_is_not_taken_for_this_ones() {
    let (project, other) = (Project::with(&["steps"]), Project::with(&[]));
    let host = project.serve();
    host.follow(&shop("count", "1", serde_json::json!({})));
    host.stop();
    let beside = other.serve();
    let said = doctor(&project, &["--url", &beside.operator]);
    assert_eq!(said.code, Some(0), "{said:?}");
    finds(&said, "store", "ok", "2 events and runs were read", "");
}

#[test]
fn secrets_that_are_missing_weak_or_open_are_told_and_never_shown() {
    let project = Project::with(&[]).env("WEBHOOK_SECRET_SHOP", "tr0ub4dor").env("HOOKBOX_TOKEN", "hunter2");
    project.write(
        "hooks.yaml",
        "providers:\n  acme: { scheme: generic, secrets: [ { file: acme.key } ] }\n  lost: { scheme: generic }\n",
    );
    project.write("acme.key", "0a1b2c3d4e5f60718293a4b5c6d7e8f9");
    project.write(".env", "SOMETHING=else\n");
    for (file, mode) in [("acme.key", 0o644), (".env", 0o600)] {
        fs::set_permissions(project.path(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    let said = doctor(&project, &NOBODY);
    assert_eq!(said.code, Some(0), "a host works with them: {said:?}");
    finds(&said, "config", "warning", "provider lost is not live: set", "hookbox check");
    finds(&said, "secrets", "warning", "provider shop: the secret of", "32 random bytes");
    finds(&said, "secrets", "warning", "the token of the operator", "openssl rand");
    finds(&said, "secrets", "warning", "acme.key can be read by others (mode 644)", "chmod 600");
    finds(&said, "secrets", "ok", ".env is its owner's alone", "");
    let all = said.out + &said.err;
    assert!(["tr0ub4dor", "hunter2", "0a1b2c3d"].iter().all(|secret| !all.contains(secret)), "{all}");
}

#[test]
fn folders_that_others_reach_are_told() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    host.stop();
    for (folder, mode) in [("data", 0o755), ("plugins", 0o777)] {
        fs::set_permissions(project.path(folder), fs::Permissions::from_mode(mode)).unwrap();
    }
    let said = doctor(&project, &NOBODY);
    finds(&said, "files", "warning", "can be reached by others (mode 755)", "chmod 700");
    finds(&said, "files", "warning", "anybody on this machine can put code into plugins", "chmod o-w");
}

#[test]
fn a_store_of_a_later_time_is_told() {
    let project = Project::with(&[]);
    let host = project.serve();
    host.stop();
    let later = fs::metadata(project.path("data/db")).unwrap().modified().unwrap();
    let later = later + std::time::Duration::from_secs(86_400);
    fs::File::options().append(true).open(project.path("data/db")).unwrap().set_modified(later).unwrap();
    let said = doctor(&project, &NOBODY);
    assert_eq!(said.code, Some(1), "{said:?}");
    finds(&said, "clock", "fault", "later than the clock shows", "schedules reset --all");
}

#[test]
fn a_toolchain_is_looked_for_where_a_plugin_needs_it() {
    let project = Project::with(&[]).env("PATH", "/nowhere");
    fs::create_dir(project.path("plugins/mine")).unwrap();
    project.write("plugins/mine/Cargo.toml", "");
    project.write("plugins/mine/package.json", "{}");
    project.write("plugins/mine/app.py", "");
    let said = doctor(&project, &NOBODY);
    finds(&said, "toolchains", "warning", "no rustc", "https://rustup.rs");
    finds(&said, "toolchains", "warning", "no jco", "npm install");
    finds(&said, "toolchains", "warning", "no componentize-py", "pip install componentize-py");
    assert_eq!(said.code, Some(0), "a host runs without: {said:?}");
}
