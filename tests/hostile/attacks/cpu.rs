//! Guests that want more of the CPU than they have, by way of the host. The last one only waits, and may.

use crate::guest::{Guest, Verdict, guest};

pub(crate) fn guests() -> Vec<Guest> {
    vec![
        guest("lets-the-host-compute-for-it")
            .job("(loop $again (call $random (i64.const 65536) (i32.const 256)) (global.set $heap (i32.const 65536)) (br $again)) (unreachable)")
            .text(|text| text.pages = 8)
            .limits(|limits| limits.calls = 100_000_000)
            .ends(Verdict::CpuExhausted),
        guest("logs-what-is-dropped-without-end")
            .text(|text| text.pages = 20)
            .job(
                "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 1000000))
                 (loop $again
                   (call $log (i32.const 2) (i32.const 65536) (i32.const 1000000) (i32.const 0) (i32.const 0))
                   (br $again)) (unreachable)",
            )
            .ends(Verdict::CpuExhausted),
        // Each wait is longer than the tick by which guests are looked at.
        guest("waits-three-hundred-times")
            .job(
                "(loop $again
                   (local.set $m (call $after (i64.const 1500000)))
                   (call $block (local.get $m))
                   (call $drop-pollable (local.get $m))
                   (local.set $n (i32.add (local.get $n) (i32.const 1)))
                   (br_if $again (i32.lt_u (local.get $n) (i32.const 300))))
                 (call $done)",
            )
            .ends(Verdict::Completes),
    ]
}
