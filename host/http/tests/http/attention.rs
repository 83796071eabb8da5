//! Schedules that somebody should look at are shown with their cure, and told as metrics.

use hookbox_core::name::ScheduleName;
use hookbox_core::queue::Room;
use hookbox_core::schedule::{Pause, SlotDecision};
use hookbox_core::time::Millis;
use hookbox_store::types::{Firing, ScheduleChange};
use serde_json::{Value, json};

use crate::harness::{Host, NOW};
use crate::operator::host;

const HOURLY: &str = "/api/v1/schedules/hourly";

async fn hourly() -> Host {
    let (host, _) = host().await;
    host.write("PUT", HOURLY, json!({ "plugin": "welcome", "handler": "repair", "every": "1h", "phase": "5m" })).await;
    host
}

fn name() -> ScheduleName {
    "hourly".parse().unwrap()
}

/// What the list, the schedule itself and the metrics say.
async fn told(host: &Host, reason: &str) -> (Value, Value, u64) {
    let list = host.get("/api/v1/schedules?limit=1").await.json()["items"][0]["attention"]["reason"].clone();
    let own = host.get(HOURLY).await.json()["attention"].clone();
    let page = host.get("/metrics").await.body;
    let head = format!("hookbox_schedules_needing_attention{{reason=\"{reason}\"}} ");
    let number = page.lines().find_map(|line| line.strip_prefix(&head)).unwrap().parse().unwrap();
    (list, own, number)
}

#[tokio::test]
async fn a_schedule_that_is_well_needs_nobody() {
    let host = hourly().await;
    for reason in ["failing", "no-next-slot", "undecided", "clock-behind"] {
        assert_eq!(told(&host, reason).await, (Value::Null, Value::Null, 0));
    }
    host.post(&format!("{HOURLY}/pause")).await;
    host.clock.advance(Millis::DAY);
    assert_eq!(told(&host, "undecided").await.1, Value::Null, "an operator knows of a pause");
}

#[tokio::test]
async fn one_that_failures_have_paused_is_told_until_it_is_resumed() {
    let host = hourly().await;
    let pause = Pause { failures: Some(3), ..Pause::new(NOW, None) };
    host.store.change_schedule(&name(), ScheduleChange::Pause(pause), NOW).await.unwrap();
    let (list, own, number) = told(&host, "failing").await;
    let cure = "its runs failed: mend its handler, then `hookbox schedules resume hourly`";
    assert_eq!(own, json!({ "reason": "failing", "since": NOW.to_string(), "cure": cure }));
    assert_eq!((list, number), (json!("failing"), 1));
    host.post(&format!("{HOURLY}/resume")).await;
    assert_eq!(told(&host, "failing").await, (Value::Null, Value::Null, 0));
}

#[tokio::test]
async fn one_that_has_no_next_slot_is_told_until_it_is_begun_anew() {
    let host = hourly().await;
    let row = host.store.schedule(&name()).await.unwrap();
    let (from, to) = (row.decided, row.decided);
    let (paused, missed) = (Default::default(), Default::default());
    let decision = SlotDecision { from, to, paused, missed, fire: Vec::new(), next: None };
    let firing =
        Firing { schedule: name(), basis: row.basis(), decision, jobs: Vec::new(), room: Room(1_000_000), now: NOW };
    host.store.fire(firing).await.unwrap();
    let (list, own, number) = told(&host, "no-next-slot").await;
    assert_eq!((&list, number), (&json!("no-next-slot"), 1));
    let cure = own["cure"].as_str().unwrap();
    assert!(cure.ends_with("change its rule, or begin it anew with `hookbox schedules reset hourly`"), "{own}");
    let page = host.get("/metrics").await.body;
    for line in ["hookbox_schedules{state=\"no-next-slot\"} 1", "hookbox_schedules{state=\"ended\"} 0"] {
        assert!(page.lines().any(|told| told == line), "{line} is missing in\n{page}");
    }
    host.post(&format!("{HOURLY}/reset")).await;
    assert_eq!(told(&host, "no-next-slot").await, (Value::Null, Value::Null, 0));
}

#[tokio::test]
async fn a_clock_that_is_behind_and_slots_that_are_overdue_are_told() {
    let host = hourly().await;
    host.clock.advance(Millis(2 * Millis::HOUR.0));
    let (_, own, number) = told(&host, "undecided").await;
    assert_eq!((&own["reason"], &own["since"]), (&json!("undecided"), &json!("2025-06-25T15:05:00.000Z")));
    assert_eq!(number, 1);
    let ahead = NOW.plus(Millis::DAY);
    host.store.change_schedule(&name(), ScheduleChange::Reset, ahead).await.unwrap();
    let (_, own, number) = told(&host, "clock-behind").await;
    assert_eq!((&own["reason"], &own["since"], number), (&json!("clock-behind"), &Value::Null, 1));
    assert!(own["cure"].as_str().unwrap().contains("schedules reset hourly"), "{own}");
}

#[tokio::test]
async fn a_clock_that_is_behind_is_shown_beside_what_comes_first() {
    let host = hourly().await;
    let behind = async || {
        let (list, own) = (host.get("/api/v1/schedules").await.json(), host.get(HOURLY).await.json());
        assert_eq!(list["items"][0]["clock_behind"], own["clock_behind"]);
        (own["clock_behind"].clone(), own["attention"]["reason"].clone())
    };
    let pause = Pause { failures: Some(3), ..Pause::new(NOW, None) };
    host.store.change_schedule(&name(), ScheduleChange::Pause(pause), NOW).await.unwrap();
    assert_eq!(behind().await, (json!(false), json!("failing")));
    host.store.change_schedule(&name(), ScheduleChange::Reset, NOW.plus(Millis::DAY)).await.unwrap();
    assert_eq!(behind().await, (json!(true), json!("failing")));
    host.post(&format!("{HOURLY}/reset")).await;
    assert_eq!(behind().await, (json!(false), json!("failing")));
}

#[tokio::test]
async fn slots_that_ended_with_their_rule_are_shown_as_missed_and_why() {
    let host = hourly().await;
    host.clock.advance(Millis(2 * Millis::HOUR.0));
    host.write("PUT", HOURLY, json!({ "plugin": "welcome", "handler": "repair", "every": "2h" })).await;
    let view = host.get(HOURLY).await.json();
    let recent = &view["recent"][0];
    assert_eq!(
        (&recent["verdict"], &recent["why"], &recent["slots"]),
        (&json!("missed"), &json!("changed"), &json!(2))
    );
    assert_eq!(view["counts"]["missed"], 2);
}
