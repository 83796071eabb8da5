//! A preview of a schedule says what its PUT would make of it, whatever is known of its name.

use hookbox_core::name::ScheduleName;
use hookbox_core::schedule::{Origin, Rules, Schedule, When};
use hookbox_core::time::Millis;
use serde_json::{Value, json};

use crate::harness::{Host, NOW};
use crate::operator::{host, target};
use crate::schedules::tick;

const HOURLY: &str = "/api/v1/schedules/hourly";

fn every_hour(more: Value) -> Value {
    let mut asked = json!({ "plugin": "welcome", "handler": "repair", "every": "1h" });
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked
}

async fn put(host: &Host, more: Value) -> Value {
    let answer = host.write("PUT", HOURLY, every_hour(more)).await;
    assert!(answer.status.is_success(), "{}", answer.body);
    answer.json()
}

/// Previews it, and then makes it: both say the same. Tells its next slots and the warnings.
async fn previewed(host: &Host, more: Value) -> (Vec<String>, Vec<String>) {
    let before = host.get(HOURLY).await.body;
    let preview = host.write("POST", "/api/v1/schedules/preview?name=hourly", every_hour(more.clone())).await.json();
    assert_eq!((&preview["good"], host.get(HOURLY).await.body), (&json!(true), before), "{preview:#}");
    let made = put(host, more).await;
    for part in ["when", "rules", "upcoming", "warnings"] {
        assert_eq!(preview[part], made[part], "{part}");
    }
    let texts = |all: &Value, member: Option<&str>| {
        let all = all.as_array().unwrap().iter();
        all.map(|one| member.map_or(one, |member| &one[member]).as_str().unwrap().to_owned()).collect()
    };
    (texts(&preview["upcoming"], Some("slot")), texts(&preview["warnings"], None))
}

#[tokio::test]
async fn the_phase_of_the_same_rule_is_kept_and_another_rule_begins_anew() {
    let (host, _) = host().await;
    put(&host, json!({})).await;
    host.clock.advance(Millis(20 * Millis::MINUTE.0));
    let (slots, _) = previewed(&host, json!({ "overlap": "allow" })).await;
    assert_eq!(slots[0], NOW.plus(Millis::HOUR).to_string());
    let (slots, _) = previewed(&host, json!({ "every": "2h" })).await;
    assert_eq!(slots[0], NOW.plus(Millis(140 * Millis::MINUTE.0)).to_string());
}

#[tokio::test]
async fn slots_that_are_decided_are_not_shown_again() {
    let (host, _) = host().await;
    put(&host, json!({})).await;
    tick(&host, "hourly", NOW.plus(Millis(9 * Millis::HOUR.0))).await;
    let next = NOW.plus(Millis(10 * Millis::HOUR.0)).to_string();
    let (slots, _) = previewed(&host, json!({ "overlap": "allow" })).await;
    assert_eq!(slots[0], next);
    // Nor where an operator has removed it meanwhile.
    host.clock.advance(Millis(20 * Millis::MINUTE.0));
    assert_eq!(host.write("DELETE", HOURLY, json!({})).await.status, 200);
    let (slots, _) = previewed(&host, json!({})).await;
    assert_eq!(slots[0], next);
}

#[tokio::test]
async fn a_count_that_is_used_up_and_a_declaration_that_will_not_count_are_told() {
    let (host, _) = host().await;
    let of_plugin = Schedule {
        name: ScheduleName::parse("hourly").unwrap(),
        target: target("welcome", "digest"),
        when: When::cron("0 2 * * *", None).unwrap(),
        payload: None,
        origin: Origin::Plugin,
        rules: Rules::default(),
    };
    host.store.declare_schedules(vec![of_plugin], NOW).await.unwrap();
    let (slots, warnings) = previewed(&host, json!({ "count": 1 })).await;
    assert_eq!((slots.len(), warnings.len()), (1, 1));
    assert!(warnings[0].contains("of a plugin does not count"), "{warnings:?}");
    tick(&host, "hourly", NOW.plus(Millis::HOUR)).await;
    let (slots, warnings) = previewed(&host, json!({ "count": 1, "missed": "none" })).await;
    assert_eq!((slots.len(), warnings.len()), (0, 2));
    assert!(warnings[0].contains("its count is used up"), "{warnings:?}");
}
