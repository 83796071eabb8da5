//! What alerts are judged by.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookbox_core::alert::{Reading, Rules, Tries};
use hookbox_core::clock::Clock;
use hookbox_core::name::{PluginName, ProviderName, ScheduleName};
use hookbox_core::run::RunStatus;
use hookbox_core::schedule::{Origin, Pause, Reason, Rules as Terms, Schedule, When};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_http::readings::Sources;
use hookbox_store::PluginRow;
use hookbox_store::catalogue::Rollbacks;
use hookbox_store::types::ScheduleChange;

use crate::harness::{Host, NOW, shop};
use crate::operator::{die, host, target, welcome};
use crate::schedules::tick;

/// More than one look reads at a time.
const SCHEDULES: usize = 1_100;

async fn read(host: &Host, rules: &Rules, now: Timestamp) -> Reading {
    let sources = Sources {
        store: &*host.store,
        tally: &host.tally,
        spending: &host.spending,
        providers: &host.providers.load(),
        data: host.plugins.path(),
    };
    sources.read(rules, now).await.unwrap()
}

#[tokio::test]
async fn of_many_schedules_one_that_fired_late_is_found_wherever_it_stands() {
    let host = Host::new();
    host.store.put_plugin(welcome()).await.unwrap();
    let name = |n: usize| ScheduleName::parse(&format!("s-{n:05}")).unwrap();
    let schedule = |n: usize| Schedule {
        name: name(n),
        target: target("welcome", "digest"),
        // Only the last one has a slot soon.
        when: if n + 1 == SCHEDULES {
            When::every(Millis::MINUTE).unwrap()
        } else {
            When::every(Millis(30 * Millis::DAY.0)).unwrap()
        },
        payload: None,
        origin: Origin::Config,
        rules: Terms::default(),
    };
    host.store.declare_schedules((0..SCHEDULES).map(schedule).collect(), NOW).await.unwrap();
    let last = name(SCHEDULES - 1);
    let now = NOW.plus(Millis(2 * Millis::MINUTE.0 - 1_000));
    tick(&host, last.as_str(), now).await;
    let rules = Rules { schedule_late: Some(Millis(30_000)), ..Rules::default() };
    let late = read(&host, &rules, now).await.schedules;
    assert_eq!(late.keys().collect::<Vec<_>>(), [&last]);
    assert!(late[&last].late >= Millis(30_000), "{late:?}");
    let rules = Rules { schedule_late: Some(Millis::HOUR), ..Rules::default() };
    assert!(read(&host, &rules, now).await.schedules.is_empty());
}

#[tokio::test]
async fn a_slot_that_was_put_off_and_fired_late_is_told_from_when_it_fired() {
    let host = Host::new();
    host.store.put_plugin(welcome()).await.unwrap();
    let rules = Terms { jitter: Millis(6 * Millis::HOUR.0), ..Terms::default() };
    let schedule = Schedule {
        name: ScheduleName::parse("nightly").unwrap(),
        target: target("welcome", "digest"),
        when: When::every(Millis::DAY).unwrap(),
        payload: None,
        origin: Origin::Config,
        rules,
    };
    let name = schedule.name.clone();
    assert!(schedule.put_off() > Millis(20 * Millis::MINUTE.0), "else it shows nothing");
    host.store.declare_schedules(vec![schedule.clone()], NOW).await.unwrap();
    let due = NOW.plus(Millis::DAY).plus(schedule.put_off());
    let late = Millis(6 * Millis::MINUTE.0);
    tick(&host, name.as_str(), due.plus(late)).await;
    let told = async |after: Millis| {
        let now = due.plus(late).plus(after);
        read(&host, &Rules::default(), now).await.schedules.get(&name).map(|schedule| schedule.late)
    };
    assert_eq!(told(Millis(9 * Millis::MINUTE.0)).await, Some(late));
    assert_eq!(told(Millis(10 * Millis::MINUTE.0)).await, None);
}

