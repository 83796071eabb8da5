//! Runs that wait for one another, and what operators do with them: cancel, hold, replay, and make jobs.

use std::thread;

use serde_json::{Value, json};

use crate::harness::{Host, Project, Webhook, now, shop, until};

const CUSTOMERS: u64 = 5;
const PARCELS: u64 = 12;

fn parcel(customer: u64, number: u64) -> Webhook {
    let more = json!({ "customer": format!("c{customer}"), "number": number, "fails": (customer + number) % 3 });
    shop("parcel", &format!("{customer}-{number}"), more)
}

/// The id of the only run of what is posted; it need not have ended.
fn begun(host: &Host<'_>, webhook: &Webhook) -> String {
    let event = host.accept(webhook);
    host.get(&format!("events/{event}"))["run_ids"][0].as_str().unwrap().to_owned()
}

fn in_state(host: &Host<'_>, id: &str, state: &str) -> Value {
    until(&format!("run {id} is {state}"), || {
        let run = host.get(&format!("runs/{id}"));
        (run["state"] == state).then_some(run)
    })
}

#[test]
fn each_customers_runs_go_in_order_under_load_with_failures_and_a_kill() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    thread::scope(|scope| {
        for customer in 0..CUSTOMERS {
            let host = &host;
            scope.spawn(move || (0..PARCELS).for_each(|number| _ = host.accept(&parcel(customer, number))));
        }
    });
    host.kill();
    let host = project.serve();
    host.idle();
    for customer in 0..CUSTOMERS {
        let last = host.follow(&parcel(customer, PARCELS));
        assert_eq!((&last["key"], &last["order"]), (&json!(format!("c{customer}")), &json!("accepted")));
        assert_eq!(last["result"]["data"], json!((0..=PARCELS).collect::<Vec<_>>()), "customer {customer}");
    }
    assert_eq!(host.all("runs?state=succeeded").len() as u64, CUSTOMERS * (PARCELS + 1));
}

#[test]
fn a_run_that_loops_is_cancelled_and_gives_its_slot_to_others() {
    let project = Project::with(&["steps"]);
    let limits = "limits: { timeout: 10m, cpu: 10m }";
    project.write("hooks.yaml", format!("engine: {{ slots: 1 }}\nplugins: {{ steps: {{ {limits} }} }}\n"));
    let host = project.serve();
    for (kind, more) in [("spin", json!({})), ("slow", json!({ "until": now() + 600_000 }))] {
        let id = begun(&host, &shop(kind, kind, more));
        in_state(&host, &id, "leased");
        assert_eq!(host.write(&format!("runs/{id}/cancel")).status, 200);
        let run = in_state(&host, &id, "cancelled");
        assert_eq!((&run["cause"], &run["attempts"][0]["outcome"]), (&json!("operator"), &json!("cancelled")));
        assert_eq!(host.follow(&shop("count", &format!("after-{kind}"), json!({})))["state"], "succeeded");
        assert_eq!(host.write(&format!("runs/{id}/cancel")).status, 409);
    }
}

#[test]
fn what_a_cancelled_run_wrote_is_not_kept() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let id = begun(&host, &shop("parcel", "1", json!({ "customer": "ada", "number": 1, "fails": 100 })));
    until("it has failed once", || host.get(&format!("runs/{id}"))["attempts"].get(0).map(|_| ()));
    let waiting = begun(&host, &shop("parcel", "2", json!({ "customer": "ada", "number": 2, "fails": 0 })));
    assert_eq!(host.get(&format!("runs/{waiting}"))["state"], "pending");
    assert!(host.cli(&["runs", "cancel", &id]).text().contains("is cancelled"));
    assert_eq!(host.ended_run(&waiting)["result"]["data"], json!([2]));
}

#[test]
fn many_dead_letters_are_counted_first_and_then_replayed_each_once() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    for number in 0..5 {
        host.follow(&shop("broken", &format!("b-{number}"), json!({})));
    }
    host.follow(&shop("half", "h", json!({})));
    let chosen = ["runs", "replay", "--error", "NOTHING can", "--plugin", "steps"];
    let with = |more: &[&str]| host.cli(&[&chosen[..], more].concat());

    assert_eq!(with(&["--dry-run", "--json"]).json(), json!({ "matched": 5, "done": 0, "left_out": 0 }));
    let unasked = with(&[]);
    assert!(unasked.code == Some(2) && unasked.err.contains("--yes"), "{unasked:?}");
    assert_eq!(host.all("runs").len(), 6);

    assert_eq!(with(&["--yes"]).text(), "5 runs are replayed\n");
    host.idle();
    // Those that were made died, too, and they are new.
    assert_eq!(with(&["--dry-run", "--json"]).json(), json!({ "matched": 10, "done": 0, "left_out": 5 }));
    assert_eq!(host.all("runs").len(), 11);
}

#[test]
fn many_runs_are_cancelled_at_once() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    assert!(host.cli(&["holds", "add", "steps"]).text().contains("steps is held"));
    for number in 0..7 {
        host.accept(&shop(if number < 4 { "count" } else { "total" }, &format!("n-{number}"), json!({})));
    }
    let refused = host.cli(&["runs", "cancel", "--yes"]);
    assert!(refused.code == Some(2) && refused.err.contains("--all"), "{refused:?}");
    assert_eq!(host.cli(&["runs", "cancel", "--handler", "count", "--yes"]).text(), "4 runs are cancelled\n");
    assert_eq!(host.get("health")["queue"]["pending"], 3);
    let rest = host.cli(&["runs", "cancel", "--all", "--yes", "--json"]).json();
    assert_eq!(rest, json!({ "matched": 3, "done": 3, "left_out": 0 }));
    assert_eq!(host.all("runs?state=cancelled").len(), 7);
}

