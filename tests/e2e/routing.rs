//! Patterns, filters, and what reached no handler.

use serde_json::{Value, json};

use crate::harness::{Project, shop, until};

const CONFIG: &str = r#"
plugins:
  welcome:
    handlers: { welcome: { filter: "data.age >= 18 && headers['x-shop'] == 'eu'" } }
"#;

fn order(id: &str, amount: u32) -> crate::harness::Webhook {
    shop("order.paid", id, json!({ "data": { "amount": amount } }))
}

#[test]
fn a_handlers_own_filter_chooses_among_the_events_of_its_pattern() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    assert_eq!(host.follow(&order("1", 1500))["handler"], "large");
    let small = host.accept(&order("2", 1000));
    assert_eq!(host.get(&format!("events/{small}"))["run_ids"], json!([]));
    assert_eq!(
        host.get("plugins/steps")["handlers"].as_array().unwrap().iter().filter(|h| !h["filter"].is_null()).count(),
        1
    );
    let listed = host.cli(&["events", "list", "--unrouted", "--json"]).json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["id"]), (1, &json!(small)));
}

#[test]
fn hooks_yaml_filters_and_a_change_of_it_counts_at_once_and_after_a_restart() {
    let project = Project::with(&["welcome"]);
    project.write("hooks.yaml", CONFIG);
    let host = project.serve();
    let user = |id: &str, age: u32| shop("user.created", id, json!({ "data": { "age": age } })).header("X-Shop", "eu");
    assert_eq!(host.follow(&user("1", 18))["handler"], "welcome");
    let young = host.accept(&user("2", 17));
    assert_eq!(host.get(&format!("events/{young}"))["run_ids"], json!([]));
    assert_eq!(host.get("routes")["items"][0]["passed_over"], 1);

    project.write("hooks.yaml", CONFIG.replace("18", "17"));
    until("the new filter counts", || {
        (host.get("routes")["items"][0]["filter"] == "data.age >= 17 && headers['x-shop'] == 'eu'").then_some(())
    });
    host.follow(&user("3", 17));
    let history = host.get("plugins/welcome")["history"].as_array().unwrap().len();
    assert_eq!(history, 1, "another filter is no other version");
    host.kill();

    project.write("hooks.yaml", "plugins: { welcome: {} }\n");
    let host = project.serve();
    assert_eq!(host.get("routes")["items"][0]["filter"], Value::Null);
    host.follow(&shop("user.created", "4", json!({})));
}

#[test]
fn a_filter_that_is_none_is_a_mistake_with_its_place_and_cure() {
    let project = Project::with(&["welcome"]);
    project.write("hooks.yaml", "plugins:\n  welcome:\n    handlers:\n      welcome: { filter: data.age > }\n");
    let said = project.run(&["check"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let told = said.out.lines().find(|line| line.contains("plugins.welcome.handlers.welcome.filter")).unwrap();
    assert!(told.contains("write a condition in CEL") && told.contains("(line 4)"), "{told}");
    assert_eq!(project.serve_in_vain().code, Some(2));
    project.write("hooks.yaml", "plugins: { payments: { handlers: { receipt: { filter: true } } } }\n");
    project.put("payments", &hookbox_tests::sample("payments"));
    let said = project.run(&["check"]);
    assert!(said.code == Some(2) && said.out.contains("receipt.filter: only a handler that takes events"), "{said:?}");
}

#[test]
fn a_delivery_is_tried_without_taking_it_in() {
    let project = Project::with(&["steps", "welcome"]);
    project.write("hooks.yaml", CONFIG);
    project.write("order.json", r#"{"type":"order.paid","event_id":"1","data":{"amount":1500}}"#);
    project.write("user.json", r#"{"type":"user.created","event_id":"1","data":{"age":20}}"#);
    let host = project.serve();
    let said = host.cli(&["routes", "test", "order.json", "--provider", "shop"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("shop/order.paid reaches 1 of") && said.out.contains("no-pattern"), "{said:?}");

    let said = host.cli(&["routes", "test", "user.json", "--provider", "shop", "-H", "X-Shop: us", "--json"]);
    let told: Value = serde_json::from_str(&said.out).unwrap();
    let welcome = told["handlers"].as_array().unwrap().iter().find(|row| row["plugin"] == "welcome").unwrap();
    assert_eq!((said.code, &welcome["why"]), (Some(1), &json!("filter-false")), "{said:?}");
    let said = host.cli(&["routes", "test", "user.json", "--provider", "shop"]);
    assert!(said.code == Some(1) && said.out.contains("filter-fault"), "{said:?}");
    let said = host.cli(&["routes", "test", "user.json", "--provider", "shop", "-H", "X-Shop: eu"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = host.cli(&["routes", "test", "user.json", "--provider", "nobody"]);
    assert!(said.code == Some(2) && said.err.contains("type: is needed"), "{said:?}");
    assert!(host.cli(&["routes", "list"]).text().contains("data.amount > 1000"));
    assert_eq!(host.get("health")["counts"]["events"], 0);
}

#[test]
fn unrouted_events_are_routed_once_their_handler_is_there() {
    let project = Project::with(&[]);
    let host = project.serve();
    let first = host.accept(&order("1", 1500));
    for id in 2..5 {
        host.accept(&order(&id.to_string(), 2000));
    }
    let lost = host.accept(&order("9", 1));
    let said = host.cli(&["events", "route", &first]);
    assert!(said.code == Some(1) && said.err.contains("no handler takes"), "{said:?}");

    project.put("steps", &hookbox_tests::sample("steps"));
    until("the plugin serves", || (host.ask("plugins/steps").status == 200).then_some(()));
    let made = host.cli(&["events", "route", &first, "--json"]).json();
    assert_eq!(host.ended_run(made["runs"][0].as_str().unwrap())["state"], "succeeded");
    let said = host.cli(&["events", "route", &first]);
    assert!(said.code == Some(1) && said.err.contains("routed already"), "{said:?}");

    let counted = json!({ "dry_run": true, "routed": 3, "unmatched": 1, "handlers": { "steps/large": 3 } });
    assert_eq!(host.cli(&["events", "route", "--unrouted", "--dry-run", "--json"]).json(), counted);
    assert_eq!(host.get("health")["counts"]["unrouted"], 4);
    let others = host.cli(&["events", "route", "--unrouted", "--provider", "github", "--json"]).json();
    assert_eq!((&others["routed"], &others["unmatched"]), (&json!(0), &json!(0)));
    let text = host.cli(&["events", "route", "--unrouted", "--provider", "shop"]).text().to_owned();
    assert!(text.contains("3 events are routed, 1 find no handler") && text.contains("steps/large: 3 runs"), "{text}");
    host.idle();
    assert_eq!(host.get("health")["counts"]["succeeded"], 4);
    let left = host.cli(&["events", "list", "--unrouted", "--json"]).json();
    assert_eq!((left["items"].as_array().unwrap().len(), &left["items"][0]["id"]), (1, &json!(lost)));
    host.stop();
    let doctor = project.run(&["doctor", "--data", "data"]);
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
}
