//! How runs end, are tried again, die and are replayed.

use serde_json::{Value, json};

use crate::harness::{Project, shop};

fn outcomes(run: &Value) -> Vec<&str> {
    run["attempts"].as_array().unwrap().iter().map(|attempt| attempt["outcome"].as_str().unwrap()).collect()
}

#[test]
fn a_failure_is_tried_again_until_it_succeeds() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let run = host.follow(&shop("flaky", "1", json!({})));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    assert_eq!(outcomes(&run), ["retryable", "retryable", "completed"]);
    assert_eq!(run["attempts"][1]["message"], "attempt 2 fails");
    assert_eq!(run["result"]["data"], json!({ "attempt": 3 }));
    let numbers: Vec<_> = run["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["number"]).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn a_permanent_failure_is_a_dead_letter_at_once() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let run = host.follow(&shop("broken", "1", json!({})));
    assert_eq!((&run["state"], &run["cause"]), (&json!("dead"), &json!("permanent")));
    assert_eq!(outcomes(&run), ["permanent"]);
    assert_eq!(run["last_message"], "nothing can be done");
    assert_eq!(host.all("runs?state=dead").len(), 1);
    assert_eq!(host.get("health")["queue"]["dead"], 1);
}

#[test]
fn a_dead_letter_is_replayed_as_a_new_run_of_the_same_key() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let event = host.accept(&shop("doomed", "1", json!({})));
    let old = host.run_of(&event);
    assert_eq!((&old["state"], &old["cause"]), (&json!("dead"), &json!("attempts-exhausted")));
    assert_eq!(outcomes(&old), ["retryable", "retryable"]);
    let id = old["id"].as_str().unwrap();

    let made = host.write(&format!("runs/{id}/replay"));
    assert_eq!((made.status, made.str("parent")), (201, id), "{made:?}");
    let new = host.ended_run(made.str("id"));
    assert_ne!(new["id"], old["id"]);
    assert_eq!((&new["parent"], &new["event"]), (&old["id"], &old["event"]));
    assert_eq!(new["idempotency_key"], old["idempotency_key"]);
    assert_eq!(outcomes(&new), ["retryable", "retryable"]);
    let mut kept = host.get(&format!("runs/{id}"));
    assert_eq!(kept["replayed"].take(), new["id"]);
    assert_eq!(kept, old, "the old run stays as it ended");
    assert_eq!(host.get(&format!("events/{event}"))["run_ids"].as_array().unwrap().len(), 2);
}

#[test]
fn a_run_that_is_not_finished_cannot_be_replayed() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    project.take_away("steps");
    crate::harness::until("the plugin is gone", || (host.get("plugins/steps")["state"] == "missing").then_some(()));
    let event = host.accept(&shop("count", "1", json!({})));
    let run = host.get(&format!("events/{event}"))["run_ids"][0].as_str().unwrap().to_owned();
    assert_eq!(host.write(&format!("runs/{run}/replay")).status, 409);
    assert_eq!(host.write("runs/run_00000000000000000000000000/replay").status, 404);
}

#[test]
fn a_replay_does_again_what_was_done() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let run = host.follow(&shop("count", "1", json!({})));
    let made = host.write(&format!("runs/{}/replay", run["id"].as_str().unwrap()));
    let again = host.ended_run(made.str("id"));
    assert_eq!((&again["state"], &again["result"]), (&json!("succeeded"), &run["result"]));
    assert_eq!(host.follow(&shop("total", "2", json!({})))["result"]["data"], 2);
}

#[test]
fn an_attempt_that_fails_leaves_nothing_it_wrote() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let run = host.follow(&shop("half", "1", json!({})));
    assert_eq!(run["state"], "dead");
    assert_eq!(host.follow(&shop("total", "2", json!({})))["result"]["data"], 0);
    assert!(host.all("events").iter().all(|event| event["source"] == "provider/shop"));
}

#[test]
fn what_a_run_emits_and_enqueues_runs_in_turn() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let run = host.follow(&shop("chain", "1", json!({})));
    assert_eq!(run["state"], "succeeded");
    host.idle();
    let of = |handler: &str| {
        let runs = host.all(&format!("runs?handler={handler}"));
        assert_eq!(runs.len(), 1, "{runs:?}");
        host.get(&format!("runs/{}", runs[0]["id"].as_str().unwrap()))
    };
    assert_eq!(of("chained")["result"]["data"], json!({ "source": "plugin/steps", "subject": "link" }));
    assert_eq!(of("link")["result"]["data"], json!({ "from": "chain" }));
    assert_eq!(of("link")["job_detail"]["origin"], "plugin/steps");
}

#[test]
fn a_loop_of_events_ends_in_a_dead_letter() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    host.accept(&shop("loop", "1", json!({})));
    host.idle();
    let dead = host.all("runs?state=dead");
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!((&dead[0]["cause"], &dead[0]["hops"]), (&json!("loop"), &json!(17)));
    assert_eq!(host.all("runs?state=succeeded").len(), 17);
}

#[test]
fn many_runs_that_count_at_once_lose_no_count() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    for number in 0..60 {
        host.accept(&shop("count", &format!("n-{number}"), json!({})));
    }
    host.idle();
    assert_eq!(host.follow(&shop("total", "sum", json!({})))["result"]["data"], 60);
}
