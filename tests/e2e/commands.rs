//! The commands that look at a host or work without one.

use serde_json::{Value, json};

use crate::harness::{Project, SHOP, shop};

#[test]
fn events_and_runs_are_listed_and_shown() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let event = host.accept(&shop("broken", "1", json!({})));
    let run = host.run_of(&event)["id"].as_str().unwrap().to_owned();
    host.follow(&shop("count", "2", json!({})));

    let table = host.cli(&["events", "list"]);
    assert!(table.text().starts_with("ID ") && table.text().contains(&event), "{table:?}");
    assert_eq!(host.cli(&["events", "list", "--json"]).json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(host.cli(&["events", "show", &event, "--json"]).json()["topic"], "shop/broken");
    assert!(host.cli(&["events", "show", &event]).text().contains("shop/broken"));

    let dead = host.cli(&["runs", "list", "--state", "dead", "--plugin", "steps", "--json"]).json();
    assert_eq!((dead["items"].as_array().unwrap().len(), &dead["items"][0]["id"]), (1, &json!(run)));
    assert!(host.cli(&["runs", "list"]).text().contains("nothing can be done"));
    assert_eq!(host.cli(&["runs", "show", &run, "--json"]).json()["attempts"][0]["outcome"], "permanent");
    assert!(host.cli(&["runs", "show", &run]).text().contains("nothing can be done"));

    let made = host.cli(&["runs", "replay", &run, "--json"]).json();
    assert_eq!(host.ended_run(made["id"].as_str().unwrap())["parent"], json!(run));
    let page = host.cli(&["runs", "list", "--limit", "1", "--json"]).json();
    let next = host.cli(&["runs", "list", "--limit", "1", "--json", "--cursor", page["next"].as_str().unwrap()]).json();
    assert_ne!(page["items"][0]["id"], next["items"][0]["id"]);
}

#[test]
fn the_longest_page_that_a_command_takes_is_given() {
    let project = Project::with(&[]);
    let host = project.serve();
    assert_eq!(host.cli(&["runs", "list", "--limit", "200", "--json"]).json()["items"], json!([]));
    let said = host.cli(&["runs", "list", "--limit", "201"]);
    assert_eq!(said.code, Some(2), "{said:?}");
}

#[test]
fn schedules_and_plugins_are_listed_and_shown() {
    let project = Project::with(&["ticker", "welcome"]);
    let host = project.serve();
    let listed = host.cli(&["schedules", "list", "--json"]).json();
    let names: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["ticker.new-year", "ticker.tick"]);
    assert!(host.cli(&["schedules", "list"]).text().contains("every 1s"));
    assert_eq!(host.cli(&["schedules", "show", "ticker.tick", "--json"]).json()["when"]["period_ms"], 1000);
    let made = host.cli(&["schedules", "run", "ticker.new-year", "--json"]).json();
    assert_eq!(host.ended_run(made["run"].as_str().unwrap())["state"], "succeeded");

    assert_eq!(host.cli(&["plugins", "list", "--json"]).json()["items"].as_array().unwrap().len(), 2);
    assert!(host.cli(&["plugins", "list"]).text().contains("active"));
    let shown = host.cli(&["plugins", "show", "welcome", "--json"]).json();
    assert_eq!(shown["handlers"][0]["trigger"]["patterns"], json!(["shop/user.created"]));
}

