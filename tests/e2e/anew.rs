//! SIGHUP: the files are read anew when they are asked for, by the way that a change takes.

use std::fs;

use serde_json::json;

use crate::harness::{Ended, Project, SHOP, Sender, shop, until};

const NEW: Sender = Sender { secret: "hush-new-03be", ..SHOP };

#[test]
fn a_host_that_is_asked_reads_everything_anew_and_goes_on() {
    let project = Project::with(&["welcome"]).bare();
    project.write("shop.key", SHOP.secret);
    project.write("hooks.yaml", "providers: { shop: { secrets: [ { file: shop.key } ] } }\n");
    let mut host = project.serve();
    let taken = |times| until("it was read", || (project.log_lines("were read anew") >= times).then_some(()));
    // Nothing has changed, and whoever asks is told all the same.
    host.hang_up();
    taken(1);
    assert_eq!(project.log_lines("variables of the process are those of its start"), 1, "{}", project.log());
    host.assert_alive();
    assert_eq!(host.follow(&shop("user.created", "1", json!({ "name": "Ada" })))["state"], "succeeded");

    project.write("shop.key", NEW.secret);
    host.hang_up();
    until("the new secret counts", || (host.post(&NEW.sign("", r#"{"event_id":"2"}"#)).status < 300).then_some(()));
    assert_eq!(host.post(&SHOP.sign("", r#"{"event_id":"3"}"#)).status, 401);

    // A file with a mistake keeps the old one, and says so; so it does each time that it is asked.
    project.write("hooks.yaml", "providers: { shop: { secret: [ ] } }\n");
    for times in [1, 2] {
        until("the mistake is told", || {
            host.hang_up();
            (project.log_lines("providers.shop.secret") >= times).then_some(())
        });
    }
    assert!(project.log_lines("the old one stays") >= 2, "{}", project.log());
    assert!(host.post(&NEW.sign("", r#"{"event_id":"4"}"#)).status < 300);
    host.assert_alive();
    assert_eq!(host.stop(), Ended::Code(0));
}

#[test]
fn a_file_that_hooks_yaml_names_before_it_is_there_is_waited_for() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    project.write("hooks.yaml", "providers: { shop: { schemas: [ { schema: order.json, otherwise: refuse } ] } }\n");
    until("its absence is told", || (project.log_lines("order.json: No such file") > 0).then_some(()));
    host.accept(&shop("user.created", "1", json!({})));
    project.write("draft", r#"{ "required": ["name"] }"#);
    fs::rename(project.path("draft"), project.path("order.json")).unwrap();
    until("it is taken over", || (project.log_lines("were read anew") == 1).then_some(()));
    assert_eq!(host.post(&shop("user.created", "2", json!({}))).status, 422);
    assert!(host.post(&shop("user.created", "3", json!({ "name": "Ada" }))).status < 300);
}
