//! One attempt: what goes in and what comes out.

use std::sync::Arc;

use hookbox_core::attempt::{Input, MESSAGE_BYTES_MAX, Outcome};
use hookbox_core::denial::DeniedKind;
use hookbox_core::effects::Effects;
use hookbox_core::event::{Event, Job, JobOrigin, Source};
use hookbox_core::id::{EventId, JobId};
use hookbox_core::limits::PluginSettings;
use hookbox_core::name::{HandlerName, ProviderName, ScheduleName};
use hookbox_core::secret::Secret;
use hookbox_core::time::Millis;
use hookbox_sandbox::SandboxError;

use crate::world::{NOON, World, call, output, plugin};

fn event() -> Input {
    Input::Event(Arc::new(Event {
        id: EventId::new(NOON, 3),
        source: Source::Provider(ProviderName::parse("shop").unwrap()),
        namespace: "shop".into(),
        event_type: "user.created".into(),
        subject: None,
        time: NOON,
        content_type: "application/json".into(),
        data: b"{}".to_vec(),
        attributes: vec![("provider".into(), "shop".into())],
        hops: 0,
    }))
}

fn job(origin: JobOrigin) -> Input {
    let id = JobId::new(NOON, 2);
    Input::Job(Arc::new(Job {
        id,
        origin,
        scheduled_at: NOON,
        content_type: String::new(),
        data: vec![],
        hops: 0,
        trace: None,
    }))
}

#[tokio::test]
async fn a_job_runs_on_the_active_version_and_its_cost_is_told() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("ok", "").await;
    assert_eq!(output(&executed), "[]");
    assert_eq!(executed.version, Some(world.sandbox.active(&plugin("mischief")).unwrap().digest));
    assert!(executed.cost.memory_peak_bytes >= 1 << 16 && executed.cost.wall_us > 0);
    assert_eq!(executed.effects, Effects::default());
}

#[tokio::test]
async fn an_event_arrives_whole() {
    let world = World::with(PluginSettings::default()).await;
    let mut call = call("on-event", "");
    call.input = event();
    let deadline = call.started.plus(call.timeout).0;
    let text = output(&world.execute(call).await);
    assert_eq!(text, format!("on-event provider/shop user.created provider=shop {{}} {deadline}"));
}

#[tokio::test]
async fn a_job_says_where_it_comes_from() {
    let world = World::with(PluginSettings::default()).await;
    let mut call = call("ok", "");
    call.input = job(JobOrigin::Schedule(ScheduleName::parse("nightly").unwrap()));
    assert_eq!(output(&world.execute(call.clone()).await), r#"[("schedule", "nightly")]"#);
    call.input = job(JobOrigin::Plugin(plugin("mischief")));
    assert_eq!(output(&world.execute(call).await), r#"[("enqueued-by", "mischief")]"#);
}

#[tokio::test]
async fn work_that_no_handler_takes_is_no_such_handler() {
    let world = World::with(PluginSettings::default()).await;
    let mut nobody = call("ok", "");
    nobody.target.plugin = plugin("nobody");
    let mut unknown = call("ok", "");
    unknown.target.handler = HandlerName::parse("unknown").unwrap();
    let mut event_for_job = call("ok", "");
    event_for_job.input = event();
    for call in [nobody, unknown, event_for_job, call("on-event", "")] {
        let refused = world.sandbox.execute(call, world.kv.clone()).await.unwrap_err();
        assert!(matches!(refused, SandboxError::NoSuchHandler { .. }), "{refused}");
    }
}

#[tokio::test]
async fn what_a_failed_attempt_wrote_is_dropped() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("fails", "retryable").await;
    let retryable = Outcome::Retryable { message: "later".into(), retry_after: Some(Millis(5000)) };
    assert_eq!((executed.outcome, executed.effects), (retryable, Effects::default()));
    let executed = world.run("fails", "").await;
    let permanent = Outcome::Permanent { message: "never".into() };
    assert_eq!((executed.outcome, executed.effects), (permanent, Effects::default()));
}

#[tokio::test]
async fn a_skipped_attempt_keeps_what_it_wrote() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("fails", "skipped").await;
    assert_eq!(executed.outcome, Outcome::Skipped { reason: "nothing to do".into() });
    assert_eq!(executed.effects.writes.len(), 1);
}

#[tokio::test]
async fn a_long_message_is_cut() {
    let world = World::with(PluginSettings::default()).await;
    let message = world.run("fails", "long").await.outcome.message().unwrap();
    assert_eq!(message.len(), MESSAGE_BYTES_MAX);
}

#[tokio::test]
async fn output_over_the_bound_fails_for_good_and_says_why() {
    let world = World::with(PluginSettings::default()).await;
    for handler in ["huge-output", "vast-output"] {
        let Outcome::Permanent { message } = world.run(handler, "").await.outcome else { panic!("{handler}") };
        assert!(message.contains("the output is") && message.contains("262144"), "{message}");
        world.assert_serves().await;
    }
}

#[tokio::test]
async fn a_plugin_reads_its_own_settings_only() {
    let mut settings = PluginSettings::default();
    let world = World::with(settings.clone()).await;
    assert_eq!(world.answer("reads-config", "").await, "None None");
    let denied = world.run("reads-config", "").await.denied;
    let shown: Vec<_> = denied.iter().map(|denied| (denied.kind, denied.what.as_str())).collect();
    assert_eq!(shown, [(DeniedKind::Secret, "token")]);
    assert!(denied[0].reason.contains("grants.secrets"), "{denied:?}");
    settings.config.insert("channel".into(), "#dev".into());
    settings.secrets.insert("token".into(), Arc::new(Secret::new("hunter2").unwrap()));
    let world = World::with(settings.clone()).await;
    assert_eq!(world.answer("reads-config", "").await, r##"Some("#dev") Some("hunter2")"##);

    settings.secrets.insert("token".into(), Arc::new(Secret::new([0xff, 0xfe]).unwrap()));
    let Outcome::Trapped { message } = World::with(settings).await.run("reads-config", "").await.outcome else {
        panic!()
    };
    assert!(message.contains("no UTF-8 text"), "{message}");
}

#[tokio::test]
async fn files_network_and_environment_are_out_of_reach() {
    let world = World::with(PluginSettings::default()).await;
    assert_eq!(world.answer("forbidden", "").await, "reached: []");
}
