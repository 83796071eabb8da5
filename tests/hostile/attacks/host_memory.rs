//! Guests that want the host to use its memory or its time for them.

use crate::guest::{Guest, Verdict, guest};

pub(crate) fn guests() -> Vec<Guest> {
    vec![
        guest("passes-a-text-of-two-megabytes")
            .text(|text| text.pages = 40)
            .job("(call $log (i32.const 2) (i32.const 65536) (i32.const 2097152) (i32.const 0) (i32.const 0)) (call $done)")
            .ends(Verdict::Trapped("limits.call")),
        // 4,000 fields, each of which is the same 60,000 bytes: 240 MB from 100 KB.
        guest("passes-one-text-thousands-of-times")
            .text(|text| text.pages = 4)
            .job(
                "(loop $more
                   (i32.store (i32.add (i32.const 196608) (local.get $n)) (i32.const 131072))
                   (i32.store offset=4 (i32.add (i32.const 196608) (local.get $n)) (i32.const 60000))
                   (local.set $n (i32.add (local.get $n) (i32.const 8)))
                   (br_if $more (i32.lt_u (local.get $n) (i32.const 64000))))
                 (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 196608) (i32.const 4000))
                 (call $done)",
            )
            .ends(Verdict::Trapped("limits.call")),
        guest("passes-a-list-of-a-hundred-thousand-empty-texts")
            .text(|text| text.pages = 30)
            .job(
                "(memory.fill (i32.const 65536) (i32.const 0) (i32.const 1700000))
                 (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 100000))
                 (call $done)",
            )
            .ends(Verdict::Trapped("limits.call")),
        guest("passes-more-than-the-little-it-may")
            .text(|text| text.pages = 4)
            .job("(call $log (i32.const 2) (i32.const 65536) (i32.const 140000) (i32.const 0) (i32.const 0)) (call $done)")
            .limits(|limits| (limits.call_bytes, limits.result_bytes) = (128 << 10, 64 << 10))
            .ends(Verdict::Trapped("more than 131072 bytes")),
        guest("calls-the-host-without-end")
            .job("(loop $again (call $config @\"key\" (i32.const 256)) (br $again)) (unreachable)")
            .limits(|limits| limits.calls = 1000)
            .ends(Verdict::Trapped("config.get: more than 1000 calls")),
        guest("wants-a-gigabyte-of-random-numbers")
            .job("(call $random (i64.const 1073741824) (i32.const 256)) (call $done)")
            .ends(Verdict::Trapped("limits.random")),
        guest("wants-more-random-numbers-than-there-are-bytes")
            .job("(call $random (i64.const -1) (i32.const 256)) (call $done)")
            .ends(Verdict::Trapped("limits.random")),
        guest("wants-a-few-more-random-numbers-than-it-may")
            .job("(call $random (i64.const 65) (i32.const 256)) (call $done)")
            .limits(|limits| limits.random_bytes = 64)
            .ends(Verdict::Trapped("limits.random")),
        guest("draws-random-numbers-without-end")
            .job(
                "(local.set $m (global.get $heap))
                 (loop $again
                   (global.set $heap (local.get $m))
                   (call $random (i64.const 65536) (i32.const 256))
                   (br $again))
                 (unreachable)",
            )
            .ends(Verdict::CpuExhausted),
        guest("opens-streams-without-end")
            .job("(loop $again (drop (call $stdout)) (br $again)) (unreachable)")
            .ends(Verdict::Trapped("limits.resources")),
        guest("opens-more-streams-than-the-few-it-may")
            .job(
                "(loop $again (drop (call $stdin)) (local.set $n (i32.add (local.get $n) (i32.const 1)))
                   (br_if $again (i32.lt_u (local.get $n) (i32.const 65))))
                 (call $done)",
            )
            .limits(|limits| limits.resources = 64)
            .ends(Verdict::Trapped("limits.resources")),
        guest("sets-timers-without-end")
            .job("(loop $again (drop (call $after (i64.const 3600000000000))) (br $again)) (unreachable)")
            .ends(Verdict::Trapped("limits.resources")),
    ]
}
