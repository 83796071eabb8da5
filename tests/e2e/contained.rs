//! Plugins that misbehave: contained, recorded, and the others unharmed.

use serde_json::{Value, json};

use crate::harness::{Host, Project, shop, until};

/// A plugin next door still works; `when` makes another delivery of it.
fn assert_unharmed(host: &Host<'_>, when: &str) {
    let run = host.follow(&shop("user.created", when, json!({})));
    assert_eq!(run["state"], "succeeded", "{run:#}");
}

fn misbehave(kind: &str) -> Value {
    let project = Project::with(&["steps", "welcome"]);
    let host = project.serve();
    let event = host.accept(&shop(kind, "1", json!({})));
    assert_unharmed(&host, "meanwhile");
    let run = host.run_of(&event);
    assert_unharmed(&host, "afterwards");
    run["attempts"][0].clone()
}

#[test]
fn a_handler_that_loops_is_stopped() {
    let attempt = misbehave("spin");
    assert_eq!(attempt["outcome"], "timed-out", "{attempt:#}");
}

#[test]
fn a_handler_that_grows_runs_out_of_its_own_memory() {
    let attempt = misbehave("grow");
    assert_eq!(attempt["outcome"], "out-of-memory", "{attempt:#}");
    assert!(attempt["cost"]["memory_peak_bytes"].as_u64().unwrap() <= 64 << 20, "{attempt:#}");
}

#[test]
fn a_handler_that_panics_is_told_with_its_words() {
    let attempt = misbehave("panic");
    assert_eq!(attempt["outcome"], "trapped");
    let lines = attempt["log"]["lines"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["stream"] == "stderr" && line["message"] == "as it was told"), "{attempt:#}");
}

#[test]
fn a_handler_that_prints_100_megabytes_is_cut_short_and_counted() {
    let attempt = misbehave("shout");
    assert_eq!(attempt["outcome"], "completed");
    let lines = attempt["log"]["lines"].as_array().unwrap();
    let kept: usize = lines.iter().map(|line| line["message"].as_str().unwrap().len()).sum();
    let dropped = attempt["log"]["bytes_dropped"].as_u64().unwrap();
    assert!(kept <= 256 * 1024 && dropped > 99_000_000, "{kept} bytes kept, {dropped} dropped");
}

#[test]
fn six_handlers_that_never_end_leave_the_others_running() {
    const SPINNING: usize = 6;
    let project = Project::with(&["steps", "welcome"]);
    project.write("hooks.yaml", "plugins: { steps: { limits: { timeout: 1h, cpu: 1h } } }\n");
    let host = project.serve();
    let spinning: Vec<String> = (0..SPINNING).map(|n| host.accept(&shop("spin", &n.to_string(), json!({})))).collect();
    let state = |event: &String| {
        let runs = host.get(&format!("events/{event}"))["run_ids"].clone();
        host.get(&format!("runs/{}", runs[0].as_str().unwrap()))["state"].clone()
    };
    let are_on = || spinning.iter().all(|event| state(event) == "leased");
    until("all of them spin", || are_on().then_some(()));
    for n in 0..50 {
        assert_unharmed(&host, &format!("beside {n}"));
    }
    assert!(are_on(), "they have ended");
}

#[test]
fn limits_of_hooks_yaml_hold_in_the_host() {
    let project = Project::with(&["steps", "welcome"]);
    project
        .write("hooks.yaml", "plugins: { steps: { limits: { log: 4KiB } }, ticker: { limits: { instances: 1 } } }\n");
    let host = project.serve();
    let run = host.follow(&shop("shout", "1", json!({})));
    let log = &run["attempts"][0]["log"];
    let lines = log["lines"].as_array().unwrap();
    let kept: usize = lines.iter().map(|line| line["message"].as_str().unwrap().len()).sum();
    assert!(kept <= 4096 && log["bytes_dropped"].as_u64().unwrap() > 99_000_000, "{kept} bytes kept");
    project.put("ticker", &hookbox_tests::sample("ticker"));
    let refused = until("ticker is refused", || {
        let listed = host.ask("plugins/ticker");
        (listed.status == 200).then(|| listed.body["refused"].clone())
    });
    assert_eq!(refused["code"], "does-not-fit", "{refused:#}");
    assert!(refused["reason"].as_str().unwrap().contains("limits.instances is 1, at most 40"), "{refused:#}");
    assert_unharmed(&host, "afterwards");
}