#[test]
fn what_is_held_waits_over_a_restart_until_it_is_released() {
    let project = Project::with(&["steps", "welcome"]);
    let host = project.serve();
    assert_eq!(host.cli(&["holds", "list"]).text(), "Nothing is held.\n");
    host.cli(&["holds", "add", "steps/count", "--note", "the shop moves"]).text();
    let held = begun(&host, &shop("count", "1", json!({})));
    host.follow(&shop("total", "2", json!({})));
    assert_eq!(host.get(&format!("runs/{held}"))["state"], "pending");
    host.kill();

    let host = project.serve();
    let listed = host.cli(&["holds", "list"]);
    assert!(listed.text().contains("steps/count") && listed.text().contains("the shop moves"), "{listed:?}");
    assert_eq!(host.get("health")["held"], json!(["steps/count"]));
    host.follow(&shop("total", "3", json!({})));
    assert_eq!(host.get(&format!("runs/{held}"))["state"], "pending");
    assert!(host.cli(&["holds", "remove", "steps/count"]).text().contains("is released: 1 of its runs"));
    assert_eq!(host.ended_run(&held)["state"], "succeeded");
    let again = host.cli(&["holds", "remove", "steps/count"]);
    assert!(again.code == Some(1) && again.err.contains("is not held"), "{again:?}");
}

#[test]
fn a_job_is_made_by_hand_replayed_with_another_payload_and_its_result_read() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let made = host.cli(&["enqueue", "steps/link", "--text", "{ \"a\": 1 }", "--json"]).json();
    let id = made["run"].as_str().unwrap();
    let run = host.ended_run(id);
    assert_eq!((&run["result"]["data"], &run["job_detail"]["origin"]), (&json!({ "a": 1 }), &json!("operator")));
    assert_eq!(host.cli(&["runs", "result", id]).text(), r#"{"a":1}"#);
    let served = host.ask(&format!("runs/{id}/result"));
    assert_eq!(
        (served.text.as_str(), &served.headers["content-type"]),
        (r#"{"a":1}"#, &"application/json".parse().unwrap())
    );

    project.write("edited.json", r#"{"a":2}"#);
    let replayed = host.cli(&["runs", "replay", id, "--data", "edited.json", "--json"]).json();
    let new = host.ended_run(replayed["id"].as_str().unwrap());
    assert_eq!((&new["result"]["data"], &new["parent"]), (&json!({ "a": 2 }), &run["id"]));
    assert_ne!(new["idempotency_key"], run["idempotency_key"]);
    assert_eq!(host.get(&format!("runs/{id}"))["result"], run["result"], "the old run stays as it ended");

    for (arguments, code, cure) in [
        (&["enqueue", "steps/count"][..], 1, "takes events"),
        (&["enqueue", "steps"], 2, "PLUGIN/HANDLER"),
        (&["enqueue", "steps/link", "--text", "{", "--content-type", "application/json"], 2, "does not parse"),
        (&["runs", "replay", id, "--state", "dead"], 2, "not both"),
        (&["runs", "replay", "--state", "dead", "--text", "1", "--yes"], 2, "one payload"),
        (&["runs", "result", "run_00000000000000000000000000"], 1, "there is no run"),
        (&["runs", "list", "--since", "yesterday"], 2, "since"),
    ] {
        let said = host.cli(arguments);
        assert!(said.code == Some(code) && said.err.contains(cure), "{arguments:?}: {said:?}");
    }
}

#[test]
fn the_policy_of_hooks_yaml_counts_at_once_for_what_comes_in() {
    let project = Project::with(&["steps"]);
    let policy = |options: &str| format!("plugins: {{ steps: {{ handlers: {{ count: {{ {options} }} }} }} }}\n");
    project.write("hooks.yaml", policy("delay: 30d, concurrency_per: customer, expires: 1d"));
    assert_eq!(project.run(&["check"]).code, Some(0));
    let host = project.serve();
    let shown = |host: &Host<'_>| {
        let handlers = host.get("plugins/steps")["handlers"].clone();
        let of_count = handlers.as_array().unwrap().iter().find(|handler| handler["name"] == "count").unwrap();
        of_count["policy"].clone()
    };
    assert_eq!(
        (&shown(&host)["delay_ms"], &shown(&host)["concurrency_per"]),
        (&json!(2_592_000_000_u64), &json!("customer"))
    );
    let late = begun(&host, &shop("count", "1", json!({ "customer": 7 })));
    let run = host.get(&format!("runs/{late}"));
    assert_eq!((&run["key"], &run["order"], &run["state"]), (&json!("7"), &json!("due"), &json!("pending")));
    assert!(run["due"].as_str() < run["expires"].as_str() && run["created"].as_str() < run["due"].as_str(), "{run:#}");

    project.write("hooks.yaml", policy("order_per: shop"));
    until("the new policy counts", || (shown(&host)["order_per"] == "shop").then_some(()));
    let run = host.follow(&shop("count", "2", json!({ "customer": 7, "shop": "eu" })));
    assert_eq!((&run["key"], &run["order"]), (&json!("eu"), &json!("accepted")));
    assert_eq!(host.get(&format!("runs/{late}"))["state"], "pending", "what was taken in stays as it was");
}

#[test]
fn a_plugin_declares_the_policy_of_its_handlers() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let handlers = host.get("plugins/steps")["handlers"].clone();
    let parcel = handlers.as_array().unwrap().iter().find(|handler| handler["name"] == "parcel").unwrap();
    let policy = &parcel["policy"];
    assert_eq!((&policy["order_per"], &policy["concurrency"]), (&json!("customer"), &json!(8)));
    assert_eq!((&policy["backoff_curve"], &policy["attempts"]), (&json!("constant"), &json!(100)));
}
