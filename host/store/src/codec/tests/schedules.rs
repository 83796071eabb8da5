//! The stored form of a schedule.

use super::*;

#[test]
fn a_schedule_of_every_kind() {
    let (cron, every) = (When::cron("0 2 * * *", None).unwrap(), When::every(Millis(60_000)).unwrap());
    let run = RunId::new(NOW, 3);
    let recorded = |verdict| SlotRecord { slot: NOW, decided_at: NOW, verdict };
    let old = [Verdict::Missed { slots: 2 }, Verdict::Fired { run }, Verdict::OverlapSkipped];
    let row = |when, origin| ScheduleRow {
        schedule: Schedule {
            name: ScheduleName::parse("nightly").unwrap(),
            target: target(),
            when,
            payload: Some(Output { content_type: "text/plain".to_owned(), data: b"p".to_vec() }),
            origin,
            rules: Rules::default(),
        },
        shadowed: vec![],
        anchor: NOW,
        decided: NOW,
        next: Some(NOW.plus(Millis::DAY)),
        last_fired: Some(NOW),
        last_run: Some(run),
        pause: None,
        paused_until: None,
        failures: 0,
        open: vec![run],
        counts: SlotCounts { fired: 1, missed: 2, overlap_skipped: 3, ..SlotCounts::default() },
        counted: 1,
        lateness: Lateness::default(),
        recent: old.clone().map(recorded).into(),
    };
    // The form without rules is read as it was written.
    for (name, when, origin) in [("cron", cron.clone(), Origin::Config), ("every", every, Origin::Plugin)] {
        assert_eq!(decode_schedule(&kept(&format!("schedule-{name}"))).unwrap(), row(when, origin));
    }
    let phased = When::every_with(Millis(60_000), Millis(5_000)).unwrap();
    for (name, when, origin) in [
        ("cron", cron, Origin::Config),
        ("every", phased, Origin::Plugin),
        ("once", When::Once { at: NOW }, Origin::Operator),
    ] {
        let old = row(when, origin);
        let new = [Verdict::Buffered { run }, Verdict::Dropped, Verdict::Paused { slots: 300 }];
        let row = ScheduleRow {
            schedule: Schedule { rules: old_rules(), ..old.schedule.clone() },
            shadowed: vec![old.schedule.clone()],
            pause: Some(Pause { failures: Some(3), ..Pause::new(NOW, Some("closed")) }),
            paused_until: Some(NOW),
            failures: 3,
            counts: SlotCounts { buffered: 4, dropped: 5, paused: 6, ..old.counts },
            counted: 5,
            lateness: Lateness { last: Millis(7), longest: Millis(800) },
            recent: old.recent.iter().cloned().chain(new.map(recorded)).collect(),
            ..old
        };
        // So is the form without what the definition has fired: all that the schedule has.
        assert_eq!(decode_schedule(&kept(&format!("schedule-v2-{name}"))).unwrap(), row);
        let changed = recorded(Verdict::Changed { slots: 301 });
        let recent = row.recent.iter().cloned().chain([changed]).collect();
        let schedule = Schedule { rules: whole_rules(), ..row.schedule.clone() };
        let row = ScheduleRow { schedule, counted: 302, recent, ..row };
        let bytes = encode_schedule(row.clone()).unwrap();
        golden(&format!("schedule-v3-{name}"), &bytes);
        assert_eq!(decode_schedule(&bytes).unwrap(), row);
    }
    let removed = encode(&RemovedV1 { at: NOW.0, row: b"row".to_vec() }).unwrap();
    golden("schedule-removed", &removed);
    let RemovedV1 { at, row } = decode(&removed).unwrap();
    assert_eq!((at, row.as_slice(), removed_at(&removed).unwrap()), (NOW.0, b"row".as_slice(), NOW));
    assert!(removed_at(&[]).is_err() && removed_at(&[2, 1]).is_err());
}

/// Without the parts that an earlier form does not have.
pub(super) fn old_rules() -> Rules {
    let rules = whole_rules();
    Rules { policy: RunPolicy { backoff_curve: None, backoff_max: None, ..rules.policy }, ..rules }
}

/// With every part.
pub(super) fn whole_rules() -> Rules {
    let mut rules = Rules::default();
    let (start, end) = ("2026-11-20T09:00:00Z", "2026-11-21T09:00:00Z");
    let parts = [start, end, "3", "1m", "buffer-all:5", "all:7", "1h", "5", "1s", "2", "3s", "linear", "1m"];
    for (option, text) in Rules::OPTIONS.into_iter().zip(parts) {
        rules.set(option, text).unwrap();
    }
    rules
}
