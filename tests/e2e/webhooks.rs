//! A webhook from its POST to a result that the API shows.

use serde_json::json;

use crate::harness::{GITHUB, LETTERS, Project, STRIPE, shop};

const PUSH: &str = include_str!("../../plugins/github-notify/fixtures/push.json");
const PAYMENT: &str = include_str!("../../plugins/payments/fixtures/payment_intent.succeeded.json");

#[test]
fn a_webhook_of_the_generic_scheme_travels_to_a_recorded_result() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let event = host.accept(&shop("user.created", "user-1", json!({ "data": { "name": "Ada" } })));
    let run = host.run_of(&event);
    assert_eq!((&run["state"], &run["attempts_begun"]), (&json!("succeeded"), &json!(1)), "{run:#}");
    assert_eq!(run["result"]["data"], json!({ "event_id": "user-1", "greeting": "Welcome, Ada!" }));
    let attempt = &run["attempts"][0];
    assert_eq!(attempt["outcome"], "completed");
    assert_eq!(attempt["log"]["lines"][0]["message"], "greeted a user for user-1");
    assert_eq!(attempt["version"], host.get("plugins/welcome")["digest"]);

    let shown = host.get(&format!("events/{event}"));
    assert_eq!((&shown["topic"], &shown["source"]), (&json!("shop/user.created"), &json!("provider/shop")));
    assert_eq!(shown["attributes"]["delivery-id"], "user-1");
    assert_eq!(shown["attributes"]["integrity"], "full");
    assert_eq!(shown["runs"][0]["state"], "succeeded");
    assert_eq!(host.get("events")["items"][0]["id"], event);
    assert_eq!(host.get("runs")["items"][0]["id"], run["id"]);
}

#[test]
fn a_push_of_github_travels_to_a_recorded_result() {
    let project = Project::with(&["github-notify"]);
    let host = project.serve();
    let push = GITHUB.sign("72d3162e-cc78-11e3-81ab-4c9367dc0958", PUSH).header("X-GitHub-Event", "push");
    let run = host.follow(&push);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let text = "mona pushed 2 commits to main of octo-org/hello-world: Fix the greeting";
    assert_eq!(run["result"]["data"]["text"], text);
    let emitted = host.all("events").into_iter().find(|event| event["source"] == "plugin/github-notify").unwrap();
    assert_eq!((&emitted["topic"], &emitted["hops"]), (&json!("github-notify/pushed"), &json!(1)));
}

#[test]
fn a_payment_of_stripe_travels_to_a_recorded_result_and_its_receipt() {
    let project = Project::with(&["payments"]);
    let host = project.serve();
    let run = host.follow(&STRIPE.sign("", PAYMENT));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let booking = json!({ "payment": "pi_3OqF2eLkdIwHu7ix0AbCdEfG", "amount": 2000, "currency": "usd" });
    assert_eq!(run["result"]["data"], booking);
    host.idle();
    let receipt = host.all("runs?handler=receipt").remove(0);
    let receipt = host.get(&format!("runs/{}", receipt["id"].as_str().unwrap()));
    assert_eq!(receipt["result"]["data"]["text"], "Receipt 000001: 20.00 USD paid with thanks");
    assert_eq!(receipt["job_detail"]["origin"], "plugin/payments");
}

#[test]
fn a_webhook_of_the_standard_scheme_travels_to_a_recorded_result() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let body = r#"{"type":"letter.sent","data":{"to":"ada"}}"#;
    let run = host.follow(&LETTERS.sign("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", body));
    let expected = json!({
        "provider": "standard-webhooks",
        "type": "letter.sent",
        "delivery": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        "bytes": body.len(),
    });
    assert_eq!(run["result"]["data"], expected, "{run:#}");
}

#[test]
fn a_duplicate_is_answered_with_the_first_id_and_makes_no_run() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let webhook = shop("user.created", "user-1", json!({}));
    let event = host.accept(&webhook);
    for _ in 0..3 {
        let again = host.post(&webhook);
        assert_eq!((again.status, again.str("status"), again.str("id")), (200, "duplicate", event.as_str()));
    }
    host.run_of(&event);
    assert_eq!(host.all("events").len(), 1);
    assert_eq!(host.all("runs").len(), 1);
    assert_eq!(host.get("health")["counts"]["duplicates"], 3);
}

#[test]
fn a_duplicate_is_known_after_a_restart() {
    let project = Project::with(&["welcome"]);
    let webhook = shop("user.created", "user-1", json!({}));
    let host = project.serve();
    let event = host.accept(&webhook);
    host.kill();
    let host = project.serve();
    let again = host.post(&webhook);
    assert_eq!((again.status, again.str("id")), (200, event.as_str()));
    assert_eq!(host.all("runs").len(), 1);
}

#[test]
fn an_event_that_no_handler_wants_is_kept() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let event = host.accept(&shop("order.lost", "1", json!({})));
    let shown = host.get(&format!("events/{event}"));
    assert_eq!(shown["run_ids"], json!([]));
    assert_eq!(host.get("health")["counts"]["unrouted"], 1);
}

#[test]
fn what_plugins_tell_each_other_arrives() {
    let project = Project::with(&["welcome", "github-notify", "payments", "daily-digest"]);
    let host = project.serve();
    host.accept(&shop("user.created", "user-1", json!({})));
    host.accept(&GITHUB.sign("72d3162e", PUSH).header("X-GitHub-Event", "push"));
    host.accept(&STRIPE.sign("", PAYMENT));
    host.idle();
    let started = host.write("schedules/daily-digest.digest/run");
    assert_eq!(started.status, 201, "{started:?}");
    let digest = host.ended_run(started.str("run"));
    assert_eq!(digest["result"]["data"]["text"], "1 push, 1 payment, 1 new user", "{digest:#}");
    assert!(host.all("events").iter().any(|event| event["topic"] == "daily-digest/digest.ready"));
}