#[tokio::test]
async fn of_many_schedules_to_look_at_those_that_only_wait_for_the_clock_are_named_last() {
    let host = Host::new();
    host.store.put_plugin(welcome()).await.unwrap();
    let schedule = |name: String| Schedule {
        name: ScheduleName::parse(&name).unwrap(),
        target: target("welcome", "digest"),
        when: When::every(Millis::HOUR).unwrap(),
        payload: None,
        origin: Origin::Config,
        rules: Terms::default(),
    };
    let all: Vec<Schedule> = (100..=220).map(|number| schedule(format!("s-{number}"))).collect();
    let last = all[120].name.clone();
    host.store.declare_schedules(all, NOW).await.unwrap();
    let failing = Pause { failures: Some(3), ..Pause::new(NOW, None) };
    host.store.change_schedule(&last, ScheduleChange::Pause(failing), NOW).await.unwrap();
    let named = async |now, rules: Rules| read(&host, &rules, now).await.attention;
    assert_eq!(named(NOW, Rules::default()).await, [(last.clone(), Reason::Failing)].into());
    let behind = NOW.minus(Millis::HOUR);
    let many = named(behind, Rules::default()).await;
    assert_eq!((many.len(), many[&last]), (100, Reason::Failing));
    let waiting = many.iter().filter(|(_, reason)| **reason == Reason::ClockBehind).map(|(name, _)| name.as_str());
    assert!(waiting.eq((100..199).map(|number| format!("s-{number}"))), "{many:?}");
    let off = Rules { schedule_attention: false, ..Rules::default() };
    assert_eq!(named(behind, off).await, BTreeMap::new());
}

#[tokio::test]
async fn each_number_is_what_the_host_has_counted() {
    let (host, _) = host().await;
    host.deliver(shop(r#"{"type":"user.created","event_id":"e-2"}"#)).await;
    host.deliver(Request::post("/api/v1/webhooks/webhook/my-shop").body(Body::from("forged")).unwrap()).await;
    die(&host).await;
    host.spending.finished(&target("welcome", "on-user"), RunStatus::Dead);
    host.spending.finished(&target("welcome", "on-user"), RunStatus::Succeeded);
    let rolled_back = PluginRow { rollbacks: Rollbacks { by_host: 2, by_operator: 1 }, ..welcome() };
    host.store.put_plugin(rolled_back).await.unwrap();
    host.clock.advance(Millis(90_000));
    let quiet = BTreeMap::from([(ScheduleName::parse("nightly").unwrap(), Millis::HOUR)]);
    let provider = |name: &str| ProviderName::parse(name).unwrap();
    let silent = ["my_shop", "nobody"].map(|name| (provider(name), Millis::HOUR)).into();
    let rules = Rules { schedule_quiet: quiet, provider_silent: silent, ..Rules::default() };
    let reading = read(&host, &rules, host.clock.now()).await;
    assert_eq!(reading.dead, 1);
    assert_eq!(reading.oldest, Millis(90_000), "one waits still");
    assert_eq!(reading.handlers[&target("welcome", "on-user")], Tries { ended: 2, failed: 1 });
    let sender = &reading.providers[&provider("my-shop")];
    assert_eq!((sender.accepted, sender.refused), (2, 1));
    assert_eq!(reading.heard, [(provider("my_shop"), NOW)].into(), "by the name that the rule has");
    assert_eq!(reading.rollbacks[&PluginName::parse("welcome").unwrap()], 2, "those of operators are no alert");
    assert!((1..=100).contains(&reading.disk_free.unwrap()));
    assert!(reading.schedules.contains_key(&ScheduleName::parse("nightly").unwrap()), "{:?}", reading.schedules);
    host.write("PUT", "/api/v1/holds/welcome", serde_json::json!({})).await;
    let held = read(&host, &rules, host.clock.now()).await;
    assert_eq!(held.oldest, Millis(0), "what is held waits because somebody wants it to");
    host.lifecycle.begin_draining();
    let refused = host.deliver(shop(r#"{"type":"user.created","event_id":"e-3"}"#)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let draining = read(&host, &rules, host.clock.now()).await;
    assert_eq!(draining.providers[&provider("my-shop")].refused, 1, "the host's own doing");
}
