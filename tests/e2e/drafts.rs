//! A plugin that was written for drafts of WASI, in the real host.

use serde_json::json;

use crate::harness::{Project, shop};

#[test]
fn a_plugin_for_drafts_of_wasi_counts_greets_and_logs() {
    let project = Project::with(&[]);
    project.write("hooks.yaml", "plugins: { drafts: { config: { greeting: hello } } }\n");
    project.put("drafts", &hookbox_tests::guest("drafts"));
    let host = project.serve();
    let first = host.follow(&shop("user.created", "1", json!({})));
    assert_eq!((&first["state"], &first["result"]["data"]), (&json!("succeeded"), &json!("hello 1")), "{first:#}");
    let line = &first["attempts"][0]["log"]["lines"][0];
    assert_eq!((&line["message"], &line["fields"]["context"]), (&json!("user.created is number 1"), &json!("greeter")));
    // What it counted is in the store that its other attempts read.
    let second = host.follow(&shop("user.created", "2", json!({})));
    assert_eq!(second["result"]["data"], "hello 2", "{second:#}");
}