#[test]
fn a_limit_beyond_what_the_pool_has_ends_the_start() {
    let project = Project::with(&["welcome"]);
    project.write("hooks.yaml", "plugins: { welcome: { limits: { instances: 41, stack: 1MiB } } }\n");
    let said = project.run(&["check"]);
    assert_ne!(said.code, Some(0), "{said:?}");
    let told = format!("{said:?}");
    assert!(told.contains("plugins.welcome.limits.instances: must be 1..=40, got 41"), "{told}");
    assert!(told.contains("set engine.stack"), "{told}");
}

/// Puts this beside a good plugin; returns how it is listed.
fn put_bad(plugin: &str, bytes: &[u8]) -> Value {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    project.put(plugin, bytes);
    let listed = until(&format!("{plugin} is refused"), || {
        let listed = host.ask(&format!("plugins/{plugin}"));
        (listed.status == 200).then_some(listed.body)
    });
    assert_eq!((&listed["state"], &listed["handlers"]), (&json!("refused"), &json!([])), "{listed:#}");
    assert_eq!(project.log_lines(&format!("plugin {plugin} was refused")), 1, "{}", project.log());
    assert_unharmed(&host, "afterwards");
    assert_eq!(host.get("plugins")["items"].as_array().unwrap().len(), 2);
    listed["refused"].clone()
}

#[test]
fn a_component_that_exports_nothing_is_refused() {
    let refused = put_bad("nothing", b"\0asm\x0d\0\x01\0");
    assert_eq!(refused["code"], "not-a-plugin", "{refused:#}");
}

#[test]
fn a_core_module_is_refused_with_its_cure() {
    let refused = put_bad("module", b"\0asm\x01\0\0\0");
    assert_eq!(refused["code"], "core-module");
    assert!(refused["reason"].as_str().unwrap().contains("wasm32-wasip2"), "{refused:#}");
}

#[test]
fn a_file_that_is_no_webassembly_is_refused() {
    assert_eq!(put_bad("text", b"#!/bin/sh\n")["code"], "not-wasm");
}

#[test]
fn a_plugin_that_claims_anothers_name_is_refused() {
    let refused = put_bad("claims-another", &hookbox_tests::guest("liar/claims-another"));
    assert_eq!(refused["code"], "bad-description");
    assert!(refused["reason"].as_str().unwrap().contains("payments"), "{refused:#}");
}

#[test]
fn a_plugin_that_loops_in_describe_is_refused() {
    assert_eq!(put_bad("loops", &hookbox_tests::guest("liar/loops"))["code"], "describe-timed-out");
}

#[test]
fn a_plugin_that_waits_in_describe_is_refused() {
    assert_eq!(put_bad("waits", &hookbox_tests::guest("liar/waits"))["code"], "describe-timed-out");
}

#[test]
fn a_plugin_that_hoards_in_describe_is_refused() {
    let code = put_bad("hoards", &hookbox_tests::guest("liar/hoards"))["code"].clone();
    assert!(code == "out-of-memory" || code == "describe-trapped", "{code}");
}

#[test]
fn a_plugin_that_panics_in_describe_is_refused() {
    assert_eq!(put_bad("panics", &hookbox_tests::guest("liar/panics"))["code"], "describe-trapped");
}

#[test]
fn a_plugin_that_uses_the_host_in_describe_is_refused() {
    assert_eq!(put_bad("calls-kv", &hookbox_tests::guest("liar/calls-kv"))["code"], "describe-trapped");
}

#[test]
fn a_plugin_that_grants_itself_something_is_refused() {
    let refused = put_bad("grants-itself", &hookbox_tests::guest("liar/grants-itself"));
    assert!(refused["reason"].as_str().unwrap().contains("grants"), "{refused:#}");
}
