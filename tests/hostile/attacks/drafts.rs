//! Guests that flood the key-value store through `wasi:keyvalue`: another door to the same room.

use crate::guest::{Guest, Verdict, guest};

const ANSWER: &str = "(call $answer (i32.const 256))";
const OPEN: &str = "(call $open @\"default\" (i32.const 256)) (local.set $m (i32.load (i32.const 260)))";

/// Until it is refused; says why.
fn flood(body: &str) -> String {
    format!("{OPEN} (loop $again {body} (br_if $again (i32.eqz (i32.load8_u (i32.const 256))))) {ANSWER}")
}

/// A list at 65536 of so many pairs of texts, of which each is nothing.
fn pairs(call: &str, count: u32) -> String {
    format!(
        "{OPEN} (memory.fill (i32.const 65536) (i32.const 0) (i32.const 65536))
         (call ${call} (local.get $m) (i32.const 65536) (i32.const {count}) (i32.const 256)) {ANSWER}"
    )
}

pub(crate) fn guests() -> Vec<Guest> {
    let long = hookbox_core::time::Millis(10_000);
    let large = "(i32.const 65536) (i32.const 65536)";
    vec![
        guest("opens-its-bucket-without-end")
            .job(&flood("(call $open @\"default\" (i32.const 256))"))
            .ends(Verdict::Says("more than 256 handles")),
        // An error, of which the first case is `no-such-store`.
        guest("opens-the-bucket-of-another")
            .job(
                "(call $open @\"keeper\" (i32.const 256))
                 (if (i32.eqz (i32.load8_u (i32.const 256))) (then (return (call $say @\"let in\"))))
                 (call $digit (i32.load8_u (i32.const 260)))",
            )
            .ends(Verdict::Says("0")),
        guest("uses-a-bucket-that-it-was-not-given")
            .job("(call $bucket-get (i32.const 77) @\"hidden\" (i32.const 256)) (call $done)")
            .ends(Verdict::Trapped("unknown handle index 77")),
        guest("fills-its-bucket-with-large-values")
            .text(|text| text.pages = 4)
            .job(&flood(&format!(
                "(i32.store (i32.const 512) (i32.add (i32.const 0x20202020) (local.get $n)))
                 (local.set $n (i32.add (local.get $n) (i32.const 1)))
                 (if (i32.ge_u (i32.and (local.get $n) (i32.const 0x7f)) (i32.const 0x40))
                   (then (local.set $n (i32.add (local.get $n) (i32.const 0xc0)))))
                 (call $bucket-set (local.get $m) (i32.const 512) (i32.const 4) {large} (i32.const 256))"
            )))
            .settings(|settings| settings.cpu = long)
            .ends(Verdict::Says("grants.kv")),
        guest("sets-a-value-in-its-bucket-that-is-too-large")
            .text(|text| text.pages = 4)
            .job(&format!(
                "{OPEN} (call $bucket-set (local.get $m) @\"key\" (i32.const 65536) (i32.const 65537) (i32.const 256))
                 {ANSWER}"
            ))
            .ends(Verdict::Says("at most 65536")),
        guest("lists-its-bucket-without-end")
            .job(&flood("(call $bucket-keys (local.get $m) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))"))
            .settings(|settings| settings.cpu = long)
            .ends(Verdict::Says("10000")),
        guest("sets-more-keys-at-once-than-a-batch-may-have")
            .text(|text| text.pages = 4)
            .job(&pairs("set-many", 1001))
            .ends(Verdict::Says("at most 1000")),
        guest("asks-for-more-keys-at-once-than-a-batch-may-have")
            .text(|text| text.pages = 4)
            .job(&pairs("get-many", 1001))
            .ends(Verdict::Says("at most 1000")),
        // One value of 64 KiB, 20 times.
        guest("asks-for-more-values-than-a-call-may-have")
            .text(|text| text.pages = 4)
            .job(&format!(
                "{OPEN} (call $bucket-set (local.get $m) @\"key\" {large} (i32.const 256))
                 (loop $more
                   (call $pair (i32.add (i32.const 65536) (i32.mul (local.get $n) (i32.const 8))) @\"key\")
                   (local.set $n (i32.add (local.get $n) (i32.const 1)))
                   (br_if $more (i32.lt_u (local.get $n) (i32.const 20))))
                 (call $get-many (local.get $m) (i32.const 65536) (i32.const 20) (i32.const 256)) {ANSWER}"
            ))
            .more(
                "(func $pair (param $at i32) (param $text i32) (param $bytes i32)
                   (i32.store (local.get $at) (local.get $text))
                   (i32.store offset=4 (local.get $at) (local.get $bytes)))",
            )
            .ends(Verdict::Says("limits.call")),
        guest("looks-at-values-without-end")
            .job(&flood("(call $cas (local.get $m) @\"key\" (i32.const 256))"))
            .ends(Verdict::Says("more than 256 handles")),
    ]
}
