//! Guests that hand over what is none: places outside of their memory, lengths without end, texts that are no text,
//! cases that no variant has, and handles that they were not given.

use crate::guest::{Guest, Verdict, guest};

/// What a call of the host has after the level: text and fields.
fn log(level: &str, text: &str, fields: &str) -> String {
    format!("(call $log {level} {text} {fields}) (call $done)")
}

pub(crate) fn guests() -> Vec<Guest> {
    let (info, none) = ("(i32.const 2)", "(i32.const 0) (i32.const 0)");
    let bounds = Verdict::Trapped("out of bounds");
    vec![
        guest("logs-a-text-beyond-its-memory").job(&log(info, "(i32.const -16) (i32.const 100)", none)).ends(bounds),
        guest("logs-a-text-of-four-gigabytes").job(&log(info, "(i32.const 0) (i32.const -1)", none)).ends(bounds),
        guest("logs-a-text-whose-end-overflows").job(&log(info, "(i32.const -2) (i32.const -1)", none)).ends(bounds),
        guest("logs-fields-beyond-its-memory").job(&log(info, none, "(i32.const -16) (i32.const 10)")).ends(bounds),
        guest("logs-more-fields-than-can-be-counted")
            .job(&log(info, none, "(i32.const 0) (i32.const 0x10000000)"))
            .ends(Verdict::Trapped("list pointer/length out of bounds")),
        guest("logs-fields-at-an-odd-place")
            .job(&log(info, none, "(i32.const 513) (i32.const 1)"))
            .ends(Verdict::Trapped("not aligned")),
        guest("logs-what-is-no-text")
            .job(&format!("(i32.store (i32.const 512) (i32.const 0xfffefdfc)) {}", {
                log(info, "(i32.const 512) (i32.const 4)", none)
            }))
            .ends(Verdict::Trapped("utf-8")),
        guest("logs-half-a-character")
            .job(&format!("(i32.store (i32.const 512) (i32.const 0xc3)) {}", {
                log(info, "(i32.const 512) (i32.const 1)", none)
            }))
            .ends(Verdict::Trapped("utf-8")),
        guest("logs-at-a-level-that-is-none")
            .job(&log("(i32.const 99)", none, none))
            .ends(Verdict::Trapped("unexpected discriminant")),
        guest("sets-a-key-with-half-an-option")
            .job(
                "(call $kv-set @\"key\" @\"value\" (i32.const 7) (i64.const 0) (i32.const 256))
                 (call $done)",
            )
            .ends(Verdict::Trapped("invalid option discriminant")),
        guest("wants-the-answer-beyond-its-memory")
            .job("(call $kv-get @\"key\" (i32.const -4)) (call $done)")
            .ends(Verdict::Trapped("pointer out of bounds")),
        guest("wants-the-answer-at-an-odd-place")
            .job("(call $kv-get @\"key\" (i32.const 257)) (call $done)")
            .ends(Verdict::Trapped("not aligned")),
        guest("answers-from-beyond-its-memory").job("(i32.const -64)").ends(Verdict::Trapped("out of bounds")),
        guest("answers-from-an-odd-place").job("(i32.const 65)").ends(Verdict::Trapped("not aligned")),
        guest("answers-neither-well-nor-ill")
            .job("(drop (call $done)) (i32.store8 (i32.const 64) (i32.const 7)) (i32.const 64)")
            .ends(Verdict::Trapped("invalid expected discriminant")),
        guest("answers-with-an-outcome-that-is-none")
            .job("(drop (call $done)) (i32.store8 (i32.const 72) (i32.const 7)) (i32.const 64)")
            .ends(Verdict::Trapped("unexpected discriminant: 7")),
        guest("answers-with-a-result-of-four-gigabytes")
            .job("(call $say (i32.const 0) (i32.const -1))")
            .ends(Verdict::Trapped("out of bounds")),
        guest("gives-out-memory-beyond-its-own")
            .text(|text| text.realloc = "(return (i32.const -64))".to_owned())
            .ends(Verdict::Trapped("beyond end of memory")),
        guest("gives-out-memory-at-an-odd-place")
            .text(|text| text.realloc = "(return (i32.const 65537))".to_owned())
            .ends(Verdict::Trapped("not aligned")),
        guest("gives-out-the-memory-of-its-own-texts")
            .text(|text| text.realloc = "(return (i32.const 1024))".to_owned())
            .ends(Verdict::Completes),
        guest("describes-itself-from-beyond-its-memory")
            .describe("(i32.const -64)")
            .ends(Verdict::Refused("describe-trapped", "out of bounds")),
        guest("describes-itself-from-an-odd-place")
            .describe("(i32.const 1025)")
            .ends(Verdict::Refused("describe-trapped", "not aligned")),
        guest("describes-more-handlers-than-there-is-memory")
            .describe("(i32.store offset=32 (global.get $info) (i32.const 0x00ffffff)) (global.get $info)")
            .ends(Verdict::Refused("describe-trapped", "list pointer/length out of bounds")),
        guest("describes-a-trigger-that-is-none")
            .describe("(i32.store8 offset=8 (i32.load offset=28 (global.get $info)) (i32.const 9)) (global.get $info)")
            .ends(Verdict::Refused("describe-trapped", "unexpected discriminant: 9")),
        guest("uses-a-handle-it-was-not-given")
            .job("(call $block (i32.const 77)) (call $done)")
            .ends(Verdict::Trapped("unknown handle index 77")),
        guest("drops-a-handle-it-was-not-given")
            .job("(call $drop-pollable (i32.const 77)) (call $done)")
            .ends(Verdict::Trapped("unknown handle index 77")),
        guest("drops-a-handle-twice")
            .job(
                "(local.set $n (call $stdout)) (call $drop-output (local.get $n)) (call $drop-output (local.get $n))
                  (call $done)",
            )
            .ends(Verdict::Trapped("unknown handle index")),
        guest("uses-a-handle-that-it-dropped")
            .job(
                "(local.set $n (call $stdout)) (call $drop-output (local.get $n))
                  (call $print (local.get $n) @\"text\" (i32.const 256)) (call $done)",
            )
            .ends(Verdict::Trapped("unknown handle index")),
        guest("passes-one-kind-of-handle-for-another")
            .job("(call $print (call $stdin) @\"text\" (i32.const 256)) (call $done)")
            .ends(Verdict::Trapped("used with the wrong type")),
        guest("uses-the-handle-of-the-highest-number")
            .job("(call $block (i32.const -1)) (call $done)")
            .ends(Verdict::Trapped("unknown handle index 4294967295")),
    ]
}
