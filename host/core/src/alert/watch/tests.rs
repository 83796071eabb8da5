use super::*;

const MINUTE: u64 = 60_000;
/// What a clock shows that is a day ahead, in minutes.
const AHEAD: u64 = 24 * 60;

fn at(minutes: u64) -> Timestamp {
    Timestamp(1_750_000_000_000 + minutes * MINUTE)
}

fn provider(name: &str) -> ProviderName {
    ProviderName::parse(name).unwrap()
}

fn schedule(name: &str) -> ScheduleName {
    ScheduleName::parse(name).unwrap()
}

fn reading(ended: u64, failed: u64) -> Reading {
    let handler: HandlerRef = "welcome/on-user".parse().unwrap();
    Reading { handlers: [(handler, Tries { ended, failed })].into(), ..Reading::default() }
}

fn rules(judged: &Judged) -> Vec<Rule> {
    judged.wrong.iter().map(|condition| condition.rule).collect()
}

#[test]
fn a_handler_fails_by_its_share_within_the_window_and_not_by_its_past() {
    let (mut watch, mut seen, rule) = (Watch::default(), Seen::default(), Rules::default());
    let mut judge = |ended, failed, minute| watch.judge(reading(ended, failed), &rule, &mut seen, at(minute));
    assert_eq!(rules(&judge(100, 90, 0)), [], "what was before is not counted");
    assert_eq!(rules(&judge(104, 94, 1)), [], "four are too few");
    let wrong = judge(106, 93, 2);
    assert_eq!(rules(&wrong), [Rule::HandlerFailing]);
    let text =
        "welcome/on-user fails: 3 of 6 attempts within 10m. hookbox runs list --plugin welcome --handler on-user";
    assert_eq!((wrong.wrong[0].about.as_str(), wrong.wrong[0].text.as_str()), ("welcome/on-user", text));
    assert!(wrong.open.contains(&Rule::HandlerFailing), "no whole window is known");
    let later = judge(120, 93, 12);
    assert_eq!((rules(&later), later.open.contains(&Rule::HandlerFailing)), (vec![], false));
}

#[test]
fn counters_that_begin_anew_count_from_there() {
    let (mut watch, mut seen, rule) = (Watch::default(), Seen::default(), Rules::default());
    watch.judge(reading(100, 0), &rule, &mut seen, at(0));
    assert_eq!(rules(&watch.judge(reading(6, 6), &rule, &mut seen, at(1))), [Rule::HandlerFailing]);
}

#[test]
fn each_rule_finds_its_own() {
    let (mut watch, mut seen) = (Watch::default(), Seen::default());
    let rule = Rules {
        provider_silent: [(provider("shop"), Millis(60 * MINUTE))].into(),
        schedule_quiet: [(schedule("nightly"), Millis(60 * MINUTE))].into(),
        ..Rules::default()
    };
    let plugin = PluginName::parse("welcome").unwrap();
    let quiet = |late, last| -> BTreeMap<_, _> {
        [(schedule("nightly"), Schedule { late: Millis(late), last: Some(last) })].into()
    };
    let fine = Reading {
        disk_free: Some(50),
        schedules: quiet(0, at(0)),
        rollbacks: [(plugin.clone(), 2)].into(),
        ..Reading::default()
    };
    assert_eq!(rules(&watch.judge(fine.clone(), &rule, &mut seen, at(0))), []);
    let came = Sender { accepted: 5, refused: 10 };
    let bad = Reading {
        providers: [(provider("shop"), came)].into(),
        heard: [(provider("shop"), at(1))].into(),
        dead: 2,
        oldest: Millis(6 * MINUTE),
        schedules: quiet(5 * MINUTE, at(0)),
        attention: [(schedule("nightly"), Reason::Failing)].into(),
        disk_free: Some(9),
        rollbacks: [(plugin, 3)].into(),
        ..fine
    };
    let found = rules(&watch.judge(bad.clone(), &rule, &mut seen, at(2)));
    let wanted = [
        Rule::ProviderRefusals,
        Rule::DeadLetters,
        Rule::QueueAge,
        Rule::ScheduleLate,
        Rule::ScheduleAttention,
        Rule::DiskLow,
        Rule::Rollback,
    ];
    assert_eq!(found, wanted);
    // An hour later it is quiet, and the rollback is old; that is known over a restart.
    let mut watch = Watch::default();
    let found = rules(&watch.judge(bad, &rule, &mut seen, at(62)));
    let wanted = [
        Rule::QueueAge,
        Rule::ScheduleLate,
        Rule::ScheduleQuiet,
        Rule::ScheduleAttention,
        Rule::ProviderSilent,
        Rule::DiskLow,
    ];
    assert_eq!(found, wanted);
}

