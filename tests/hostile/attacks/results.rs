//! Guests whose answer is the attack.

use hookbox_core::attempt::{MESSAGE_BYTES_MAX, Outcome};

use crate::guest::{Guest, Verdict, guest};

/// An error whose text lies there: retryable, or permanent.
fn fails(case: u32, text: &str, bytes: u32) -> String {
    format!(
        "(drop (call $done))
         (i32.store8 (i32.const 64) (i32.const 1))
         (i32.store8 (i32.const 72) (i32.const {case}))
         (i32.store (i32.const 80) {text})
         (i32.store (i32.const 84) (i32.const {bytes}))
         (i32.const 64)"
    )
}

pub(crate) fn guests() -> Vec<Guest> {
    vec![
        guest("returns-more-than-a-result-may-have")
            .text(|text| text.pages = 8)
            .job("(call $say (i32.const 65536) (i32.const 262200))")
            .ends(Verdict::Permanent("limits.result")),
        guest("returns-more-than-the-host-takes")
            .text(|text| text.pages = 40)
            .job("(call $say (i32.const 65536) (i32.const 2000000))")
            .ends(Verdict::Permanent("more than 1048576 bytes")),
        guest("returns-more-than-the-little-it-may")
            .job("(call $say (i32.const 65536) (i32.const 1000))")
            .limits(|limits| limits.result_bytes = 500)
            .ends(Verdict::Permanent("at most 500")),
        guest("returns-a-media-type-with-a-header-in-it")
            .job(
                "(drop (call $say @\"text\"))
                 (call $media @\"text/html\\nSet-Cookie: a=b\")",
            )
            .more(
                "(func $media (param i32 i32) (result i32)
                   (i32.store (i32.const 80) (local.get 0)) (i32.store (i32.const 84) (local.get 1)) (i32.const 64))",
            )
            .ends(Verdict::Says("text"))
            .check(|executed| {
                let Outcome::Completed { output: Some(output) } = &executed.outcome else { panic!() };
                assert!(!output.content_type.contains(char::is_control), "{output:?}");
            }),
        guest("returns-a-media-type-of-sixty-kilobytes")
            .job(
                "(drop (call $say @\"text\")) (i32.store (i32.const 80) (i32.const 131072))
                  (i32.store (i32.const 84) (i32.const 60000)) (i32.const 64)",
            )
            .ends(Verdict::Says("text"))
            .check(|executed| {
                let Outcome::Completed { output: Some(output) } = &executed.outcome else { panic!() };
                assert!(output.content_type.len() <= 1024, "{}", output.content_type.len());
            }),
        guest("fails-with-sixty-kilobytes-of-words")
            .job(&fails(1, "(i32.const 131072)", 60_000))
            .ends(Verdict::Permanent("\u{fffd}\u{fffd}"))
            .check(|executed| {
                let message = executed.outcome.message().unwrap();
                assert!(message.len() <= MESSAGE_BYTES_MAX && !message.contains('\0'), "{}", message.len());
            }),
        guest("fails-and-wants-to-wait-for-ever")
            .job(
                "(drop (call $done))
                 (i32.store8 (i32.const 64) (i32.const 1))
                 (call $message @\"in a while\")
                 (i32.store8 (i32.const 88) (i32.const 1))
                 (i64.store (i32.const 96) (i64.const -1))
                 (i32.const 64)",
            )
            .more(
                "(func $message (param i32 i32)
                   (i32.store (i32.const 80) (local.get 0)) (i32.store (i32.const 84) (local.get 1)))",
            )
            .ends(Verdict::Retryable("in a while")),
    ]
}
