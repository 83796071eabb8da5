//! What bodies are and must be: CloudEvents, JSON Schema, and duplicates that were none.

use std::fs;

use serde_json::json;

use crate::harness::{Project, SHOP, Webhook, shop, until};

const TOKEN: &str = "hush-mesh-2d41";

fn mesh(content_type: &str, body: impl Into<Vec<u8>>) -> Webhook {
    Webhook { provider: "mesh".to_owned(), headers: Vec::new(), body: body.into() }
        .header("Authorization", &format!("Bearer {TOKEN}"))
        .header("Content-Type", content_type)
}

#[test]
fn cloudevents_reach_a_plugin_in_every_mode() {
    let project = Project::with(&["welcome"]).env("WEBHOOK_SECRET_SHOP", TOKEN);
    project.write("hooks.yaml", "providers: { shop: { scheme: cloudevents } }\n");
    let host = project.serve();
    let to_shop = |webhook: Webhook| Webhook { provider: "shop".to_owned(), ..webhook };
    let data = json!({ "event_id": "1", "data": { "name": "Ada", "id": "u-1" } });
    let event =
        |id: &str| json!({ "specversion": "1.0", "id": id, "source": "/users", "type": "user.created", "data": data });
    let binary = to_shop(mesh("application/json", data.to_string()))
        .header("ce-specversion", "1.0")
        .header("ce-id", "a")
        .header("ce-source", "/users")
        .header("ce-type", "user.created");
    let structured = to_shop(mesh("application/cloudevents+json", event("b").to_string()));
    for webhook in [binary, structured] {
        let run = host.follow(&webhook);
        assert!(run["state"] == "succeeded" && run.to_string().contains("Ada"), "{run}");
    }
    let batch = json!([event("c"), event("d"), event("a")]).to_string();
    let answer = host.post(&to_shop(mesh("application/cloudevents-batch+json", batch)));
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.body["events"][2]["status"], "duplicate", "it came in another mode");
    for taken in &answer.body["events"].as_array().unwrap()[..2] {
        assert_eq!(host.run_of(taken["id"].as_str().unwrap())["state"], "succeeded");
    }
    let said = host.cli(&["send", "shop", "--type", "user.created", "--json"]).json();
    assert_eq!(said["status"], "accepted", "{said}");
}

const USER: &str = r#"{ "required": ["data"], "properties": { "data": { "required": ["name"], "properties": { "name": { "type": "string" } } } } }"#;

#[test]
fn a_schema_refuses_or_buries_and_is_read_anew() {
    let project = Project::with(&["welcome"]);
    let configure = |otherwise: &str| {
        let rule = format!("{{ type: \"user.*\", schema: user.json, otherwise: {otherwise} }}");
        project.write("hooks.yaml", format!("providers: {{ shop: {{ schemas: [ {rule} ] }} }}\n"));
    };
    project.write("user.json", USER);
    configure("refuse");
    let host = project.serve();
    let nameless = |id: &str| shop("user.created", id, json!({ "data": { "name": 5 } }));
    let refused = host.post(&nameless("1"));
    assert_eq!((refused.status, refused.str("pointer")), (422, "/data/name"), "{refused:?}");
    project.write("order.json", json!({ "event_id": "1", "type": "user.created", "data": { "name": 5 } }).to_string());
    let trial = host.cli(&["routes", "test", "order.json", "--provider", "shop"]);
    assert_eq!(trial.code, Some(1), "{trial:?}");
    assert!(trial.out.contains("is refused with 422") && trial.out.contains("/data/name"), "{trial:?}");

    configure("dead-letter");
    until("hooks.yaml is taken over", || (project.log_lines("were read anew") == 1).then_some(()));
    let run = host.run_of(&host.accept(&nameless("2")));
    assert_eq!(run["state"], "dead", "{run}");
    assert!(run.to_string().contains("invalid-body"), "{run}");

    project.write("draft.json", "{}");
    fs::rename(project.path("draft.json"), project.path("user.json")).unwrap();
    until("the schema is taken over", || (project.log_lines("were read anew") == 2).then_some(()));
    assert_eq!(host.follow(&shop("user.created", "3", json!({ "data": {} })))["state"], "succeeded");

    project.write("user.json", "{ \"type\": \"texd\" }");
    until("the fault is told", || (project.log_lines("user.json is no JSON Schema") > 0).then_some(()));
    host.accept(&shop("user.created", "4", json!({})));
    let checked = project.run(&["check"]);
    assert!(checked.code == Some(2) && checked.out.contains("providers.shop.schemas[0].schema"), "{checked:?}");
}

#[test]
fn a_duplicate_with_another_body_is_released_to_its_handler() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let first = host.accept(&shop("user.created", "1", json!({ "data": { "name": "Ada" } })));
    let again = host.post(&shop("user.created", "1", json!({ "data": { "name": "Grace" } })));
    assert_eq!((again.status, again.str("id")), (200, first.as_str()));
    let listed = host.cli(&["events", "list", "--suppressed", "--json"]).json();
    let row = &listed["items"][0];
    assert_eq!((&row["duplicate_of"], &row["same_body"]), (&json!(first), &json!(false)));
    let id = row["id"].as_str().unwrap();
    assert!(host.cli(&["events", "show", "--suppressed", id]).text().contains("Grace"));
    let told = host.cli(&["events", "release", id]);
    assert!(told.text().contains("is made"), "{told:?}");
    let run = host.run_of(id);
    assert!(run["state"] == "succeeded" && run.to_string().contains("Grace"), "{run}");
    assert!(host.cli(&["events", "list", "--suppressed"]).text().contains("No duplicates."));
    let seen = host.get(&format!("providers/{}", SHOP.provider));
    assert_eq!((&seen["duplicates"], &seen["duplicates_that_differ"]), (&json!(1), &json!(1)));
}
