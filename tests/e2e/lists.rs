//! Lists of runs by the command line: their order, their columns, any of several values, and waiting for a result.

use serde_json::{Value, json};

use crate::harness::{Project, shop};

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()).collect()
}

#[test]
fn what_a_run_has_asked_for_is_found_by_it() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let chain = host.follow(&shop("chain", "1", json!({})));
    host.idle();
    let id = chain["id"].as_str().unwrap();
    let made = host.cli(&["runs", "list", "--made-by", id, "--sort", "handler", "--json"]).json();
    let handlers: Vec<&Value> = made["items"].as_array().unwrap().iter().map(|run| &run["handler"]).collect();
    assert_eq!(handlers, ["chained", "link"], "an event that it emitted, and a job");
    assert!(made["items"].as_array().unwrap().iter().all(|run| run["made_by"] == id), "{made:#}");
}

#[test]
fn runs_are_listed_in_the_order_and_with_the_columns_that_are_asked_for() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let first = host.follow(&shop("doomed", "1", json!({})));
    let second = host.follow(&shop("count", "2", json!({})));
    let listed = |more: &[&str]| host.cli(&[&["runs", "list", "--json"], more].concat()).json();
    let (first, second) = (first["id"].as_str().unwrap(), second["id"].as_str().unwrap());
    assert_eq!(ids(&listed(&["--sort", "created"])), [first, second]);
    assert_eq!(ids(&listed(&["--sort=-created"])), [second, first]);
    assert_eq!(ids(&listed(&["--sort", "-state"])), [first, second]);
    assert_eq!(ids(&listed(&["--state", "dead", "--state", "succeeded"])), [second, first]);
    assert_eq!(ids(&listed(&["--state", "dead", "--handler", "count", "--handler", "doomed"])), [first]);
    let table = host.cli(&["runs", "list", "--state", "dead", "--columns", "state,id"]).text().to_owned();
    assert!(table.starts_with("STATE  ID") && table.contains(&format!("dead   {first}")), "{table}");
    for wrong in [["--columns", "colour"], ["--sort", "colour"]] {
        let refused = host.cli(&[&["runs", "list"], &wrong[..]].concat());
        assert_ne!(refused.code, Some(0), "{refused:?}");
    }
    let kept = ["searches", "keep", "slow", "--state", "dead", "--sort=-duration", "--columns", "run,duration"];
    assert_eq!(host.cli(&kept).code, Some(0));
    assert_eq!(host.get("searches")["items"][0]["query"], "state=dead&sort=-duration&columns=run%2Cduration");
}

#[test]
fn a_job_is_made_and_its_result_waited_for() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let asked = ["enqueue", "steps/link", "--text", r#"{"from":"hand"}"#, "--wait", "30", "--json"];
    let made = host.cli(&asked).json();
    assert_eq!((&made["waited"]["state"], &made["new"]), (&json!("succeeded"), &json!(true)), "{made:#}");
    let run = made["run"].as_str().unwrap();
    let result = host.cli(&["runs", "result", run, "--wait", "30"]);
    assert_eq!(result.code, Some(0), "{result:?}");
    let told = host.cli(&["enqueue", "steps/link", "--text", "no JSON", "--wait", "30"]);
    assert_ne!(told.code, Some(0), "one that fails is a failure here, too: {told:?}");
    let late = ["enqueue", "steps/link", "--text", "{}", "--delay", "1h", "--wait", "0"];
    let late = host.cli(&late);
    assert!(late.code != Some(0) && format!("{late:?}").contains("has not ended"), "{late:?}");
    let late = ["enqueue", "steps/link", "--text", "{}", "--delay", "1h", "--wait", "0", "--json"];
    let late = host.cli(&late);
    let made: Value = serde_json::from_str(&late.out).unwrap_or_else(|error| panic!("{error}: {late:?}"));
    assert_eq!((late.code, &made["waited"]["state"]), (Some(1), &json!("pending")), "one answer alone: {late:?}");
}
