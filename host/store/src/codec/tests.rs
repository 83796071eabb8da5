//! The stored forms, byte by byte. A file in `golden/` that differs means that
//! data of earlier releases no longer reads: the change needs a version of its
//! own, and the old file stays as a test of reading it. `HOOKBOX_GOLDEN=write`
//! writes the files of forms that are new.

mod access;
mod attempts;
mod plugins;
mod refused;
mod requests;
mod schedules;

use hookbox_core::attempt::{Attempt, Cost, Log, LogLevel, LogLine, LogStream, Outcome, Output};
use hookbox_core::event::{Event, Job, JobOrigin, Source};
use hookbox_core::gate::{Gate, Order};
use hookbox_core::hold::Hold;
use hookbox_core::host_call::{CallKind, Calls, HostCalls};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::{HandlerName, HandlerRef, PluginName, ProviderName, ScheduleName};
use hookbox_core::plugin::{DeclaredSchedule, Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::policy::Curve;
use hookbox_core::retry::DeadCause;
use hookbox_core::route::Pattern;
use hookbox_core::route::filter::Filter;
use hookbox_core::run::{BootId, CancelCause, Lease, Run, RunPolicy, RunState, Work, WorkKind};
use hookbox_core::schedule::{
    Lateness, Origin, Pause, Rules, Schedule, ScheduleRow, SlotCounts, SlotRecord, Verdict, When,
};
use hookbox_core::time::{Millis, Timestamp};

use super::*;
use crate::catalogue::{PluginRow, RefusedVersion};
use crate::counts::Counts;
use crate::index::WaitingForTime;

const NOW: Timestamp = Timestamp(1_750_000_000_000);

/// Compares with the committed bytes, in lines of 32.
fn golden(name: &str, row: &[u8]) {
    let hex: String =
        row.chunks(32).map(|line| line.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n").collect();
    let path = format!("{}/src/codec/golden/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    #[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
    if std::env::var("HOOKBOX_GOLDEN").is_ok_and(|value| value == "write") && !std::path::Path::new(&path).exists() {
        std::fs::write(&path, &hex).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(hex, kept, "the stored form {name} has changed");
}

/// The bytes of a form that is read and no longer written.
fn kept(name: &str) -> Vec<u8> {
    let path = format!("{}/src/codec/golden/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let hex: Vec<u8> = std::fs::read(path).unwrap().into_iter().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.chunks(2).map(byte).collect()
}

fn target() -> HandlerRef {
    HandlerRef { plugin: PluginName::parse("welcome").unwrap(), handler: HandlerName::parse("on-user").unwrap() }
}

fn event(length: usize) -> Event {
    Event {
        id: EventId::new(NOW, 1),
        source: Source::Provider(ProviderName::parse("shop").unwrap()),
        namespace: "shop".to_owned(),
        event_type: "user.created".to_owned(),
        subject: Some("42".to_owned()),
        time: NOW,
        content_type: "application/json".to_owned(),
        data: vec![b'x'; length],
        attributes: vec![("delivery-id".to_owned(), "d-1".to_owned())],
        hops: 2,
    }
}

fn attempt(number: u32, outcome: Outcome, log: usize) -> Attempt {
    let line = LogLine {
        at: NOW,
        stream: LogStream::Stderr,
        level: LogLevel::Warn,
        message: "m".repeat(log),
        fields: vec![("k".to_owned(), "v".to_owned())],
    };
    Attempt {
        number,
        started: NOW,
        finished: NOW.plus(Millis(7)),
        outcome,
        log: Log { lines: vec![line], bytes_dropped: 3 },
        cost: Cost { wall_us: 7000, cpu_us: 5000, memory_peak_bytes: 65_536, calls: HostCalls::default() },
        requests: Default::default(),
        denied: Vec::new(),
        version: Some(Digest([9; 32])),
    }
}

fn run(state: RunState, attempts: Vec<Attempt>) -> Run {
    Run {
        id: RunId::new(NOW, 3),
        target: target(),
        work: Work::Event(EventId::new(NOW, 1)),
        parent: None,
        idempotency_key: "key".to_owned(),
        created: NOW,
        hops: 2,
        gate: None,
        sequence: 0,
        expires: None,
        unique: None,
        own: RunPolicy::default(),
        replayed: None,
        schedule: None,
        made_by: None,
        state,
        attempts_begun: attempts.len() as u32,
        drains: 1,
        attempts,
        revoked: Vec::new(),
    }
}

/// Calls of so many kinds.
fn calls_of(kinds: usize) -> HostCalls {
    let some = |n| Calls { number: n, bytes_given: 100 * n, bytes_answered: 1000 * n };
    CallKind::ALL.into_iter().take(kinds).zip((1..).map(some)).collect()
}

/// Every outcome, one attempt each.
fn all_outcomes() -> Vec<Attempt> {
    let message = || "why".to_owned();
    let outcomes = [
        Outcome::Completed { output: None },
        Outcome::Completed { output: Some(Output { content_type: "text/plain".to_owned(), data: b"ok".to_vec() }) },
        Outcome::Skipped { reason: message() },
        Outcome::Retryable { message: message(), retry_after: None },
        Outcome::Retryable { message: message(), retry_after: Some(Millis(500)) },
        Outcome::Permanent { message: message() },
        Outcome::Trapped { message: message() },
        Outcome::TimedOut { limit: Millis(30_000) },
        Outcome::CpuExhausted { limit: Millis(10_000) },
        Outcome::OutOfMemory { limit: 64 << 20 },
        Outcome::Lost,
    ];
    (1..).zip(outcomes).map(|(number, outcome)| attempt(number, outcome, 10)).collect()
}

#[test]
fn an_event_with_its_body_inline() {
    let row = encode_event(event(5), &[RunId::new(NOW, 3), RunId::new(NOW, 4)], vec![[8; 32]]).unwrap();
    golden("event-inline", &row);
    let stored = decode_event(EventId::new(NOW, 1), &row).unwrap();
    assert_eq!((stored.event, stored.data_bytes, stored.body_apart), (event(5), 5, false));
    assert_eq!((stored.runs, stored.dedupe), (vec![RunId::new(NOW, 3), RunId::new(NOW, 4)], vec![[8; 32]]));
}

#[test]
fn an_event_with_its_body_apart() {
    let emitted = Event { source: Source::Plugin(PluginName::parse("digest").unwrap()), subject: None, ..event(2049) };
    let row = encode_event(emitted.clone(), &[], vec![]).unwrap();
    golden("event-apart", &row);
    let stored = decode_event(EventId::new(NOW, 1), &row).unwrap();
    assert_eq!((stored.data_bytes, stored.body_apart), (2049, true));
    assert_eq!(stored.event, Event { data: vec![], ..emitted });
}

#[test]
fn a_job_of_every_origin() {
    let origins = [
        ("schedule", JobOrigin::Schedule(ScheduleName::parse("nightly").unwrap()), None),
        ("plugin", JobOrigin::Plugin(PluginName::parse("digest").unwrap()), Some([6; 32])),
        ("operator", JobOrigin::Operator, None),
    ];
    for (name, origin, unique) in origins {
        let job = Job {
            id: JobId::new(NOW, 2),
            origin,
            scheduled_at: NOW,
            content_type: "text/plain".to_owned(),
            data: b"work".to_vec(),
            hops: 1,
            trace: None,
        };
        // The hash of an earlier release is read, and written no longer.
        let old = kept(&format!("job-{name}"));
        assert_eq!((decode_job(job.id, &old).unwrap(), unique_of_job(&old).unwrap()), (job.clone(), unique));
        let row = encode_job(job.clone()).unwrap();
        if unique.is_none() {
            golden(&format!("job-{name}"), &row);
        }
        assert_eq!((decode_job(job.id, &row).unwrap(), unique_of_job(&row).unwrap()), (job, None));
    }
}

#[test]
fn a_job_in_a_trace() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    let job = Job {
        id: JobId::new(NOW, 2),
        origin: JobOrigin::Plugin(PluginName::parse("digest").unwrap()),
        scheduled_at: NOW,
        content_type: "text/plain".to_owned(),
        data: b"work".to_vec(),
        hops: 1,
        trace: Some(trace),
    };
    let row = encode_job(job.clone()).unwrap();
    golden("job-v2-traced", &row);
    assert_eq!((decode_job(job.id, &row).unwrap(), unique_of_job(&row).unwrap()), (job, None));
}

#[test]
fn a_run_in_every_state() {
    let at = NOW.plus(Millis(9));
    let states = [
        ("pending", RunState::Pending { due: at }),
        ("leased", RunState::Leased { lease: Lease { boot: BootId(4), attempt: 12, drains: 1, at } }),
        ("succeeded", RunState::Succeeded { at }),
        ("dead", RunState::Dead { at, cause: DeadCause::AttemptsExhausted }),
        ("cancelled", RunState::Cancelled { at, cause: CancelCause::Operator }),
    ];
    for (name, state) in states {
        let run = run(state, all_outcomes());
        // The form without terms is read as it was written.
        assert_eq!(decode_run(run.id, &kept(&format!("run-{name}"))).unwrap().run, run);
        let run = Run {
            gate: Some(Gate::new("customer", Order::Accepted)),
            sequence: 300,
            expires: Some(at),
            unique: Some([5; 32]),
            own: RunPolicy {
                timeout: Some(Millis(7)),
                attempts: Some(8),
                backoff: Some(Millis(9)),
                ..RunPolicy::default()
            },
            replayed: Some(RunId::new(NOW, 9)),
            schedule: Some(ScheduleName::parse("nightly").unwrap()),
            ..run
        };
        // So is the form with three parts of a policy.
        assert_eq!(decode_run(run.id, &kept(&format!("run-v2-{name}"))).unwrap().run, run);
        let own = RunPolicy { backoff_curve: Some(Curve::Linear), backoff_max: Some(Millis(300)), ..run.own };
        let mut run = Run { own, ..run };
        // And the form that does not tell what attempts asked of the host.
        assert_eq!(decode_run(run.id, &kept(&format!("run-v3-{name}"))).unwrap().run, run);
        // The kinds that there were when the form was made; each that came later is one more of them.
        run.attempts[1].cost.calls = calls_of(9);
        // And the form with milliseconds of CPU time, which has no attempts that were revoked.
        assert_eq!(decode_run(run.id, &kept(&format!("run-v4-{name}"))).unwrap().run, run);
        let mut revoked = attempt(1, Outcome::Revoked { why: "the host stopped".to_owned() }, 10);
        (revoked.cost.cpu_us, revoked.cost.calls) = (1234, calls_of(9));
        run.revoked = vec![revoked];
        // And the form that does not tell who asked for it.
        assert_eq!(decode_run(run.id, &kept(&format!("run-v5-{name}"))).unwrap().run, run);
        run.made_by = Some(RunId::new(NOW, 11));
        let (row, details) = StoredRun::new(run.clone()).encode().unwrap();
        golden(&format!("run-v6-{name}"), &row);
        assert_eq!(details, []);
        let stored = decode_run(run.id, &row).unwrap();
        assert_eq!((stored.run, stored.apart), (run, vec![]));
    }
}

#[test]
fn kinds_of_calls_that_came_later() {
    let mut run = run(RunState::Succeeded { at: NOW }, all_outcomes());
    run.attempts[1].cost.calls = calls_of(CallKind::ALL.len());
    let (row, _) = StoredRun::new(run.clone()).encode().unwrap();
    golden("run-v6-more-kinds", &row);
    assert_eq!(decode_run(run.id, &row).unwrap().run, run);
}

#[test]
fn a_run_that_waits_for_its_time_only_is_known_by_the_beginning_of_its_row() {
    let pending = run(RunState::Pending { due: NOW }, all_outcomes());
    let row = |run: Run| StoredRun::new(run).encode().unwrap().0;
    let of_event = WaitingForTime { plugin: "welcome", handler: "on-user", kind: WorkKind::Event, due: NOW };
    assert_eq!(waiting(&row(pending.clone())), Some(of_event));
    let of_job = Run { work: Work::Job(JobId::new(NOW, 2)), ..pending.clone() };
    assert_eq!(waiting(&row(of_job)), Some(WaitingForTime { kind: WorkKind::Job, ..of_event }));
    let leased = RunState::Leased { lease: Lease { boot: BootId(4), attempt: 12, drains: 0, at: NOW } };
    for other in [
        Run { state: leased, ..pending.clone() },
        Run { gate: Some(Gate::new("customer", Order::Due)), ..pending.clone() },
        Run { expires: Some(NOW), ..pending.clone() },
    ] {
        assert_eq!(waiting(&row(other)), None);
    }
    assert_eq!(waiting(&kept("run-pending")), None);
    assert_eq!(waiting(&kept("run-v2-dead-loop")), None);
    assert_eq!(waiting(&row(pending)[..20]), None);
}

#[test]
fn a_suppressed_delivery() {
    let form = SuppressedV1 {
        first: EventId::new(NOW, 7).to_bytes(),
        fingerprint: [3; 16],
        same_body: false,
        times: 2,
        last: NOW.0,
        data_bytes: 4,
        event: encode_event(event(4), &[], Vec::new()).unwrap(),
    };
    let row = encode(&form).unwrap();
    golden("suppressed", &row);
    let read: SuppressedV1 = decode(&row).unwrap();
    assert_eq!(decode_event(EventId::new(NOW, 1), &read.event).unwrap().event, event(4));
    assert_eq!((read.first, read.times, read.last), (form.first, 2, NOW.0));
}

#[test]
fn a_run_with_every_cause_of_death() {
    let causes = [
        DeadCause::Permanent,
        DeadCause::AttemptsExhausted,
        DeadCause::HandlerVanished,
        DeadCause::Loop,
        DeadCause::InvalidBody,
    ];
    for cause in causes {
        let replay = Run {
            work: Work::Job(JobId::new(NOW, 2)),
            parent: Some(RunId::new(NOW, 1)),
            ..run(RunState::Dead { at: NOW, cause }, vec![])
        };
        let (row, _) = StoredRun::new(replay.clone()).encode().unwrap();
        assert_eq!(decode_run(replay.id, &kept(&format!("run-dead-{}", cause.code()))).unwrap().run, replay);
        assert_eq!(decode_run(replay.id, &kept(&format!("run-v2-dead-{}", cause.code()))).unwrap().run, replay);
        assert_eq!(decode_run(replay.id, &kept(&format!("run-v3-dead-{}", cause.code()))).unwrap().run, replay);
        assert_eq!(decode_run(replay.id, &kept(&format!("run-v4-dead-{}", cause.code()))).unwrap().run, replay);
        assert_eq!(decode_run(replay.id, &kept(&format!("run-v5-dead-{}", cause.code()))).unwrap().run, replay);
        golden(&format!("run-v6-dead-{}", cause.code()), &row);
        assert_eq!(decode_run(replay.id, &row).unwrap().run, replay);
    }
    // Those that came with form 4.
    for cause in [DeadCause::HandlerTakesJobs, DeadCause::HandlerTakesEvents] {
        let dead = run(RunState::Dead { at: NOW, cause }, vec![]);
        let (row, _) = StoredRun::new(dead.clone()).encode().unwrap();
        assert_eq!(decode_run(dead.id, &kept(&format!("run-v4-dead-{}", cause.code()))).unwrap().run, dead);
        golden(&format!("run-v6-dead-{}", cause.code()), &row);
        assert_eq!(decode_run(dead.id, &row).unwrap().run, dead);
    }
}

#[test]
fn a_run_whose_detail_is_apart() {
    let whole = run(RunState::Succeeded { at: NOW }, vec![attempt(1, Outcome::Completed { output: None }, 1100)]);
    let (row, details) = StoredRun::new(whole.clone()).encode().unwrap();
    assert_eq!(decode_run(whole.id, &kept("run-v2-apart")).unwrap().apart, [1]);
    assert_eq!(decode_run(whole.id, &kept("run-v3-apart")).unwrap().apart, [1]);
    assert_eq!(decode_run(whole.id, &kept("run-v4-apart")).unwrap().apart, [1]);
    assert_eq!(decode_run(whole.id, &kept("run-v5-apart")).unwrap().apart, [1]);
    golden("run-v6-apart", &row);
    golden("attempt-detail", &details[0].1);
    let mut stored = decode_run(whole.id, &row).unwrap();
    assert_eq!(stored.apart, [1]);
    // Written again, it is still apart and not written twice.
    let (again, none) = stored.encode().unwrap();
    assert_eq!((again, none), (row, vec![]));
    restore_detail(&mut stored.run.attempts[0], &details[0].1).unwrap();
    assert_eq!(stored.run, whole);
}

#[test]
fn the_small_rows() {
    let mark = DedupeV1 { event: [1; 16], until: NOW.0, fingerprint: [2; 16] };
    golden("dedupe", &encode(&mark).unwrap());
    assert_eq!(decode::<DedupeV1>(&encode(&mark).unwrap()).unwrap(), mark);
    for (name, expires) in [("kv", None), ("kv-expiring", Some(NOW.0))] {
        let key = KvV1 { version: 300, expires, value: b"value".to_vec() };
        let row = encode(&key).unwrap();
        golden(name, &row);
        assert_eq!(decode::<KvV1>(&row).unwrap(), key);
        assert_eq!(kv_is_expired(&row, NOW).unwrap(), expires.is_some());
    }
    let counts = Counts { events: 1, unrouted: 2, duplicates: 3, runs_pruned: 4, kv_writes: 5, ..Counts::default() };
    let counts = Counts { dead_replayed: None, ..counts };
    // The form without the number of runs is read: those that are kept and those that were pruned.
    assert_eq!(decode_counts(&kept("counts")).unwrap(), Counts { runs: 4, ..counts });
    let counts = Counts { runs: 6, ..counts };
    assert_eq!(decode_counts(&kept("counts-v2")).unwrap(), counts, "the form without slots is read");
    let slots = SlotCounts { fired: 7, missed: 300, overlap_skipped: 8, buffered: 9, dropped: 10, paused: 11 };
    let counts = Counts { slots, slots_late_ms: 12_345, ..counts };
    assert_eq!(decode_counts(&kept("counts-v3")).unwrap(), counts, "the form without what was replayed is read");
    let counts = Counts { dead_replayed: Some(300), ..counts };
    golden("counts-v4", &encode_counts(&counts).unwrap());
    assert_eq!(decode_counts(&encode_counts(&counts).unwrap()).unwrap(), counts);
    let hold = Hold::new(NOW, Some("the shop is down"));
    golden("hold", &encode(&hold).unwrap());
    assert_eq!(decode::<Hold>(&encode(&hold).unwrap()).unwrap(), hold);
    golden("boot", &encode(&7u64).unwrap());
    let query = "state=dead&error=timeout".to_owned();
    golden("search", &encode(&query).unwrap());
    assert_eq!(decode::<String>(&encode(&query).unwrap()).unwrap(), query);
}
