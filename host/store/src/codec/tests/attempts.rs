//! What of attempts is kept apart from the row of their run.

use hookbox_core::attempt::{Request, RequestEnd, Requests};
use hookbox_core::denial::{Denied, DeniedKind};

use super::*;

#[test]
fn the_details_of_revoked_attempts_are_kept_apart_from_those_that_took_their_place() {
    let revoked = |log| attempt(1, Outcome::Revoked { why: "why".to_owned() }, log);
    let mut whole = run(RunState::Succeeded { at: NOW }, vec![attempt(1, Outcome::Completed { output: None }, 1100)]);
    whole.revoked = vec![revoked(10), revoked(1200), revoked(1300)];
    let (row, details) = StoredRun::new(whole.clone()).encode().unwrap();
    let mut stored = decode_run(whole.id, &row).unwrap();
    assert_eq!((details.len(), stored.apart.len()), (3, 3));
    let (again, none) = stored.encode().unwrap();
    assert_eq!((&again, none), (&row, vec![]));
    let mut stored = decode_run(whole.id, &row).unwrap();
    for (number, attempt) in details_apart(&mut stored.run, &stored.apart) {
        let (_, detail) = details.iter().find(|detail| detail.0 == number).unwrap();
        restore_detail(attempt, detail).unwrap();
    }
    assert_eq!(stored.run, whole);
}

#[test]
fn a_run_whose_attempt_sent_requests_and_was_denied_something() {
    let request = |end| Request {
        method: "POST".to_owned(),
        url: "https://a.example/v1".to_owned(),
        ms: 12,
        sent_bytes: 3,
        received_bytes: 4,
        end,
    };
    let ends = [RequestEnd::Unfinished, RequestEnd::Answered(204), RequestEnd::Failed("x".to_owned())];
    let mut kept: Vec<_> = ends.into_iter().map(request).collect();
    kept.push(request(RequestEnd::Denied("not granted".to_owned())));
    let requests = Requests { kept, dropped: 2 };
    let denied = vec![Denied { kind: DeniedKind::Secret, what: "k".to_owned(), reason: "r".to_owned() }];
    let attempts = vec![Attempt { requests, denied, ..attempt(1, Outcome::Completed { output: None }, 4) }];
    let whole = run(RunState::Succeeded { at: NOW }, attempts);
    let (row, details) = StoredRun::new(whole.clone()).encode().unwrap();
    golden("attempt-detail-v2", &details[0].1);
    let mut stored = decode_run(whole.id, &row).unwrap();
    assert_eq!(stored.apart, [1]);
    let (again, none) = stored.encode().unwrap();
    assert_eq!((again, none), (row, vec![]));
    restore_detail(&mut stored.run.attempts[0], &details[0].1).unwrap();
    assert_eq!(stored.run, whole);
}