#[test]
fn what_is_not_there_fails_with_words() {
    let project = Project::with(&[]);
    let host = project.serve();
    for arguments in [["runs", "show", "run_1"], ["plugins", "show", "nobody"], ["schedules", "run", "never"]] {
        let said = host.cli(&arguments);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
        assert!(said.err.contains("404"), "{said:?}");
    }
    drop(host);
    let said = project.run(&["events", "list", "--url", "http://127.0.0.1:9"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no host answers at http://127.0.0.1:9") && said.err.contains("--url"), "{said:?}");
}

#[test]
fn a_sent_webhook_is_signed_as_its_sender_would() {
    let project = Project::with(&["steps", "payments"]);
    let host = project.serve();
    for arguments in [
        &["send", "shop", "--type", "count"][..],
        &["send", "github", "--type", "push"],
        &["send", "stripe", "--type", "invoice.paid"],
        &["send", "standard-webhooks", "--type", "letter.sent"],
    ] {
        let said = host.cli(&[arguments, &["--json"]].concat()).json();
        assert_eq!(said["status"], "accepted", "{arguments:?}");
        let event = host.get(&format!("events/{}", said["id"].as_str().unwrap()));
        assert_eq!(
            (&event["source"], &event["type"]),
            (&json!(format!("provider/{}", arguments[1])), &json!(arguments[3]))
        );
    }
    let payment = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/payments/fixtures/payment_intent.succeeded.json");
    assert!(host.cli(&["send", "stripe", "--body-file", payment]).text().contains("accepted"));
    assert!(host.cli(&["send", "stripe", "--body-file", payment]).text().contains("duplicate"));
    let nobody = host.cli(&["send", "nobody"]);
    assert_eq!(nobody.code, Some(2), "{nobody:?}");
}

#[test]
fn a_handler_is_invoked_without_a_host() {
    let project = Project::with(&["welcome", "steps"]);
    let welcome = project.run(&["invoke", "plugins/welcome.wasm", "--payload", r#"{"event_id":"1"}"#, "--json"]).json();
    assert_eq!(welcome["result"], json!({ "event_id": "1", "greeting": "Welcome, stranger!" }));
    assert_eq!(welcome["kv_writes"], json!(["greeted"]));
    let chain = project.run(&["invoke", "plugins/steps.wasm", "--handler", "chain", "--json"]).json();
    assert_eq!((&chain["jobs"], &chain["events"]), (&json!(["steps/link"]), &json!(["steps/chained"])));
    let link = project.run(&["invoke", "plugins/steps.wasm", "--handler", "link", "--payload", "[1]", "--json"]).json();
    assert_eq!(link["result"], json!([1]));

    let broken = project.run(&["invoke", "plugins/steps.wasm", "--handler", "broken", "--json"]);
    assert_eq!(broken.code, Some(1));
    assert_eq!(serde_json::from_str::<Value>(&broken.out).unwrap()["message"], "nothing can be done");
    let unnamed = project.run(&["invoke", "plugins/steps.wasm"]);
    assert_eq!(unnamed.code, Some(2), "{unnamed:?}");
    assert!(unnamed.err.contains("--handler") && unnamed.err.contains("flaky"), "{unnamed:?}");
    project.write("plugins/text.wasm", "no component");
    assert_eq!(project.run(&["invoke", "plugins/text.wasm"]).code, Some(2));
    assert!(!project.path("data").exists(), "nothing is kept");
}

#[test]
fn check_tells_what_a_start_would_refuse_and_changes_nothing() {
    let project = Project::with(&["welcome"]);
    let good = project.run(&["check", "--json"]).json();
    assert_eq!(good["plugins"][0]["grounds"], "unsigned, which hooks.yaml allows", "{good:#}");
    let good = (&good["good"], &good["mistakes"], &good["warnings"]);
    assert_eq!(good, (&json!(true), &json!([]), &json!([])));
    project.write("plugins/module.wasm", b"\0asm\x01\0\0\0");
    project
        .write("hooks.yaml", "providers: { acme: {} }\nplugins: { nobody: {}, welcome: { handlers: { bye: {} } } }\n");
    let bad = project.run(&["check", "--json"]);
    assert_ne!(bad.code, Some(0));
    let bad: Value = serde_json::from_str(&bad.out).unwrap();
    assert_eq!((&bad["good"], bad["mistakes"].as_array().unwrap().len()), (&json!(false), 1), "{bad:#}");
    assert!(bad["mistakes"][0].as_str().unwrap().contains("module.wasm"));
    let warnings = bad["warnings"].to_string();
    for part in ["WEBHOOK_SECRET_ACME", "plugins.nobody", "plugins.welcome.handlers.bye"] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
    assert!(!project.path("data").exists());
}

#[test]
fn bench_drives_a_host_and_counts() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let said = host.cli(&["bench", "--total", "200", "--connections", "4", "--json"]);
    let counted = said.json();
    assert_eq!(host.idle()["counts"]["events"], 200, "{counted:#}");
    assert_eq!(host.get("health")["counts"]["succeeded"], 200);
    assert!(!(said.out + &said.err).contains(SHOP.secret));
    // The last of 60 has its turn after 0.59 s, however fast the host is.
    let counted = host.cli(&["bench", "--total", "60", "--connections", "4", "--rate", "100", "--json"]).json();
    assert!(counted["accepted"] == 60 && counted["accepted_per_second"].as_u64() <= Some(101), "{counted:#}");
}

#[test]
fn no_command_prints_a_secret() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let event = host.cli(&["send", "shop", "--type", "user.created", "--json"]).json();
    let id = event["id"].as_str().unwrap();
    for arguments in [&["events", "show", id][..], &["check"], &["plugins", "list"], &["send", "shop"]] {
        let said = host.cli(arguments);
        assert!(!(said.out + &said.err).contains("hush"), "{arguments:?}");
    }
}
