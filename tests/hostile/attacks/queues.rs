//! Guests that flood the queue, or put into it what is not theirs to put there.

use crate::guest::{Guest, Verdict, guest};

const ANSWER: &str = "(call $answer (i32.const 256))";

fn enqueue(handler: &str, data: &str) -> String {
    let none = "(i32.const 0) (i32.const 0) (i32.const 0)";
    format!("(call $enqueue {handler} @\"text/plain\" {data} (i32.const 0) (i64.const 0) {none} (i32.const 256))")
}

fn emit(event_type: &str, data: &str) -> String {
    let none = "(i32.const 0) (i32.const 0) (i32.const 0)";
    format!("(call $emit {event_type} {none} @\"text/plain\" {data} (i32.const 256))")
}

/// Until it is refused; says why.
fn flood(body: &str) -> String {
    format!("(loop $again {body} (br_if $again (i32.eqz (i32.load8_u (i32.const 256))))) {ANSWER}")
}

pub(crate) fn guests() -> Vec<Guest> {
    let asks = |name, body: String, words| {
        guest(name).job(&format!("{body} {ANSWER}")).ends(Verdict::Says(words)).check(|executed| {
            assert!(executed.effects.jobs.is_empty() && executed.effects.events.is_empty());
        })
    };
    vec![
        guest("enqueues-jobs-without-end")
            .job(&flood(&enqueue("@\"job\"", "@\"data\"")))
            .ends(Verdict::Says("at most 100 jobs and events (limits.queue_items)"))
            .check(|executed| assert_eq!(executed.effects.jobs.len(), 100)),
        guest("emits-events-without-end")
            .job(&flood(&emit("@\"happened\"", "@\"data\"")))
            .ends(Verdict::Says("at most 100 jobs and events (limits.queue_items)"))
            .check(|executed| assert_eq!(executed.effects.events.len(), 100)),
        guest("enqueues-more-than-the-few-it-may")
            .job(&flood(&enqueue("@\"job\"", "@\"data\"")))
            .limits(|limits| limits.queue_items = 3)
            .ends(Verdict::Says("at most 3 jobs and events (limits.queue_items)"))
            .check(|executed| assert_eq!(executed.effects.jobs.len(), 3)),
        guest("enqueues-a-quarter-of-a-megabyte-each-time")
            .ample()
            .text(|text| text.pages = 8)
            .job(&flood(&enqueue("@\"job\"", "(i32.const 65536) (i32.const 262144)")))
            .ends(Verdict::Says("limits.queue_data"))
            .check(|executed| assert_eq!(executed.effects.jobs.len(), 32)),
        guest("emits-more-data-than-the-little-it-may")
            .job(&flood(&emit("@\"happened\"", "(i32.const 65536) (i32.const 400)")))
            .limits(|limits| limits.queue_bytes = 1000)
            .ends(Verdict::Says("at most 1000 (limits.queue_data)"))
            .check(|executed| assert_eq!(executed.effects.events.len(), 2)),
        asks(
            "enqueues-more-than-a-job-may-have",
            enqueue("@\"job\"", "(i32.const 65536) (i32.const 262145)"),
            "at most 262144",
        )
        .text(|text| text.pages = 8),
        asks("enqueues-for-no-handler", enqueue("@\"nobody\"", "@\"data\""), "unknown-handler"),
        asks("enqueues-for-another-plugin", enqueue("@\"keeper/job\"", "@\"data\""), "may not make jobs"),
        asks("emits-under-the-name-of-another", emit("@\"keeper/happened\"", "@\"data\""), "may not emit"),
        asks("emits-in-the-name-of-a-provider", emit("@\"github/push\"", "@\"data\""), "may not emit"),
        asks("emits-in-the-name-of-any", emit("@\"*/push\"", "@\"data\""), "before the slash"),
        asks("emits-a-type-with-a-line-in-it", emit("@\"a\\nb: c\"", "@\"data\""), "control characters"),
        asks("emits-a-type-that-moves-the-cursor", emit("@\"a\\e[2J\"", "@\"data\""), "control characters"),
        asks(
            "emits-a-type-of-ten-thousand-bytes",
            emit("(i32.const 131072) (i32.const 10000)", "@\"data\""),
            "1 to 128 bytes",
        ),
        guest("enqueues-and-then-traps")
            .job(&format!("{} (unreachable)", enqueue("@\"job\"", "@\"data\"")))
            .ends(Verdict::Trapped("unreachable")),
        guest("enqueues-for-a-time-that-never-comes")
            .job(&format!(
                "(call $enqueue @\"job\" @\"text/plain\" @\"data\" (i32.const 1) (i64.const -1)
                   (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
                 (if (i32.load8_u (i32.const 256)) (then (return {ANSWER})))
                 (call $done)"
            ))
            .ends(Verdict::Completes),
    ]
}
