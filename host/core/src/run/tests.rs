use super::*;
use crate::name::{HandlerName, PluginName};
use crate::time::Millis;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1000);

fn run() -> Run {
    let target =
        HandlerRef { plugin: PluginName::parse("welcome").unwrap(), handler: HandlerName::parse("on-user").unwrap() };
    Run {
        id: RunId::new(NOW, 1),
        target,
        work: Work::Event(EventId::new(NOW, 1)),
        parent: None,
        idempotency_key: "k".into(),
        created: NOW,
        hops: 0,
        gate: None,
        sequence: 0,
        expires: None,
        unique: None,
        own: RunPolicy::default(),
        replayed: None,
        schedule: None,
        made_by: None,
        state: RunState::Pending { due: NOW },
        attempts_begun: 0,
        drains: 0,
        attempts: vec![],
        revoked: vec![],
    }
}

fn attempt(number: u32) -> Attempt {
    Attempt {
        number,
        started: NOW,
        finished: NOW.plus(Millis(5)),
        outcome: Outcome::Completed { output: None },
        log: Default::default(),
        cost: Default::default(),
        requests: Default::default(),
        denied: Vec::new(),
        version: None,
    }
}

fn claimed() -> RunEvent {
    RunEvent::Claimed { boot: BootId(1), at: NOW }
}

fn events(number: u32) -> Vec<RunEvent> {
    vec![
        claimed(),
        RunEvent::Succeeded { attempt: attempt(number) },
        RunEvent::FailedForNow { attempt: attempt(number), due: NOW },
        RunEvent::FailedForGood { attempt: attempt(number), cause: DeadCause::Permanent },
        RunEvent::LeaseLost { at: NOW, due: NOW },
        RunEvent::LeaseLostForGood { at: NOW },
        RunEvent::Drained { at: NOW },
        RunEvent::Revoked { attempt: attempt(number), due: NOW },
        RunEvent::Abandoned { at: NOW, cause: DeadCause::HandlerVanished },
        RunEvent::Cancelled { at: NOW, cause: CancelCause::Operator },
    ]
}

/// Every pair of state and event: the result, or `-` where it is illegal.
#[test]
fn the_table_of_transitions_is_this_one() {
    let pending = run();
    let leased = run().apply(claimed()).unwrap();
    let succeeded = leased.clone().apply(RunEvent::Succeeded { attempt: attempt(1) }).unwrap();
    let dead = leased.clone().apply(RunEvent::LeaseLostForGood { at: NOW }).unwrap();
    let cancelled = run().apply(RunEvent::Cancelled { at: NOW, cause: CancelCause::Operator }).unwrap();
    let table: Vec<(&str, Vec<&str>)> = [pending, leased, succeeded, dead, cancelled]
        .into_iter()
        .map(|run| {
            let row = events(1).into_iter().map(|event| match run.clone().apply(event) {
                Ok(next) => next.status().code(),
                Err(_) => "-",
            });
            (run.status().code(), row.collect())
        })
        .collect();
    assert_eq!(
        table,
        [
            ("pending", vec!["leased", "-", "-", "-", "-", "-", "-", "-", "dead", "cancelled"]),
            (
                "leased",
                vec!["-", "succeeded", "pending", "dead", "pending", "dead", "pending", "pending", "-", "cancelled"]
            ),
            ("succeeded", vec!["-"; 10]),
            ("dead", vec!["-"; 10]),
            ("cancelled", vec!["-"; 10]),
        ]
    );
}

#[test]
fn a_result_of_an_older_attempt_is_refused() {
    let run = run().apply(claimed()).unwrap().apply(RunEvent::LeaseLost { at: NOW, due: NOW }).unwrap();
    let run = run.apply(claimed()).unwrap();
    assert_eq!(run.lease().unwrap().attempt, 2);
    assert!(run.clone().apply(RunEvent::Succeeded { attempt: attempt(1) }).is_err());
    assert!(run.apply(RunEvent::Succeeded { attempt: attempt(2) }).is_ok());
}

#[test]
fn a_crash_counts_as_an_attempt_and_a_drain_does_not() {
    let lost = run().apply(claimed()).unwrap().apply(RunEvent::LeaseLost { at: NOW, due: NOW }).unwrap();
    assert_eq!((lost.attempts_begun, lost.attempts.len()), (1, 1));
    let drained = run().apply(claimed()).unwrap().apply(RunEvent::Drained { at: NOW }).unwrap();
    assert_eq!((drained.attempts_begun, drained.attempts.len(), drained.drains), (0, 0, 1));
}

#[test]
fn a_lease_that_is_given_again_after_a_drain_is_another() {
    let first = run().apply(claimed()).unwrap();
    let drained = first.clone().apply(RunEvent::Drained { at: NOW }).unwrap();
    let again = drained.apply(claimed()).unwrap();
    assert_ne!(first.lease(), again.lease());
}

#[test]
fn an_attempt_that_is_revoked_is_kept_and_not_counted() {
    let revoked = RunEvent::Revoked { attempt: attempt(1), due: NOW };
    let run = run().apply(claimed()).unwrap().apply(revoked).unwrap();
    assert_eq!((run.attempts_begun, run.attempts.len(), run.drains), (0, 0, 1));
    assert_eq!(run.revoked, [attempt(1)]);
    let again = run.apply(claimed()).unwrap();
    let late = RunEvent::Revoked { attempt: attempt(2), due: NOW };
    assert!(again.clone().apply(late).is_err(), "of another attempt");
    let done = again.apply(RunEvent::Succeeded { attempt: attempt(1) }).unwrap();
    assert_eq!((done.attempts.len(), done.revoked.len()), (1, 1));
}

#[test]
fn one_that_is_revoked_after_twenty_counts_as_what_it_was() {
    let mut run = run();
    let outcome = Outcome::Revoked { why: "the host stopped".into() };
    let done = Attempt { outcome, cost: crate::attempt::Cost { wall_us: 9, ..Default::default() }, ..attempt(1) };
    for _ in 0..=DRAINS_MAX {
        let revoked = RunEvent::Revoked { attempt: done.clone(), due: NOW };
        run = run.apply(claimed()).unwrap().apply(revoked).unwrap();
    }
    assert_eq!((run.attempts_begun, run.revoked.len()), (1, usize::from(DRAINS_MAX)));
    assert_eq!(run.attempts, [done]);
}

#[test]
fn a_drain_counts_after_twenty() {
    let mut run = run();
    for _ in 0..=DRAINS_MAX {
        run = run.apply(claimed()).unwrap().apply(RunEvent::Drained { at: NOW }).unwrap();
    }
    assert_eq!((run.attempts_begun, run.attempts.len()), (1, 1));
}

proptest! {
    #[test]
    fn no_history_breaks_a_run(choices in prop::collection::vec(0usize..10, 0..60)) {
        let mut run = run();
        for choice in choices {
            let before = run.clone();
            match run.clone().apply(events(run.attempts_begun)[choice].clone()) {
                Ok(next) => run = next,
                Err(_) => prop_assert_eq!(&run, &before),
            }
            prop_assert!(!before.status().is_terminal() || before == run);
            prop_assert!(run.attempts.len() as u32 <= run.attempts_begun);
            prop_assert!(run.revoked.len() <= usize::from(run.drains));
            prop_assert!(run.attempts.iter().map(|a| a.number).eq(1..=run.attempts.len() as u32));
            let running = u32::from(run.status() == RunStatus::Leased);
            prop_assert!(run.status() == RunStatus::Dead || run.attempts.len() as u32 + running == run.attempts_begun);
        }
    }
}
