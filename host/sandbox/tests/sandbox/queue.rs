//! Jobs and events that an attempt makes.

use std::collections::BTreeSet;

use hookbox_core::denial::DeniedKind;
use hookbox_core::enqueue::EnqueueGrant;
use hookbox_core::limits::{PluginSettings, QUEUE_ITEMS};
use hookbox_core::plugin::Trigger;
use hookbox_core::route::Pattern;
use hookbox_core::time::Timestamp;

use crate::world::{NOON, World, call, output, plugin};

#[tokio::test]
async fn a_job_waits_for_the_end_of_the_attempt_under_the_id_it_was_given() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("enqueues", "").await;
    let ids: Vec<String> = output(&executed).lines().map(str::to_owned).collect();
    let jobs = &executed.effects.jobs;
    assert_eq!(ids, jobs.iter().map(|job| job.id.to_string()).collect::<Vec<_>>());
    assert_ne!(jobs[0].id, jobs[1].id);
    assert_ne!(jobs[0].run, jobs[1].run);
    assert_eq!((jobs[0].target.to_string().as_str(), jobs[0].data.as_slice()), ("mischief/ok", b"{}".as_slice()));
    assert_eq!((jobs[0].run_at, jobs[0].unique_key.as_deref()), (Some(Timestamp(1000)), Some("once")));
    assert_eq!((jobs[0].content_type.as_str(), jobs[0].id.time()), ("application/json", NOON));
}

#[tokio::test]
async fn ids_differ_between_attempts_and_repeat_within_one() {
    let world = World::with(PluginSettings::default()).await;
    let mut ids = BTreeSet::new();
    for attempt in [1, 2, 1] {
        let mut call = call("enqueues", "");
        call.attempt = attempt;
        ids.insert(output(&world.execute(call).await));
    }
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn bad_jobs_are_refused_with_their_reason() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("enqueues", "bad").await;
    let answers: Vec<String> = output(&executed).lines().map(str::to_owned).collect();
    assert!(answers[0].contains("UnknownHandler") && answers[1].contains("UnknownHandler"), "{answers:?}");
    assert!(answers[2].contains("at most 262144") && answers[3].contains("unique key"), "{answers:?}");
    assert!(executed.effects.jobs.is_empty());
}

#[tokio::test]
async fn a_job_for_another_plugin_needs_a_grant_and_the_refusal_shows_it() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("enqueues", "for daily-digest/digest mischief/ok").await;
    let (answer, lines) = (output(&executed), r#"grants:\n      enqueue: [ \"daily-digest/digest\" ]"#);
    assert!(answer.contains(lines), "{answer}");
    let made: Vec<String> = executed.effects.jobs.iter().map(|job| job.target.to_string()).collect();
    assert_eq!(made, ["mischief/ok"], "its own handlers may be written in full");
    let [denied] = executed.denied.as_slice() else { panic!("{:?}", executed.denied) };
    assert_eq!((denied.kind, denied.what.as_str()), (DeniedKind::Enqueue, "daily-digest/digest"));
}

#[tokio::test]
async fn a_job_for_another_plugin_is_for_a_handler_of_jobs_that_is_there() {
    let enqueue = ["daily-digest/*", "absent/*"].map(|grant| EnqueueGrant::parse(grant).unwrap()).to_vec();
    let world = World::with(PluginSettings { enqueue, ..PluginSettings::default() }).await;
    let (name, bytes) = (plugin("daily-digest"), hookbox_tests::sample("daily-digest"));
    let digest = world.sandbox.prepare(&name, bytes.into(), PluginSettings::default()).await.unwrap();
    world.sandbox.activate(&digest);
    let takes = |events: bool| {
        let fits = |trigger: &Trigger| matches!(trigger, Trigger::Events(_)) == events;
        let handler = digest.info.handlers.iter().find(|handler| fits(&handler.trigger)).unwrap();
        format!("daily-digest/{}", handler.name)
    };
    let told = format!("for {} {} daily-digest/nobody absent/work", takes(false), takes(true));
    let executed = world.run("enqueues", &told).await;
    let answers = output(&executed);
    let unknown: Vec<bool> = answers.lines().map(|answer| answer.contains("UnknownHandler")).collect();
    assert_eq!(unknown, [false, true, true, true], "{answers}");
    let made: Vec<String> = executed.effects.jobs.iter().map(|job| job.target.to_string()).collect();
    assert_eq!(made, [takes(false)], "{answers}");
}

#[tokio::test]
async fn one_attempt_makes_a_bounded_number() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("enqueues", "many").await;
    assert!(output(&executed).lines().last().unwrap().contains("at most 100 jobs and events"));
    assert_eq!(executed.effects.jobs.len(), QUEUE_ITEMS);
}

#[tokio::test]
async fn a_plain_type_lies_below_the_plugin() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("emits", "order.ready mischief/order.ready").await;
    for event in &executed.effects.events {
        assert_eq!((event.namespace.as_str(), event.event_type.as_str()), ("mischief", "order.ready"));
        assert_eq!(
            (event.content_type.as_str(), event.subject.as_deref()),
            ("application/octet-stream", Some("order 7"))
        );
    }
    assert_eq!(executed.effects.events.len(), 2);
}

#[tokio::test]
async fn another_namespace_needs_a_grant_and_the_refusal_shows_it() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("emits", "digest/ready").await;
    let answer = output(&executed);
    let lines = r#"plugins:\n  mischief:\n    grants:\n      emit: [ \"digest/ready\" ]"#;
    assert!(answer.contains(lines), "{answer}");
    assert!(executed.effects.events.is_empty());
    let [denied] = executed.denied.as_slice() else { panic!("{:?}", executed.denied) };
    assert_eq!((denied.kind, denied.what.as_str()), (DeniedKind::Emit, "digest/ready"));

    let emit = vec![Pattern::parse("digest/*").unwrap()];
    let world = World::with(PluginSettings { emit, ..PluginSettings::default() }).await;
    let events = world.run("emits", "digest/ready").await.effects.events;
    assert_eq!((events[0].namespace.as_str(), events[0].event_type.as_str()), ("digest", "ready"));
}

#[tokio::test]
async fn bad_types_are_refused() {
    let world = World::with(PluginSettings::default()).await;
    let long = "x".repeat(129);
    let executed = world.run("emits", &format!("a%20b mischief/ Digest/x \u{1b}[m {long}")).await;
    let answer = output(&executed);
    assert_eq!(answer.lines().filter(|line| line.contains("LimitExceeded")).count(), 5, "{answer}");
    assert!(executed.effects.events.is_empty());
}