#[test]
fn each_schedule_that_somebody_should_look_at_is_an_alert_of_its_own() {
    let reasons = [("payments", Reason::Failing), ("nightly", Reason::NoNextSlot), ("hourly", Reason::ClockBehind)];
    let attention = reasons.map(|(name, reason)| (schedule(name), reason)).into();
    let reading = Reading { attention, ..Reading::default() };
    let judged = Watch::default().judge(reading, &Rules::default(), &mut Seen::default(), at(0));
    let told: Vec<_> = judged.wrong.iter().map(|told| (told.rule, told.about.as_str(), told.text.as_str())).collect();
    let rule = Rule::ScheduleAttention;
    let wanted = [
        (rule, "hourly", "schedule hourly is ahead of the clock, and waits for it. hookbox schedules show hourly"),
        (rule, "nightly", "schedule nightly has no next slot. hookbox schedules show nightly"),
        (rule, "payments", "schedule payments is paused, since its runs failed. hookbox schedules show payments"),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn nothing_is_watched_that_is_switched_off() {
    let none = Rules {
        handler_failing: None,
        dead_letters: None,
        queue_age: None,
        schedule_late: None,
        schedule_attention: false,
        provider_refusals: None,
        disk_low: None,
        rollback: None,
        ..Rules::default()
    };
    let (mut watch, mut seen) = (Watch::default(), Seen::default());
    watch.judge(reading(0, 0), &none, &mut seen, at(0));
    let bad = Reading {
        dead: 9,
        attention: [(schedule("nightly"), Reason::Failing)].into(),
        oldest: Millis(1 << 40),
        disk_free: Some(0),
        ..reading(100, 100)
    };
    assert_eq!(watch.judge(bad, &none, &mut seen, at(1)), Judged::default());
}

#[test]
fn what_was_seen_before_the_clock_was_set_back_is_as_old_as_the_clock_allows() {
    let (mut watch, mut seen) = (Watch::default(), Seen::default());
    let hour = Millis(60 * MINUTE);
    let rule = Rules { provider_silent: [(provider("shop"), hour)].into(), rollback: Some(hour), ..Rules::default() };
    let read = |rollbacks| {
        let rollbacks = [(PluginName::parse("welcome").unwrap(), rollbacks)].into();
        Reading { heard: [(provider("shop"), at(AHEAD))].into(), rollbacks, ..Reading::default() }
    };
    let mut judge = |rollbacks, minute| rules(&watch.judge(read(rollbacks), &rule, &mut seen, at(minute)));
    assert_eq!(judge(0, AHEAD), []);
    assert_eq!(judge(1, AHEAD), [Rule::Rollback]);
    assert_eq!(judge(1, 0), [Rule::Rollback]);
    assert_eq!(judge(1, 59), [Rule::Rollback]);
    assert_eq!(judge(1, 60), [Rule::ProviderSilent]);
}

#[test]
fn what_is_buried_while_nobody_looks_is_told_after_the_start() {
    let (rule, dead) = (Rules::default(), |dead| Reading { dead, ..Reading::default() });
    let mut seen = Seen::default();
    assert_eq!(rules(&Watch::default().judge(dead(3), &rule, &mut seen, at(0))), [], "they were there before");
    // An hour later it starts, and buries two before it looks.
    let mut seen: Seen = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
    let mut watch = Watch::default();
    let judged = watch.judge(dead(5), &rule, &mut seen, at(60));
    assert_eq!((rules(&judged), judged.open.contains(&Rule::DeadLetters)), (vec![Rule::DeadLetters], false));
    assert!(judged.wrong[0].text.starts_with("2 more dead letters within 10m, 5 in all."), "{judged:?}");
    assert_eq!(rules(&watch.judge(dead(5), &rule, &mut seen, at(69))), [Rule::DeadLetters]);
    assert_eq!(rules(&watch.judge(dead(5), &rule, &mut seen, at(70))), []);
    // Switched off, it knows nothing of the time until it is on again.
    watch.judge(dead(5), &Rules { dead_letters: None, ..Rules::default() }, &mut seen, at(71));
    assert_eq!(rules(&watch.judge(dead(9), &rule, &mut seen, at(72))), []);
}
