//! Guests that never come to an end, at every place where their code runs.

use hookbox_core::time::Millis;

use crate::guest::{Guest, Verdict, guest, liar};

const LOOP: &str = "(loop $forever (br $forever))";
/// An hour, in nanoseconds.
const HOUR: &str = "(call $after (i64.const 3600000000000))";
const SHORT: Millis = Millis(100);

pub(crate) fn guests() -> Vec<Guest> {
    let start = |body: &str| format!("(func $start {body}) (start $start)");
    vec![
        guest("loops-in-start")
            .more(&start(LOOP))
            .ends(Verdict::Refused("describe-timed-out", "only say what the plugin is")),
        guest("traps-in-start").more(&start("(unreachable)")).ends(Verdict::Refused("describe-trapped", "unreachable")),
        guest("recurses-in-start")
            .more(&start("(call $start)"))
            .ends(Verdict::Refused("describe-trapped", "call stack exhausted (engine.stack")),
        liar("loops", "liar/loops", "describe-timed-out", "within 1s, or used more than 500ms of CPU time"),
        liar("waits", "liar/waits", "describe-timed-out", "within 1s"),
        liar("panics", "liar/panics", "describe-trapped", "no name"),
        guest("recurses-in-describe")
            .more("(func $deeper (result i32) (i32.add (call $deeper) (i32.const 1)))")
            .describe("(call $deeper)")
            .ends(Verdict::Refused("describe-trapped", "call stack exhausted (engine.stack")),
        guest("loops-in-post-return-of-describe")
            .text(|text| text.post_describe = LOOP.to_owned())
            .ends(Verdict::Refused("describe-timed-out", "within 1s")),
        guest("loops-in-handler").job(&format!("{LOOP} (unreachable)")).ends(Verdict::CpuExhausted),
        guest("loops-in-handler-of-little-time")
            .job(&format!("{LOOP} (unreachable)"))
            .settings(|settings| settings.cpu = Millis(60_000))
            .timeout(SHORT)
            .ends(Verdict::TimedOut),
        guest("loops-in-realloc").text(|text| text.realloc = LOOP.to_owned()).ends(Verdict::CpuExhausted),
        guest("loops-in-post-return").text(|text| text.post_job = LOOP.to_owned()).ends(Verdict::CpuExhausted),
        guest("traps-in-post-return")
            .text(|text| text.post_job = "(unreachable)".to_owned())
            .ends(Verdict::Trapped("unreachable")),
        guest("calls-the-host-from-realloc")
            .text(|text| text.realloc = "(call $kv-get @\"key\" (i32.const 256))".to_owned())
            .ends(Verdict::Trapped("cannot leave component instance")),
        guest("calls-the-host-from-post-return")
            .text(|text| text.post_job = "(call $kv-get @\"key\" (i32.const 256))".to_owned())
            .ends(Verdict::Trapped("cannot leave component instance")),
        guest("sleeps-in-handler")
            .job(&format!("(call $block {HOUR}) (call $done)"))
            .timeout(SHORT)
            .ends(Verdict::TimedOut),
        guest("polls-what-is-never-ready")
            .job(&format!(
                "(i32.store (i32.const 512) {HOUR})
                 (call $poll (i32.const 512) (i32.const 1) (i32.const 256)) (call $done)"
            ))
            .timeout(SHORT)
            .ends(Verdict::TimedOut),
        guest("polls-nothing")
            .job("(call $poll (i32.const 512) (i32.const 0) (i32.const 256)) (call $done)")
            .ends(Verdict::Trapped("poll list")),
        guest("asks-for-ever-whether-it-is-ready")
            .job(&format!(
                "(local.set $n {HOUR})
                 (loop $again (br_if $again (i32.eqz (call $ready (local.get $n))))) (call $done)"
            ))
            .ends(Verdict::CpuExhausted),
        guest("recurses-in-handler")
            .more("(func $deeper (result i32) (i32.add (call $deeper) (i32.const 1)))")
            .job("(call $deeper)")
            .ends(Verdict::Trapped("call stack exhausted (engine.stack")),
        guest("divides-by-zero")
            .job("(i32.div_u (i32.const 1) (local.get $n))")
            .ends(Verdict::Trapped("divide by zero")),
        guest("jumps-through-an-empty-table")
            .more("(table 1 funcref) (type $job (func (result i32)))")
            .job("(call_indirect (type $job) (i32.const 0))")
            .ends(Verdict::Trapped("uninitialized element")),
        guest("jumps-to-a-function-of-another-kind")
            .more("(table funcref (elem $other)) (type $job (func (result i32))) (func $other (param i64 i64))")
            .job("(call_indirect (type $job) (i32.const 0))")
            .ends(Verdict::Trapped("indirect call type mismatch")),
        guest("writes-beyond-its-memory")
            .job("(i32.store (i32.const -8) (i32.const 1)) (call $done)")
            .ends(Verdict::Trapped("out of bounds memory access")),
        guest("copies-beyond-its-memory")
            .job("(memory.copy (i32.const 0) (i32.const 65536) (i32.const -1)) (call $done)")
            .ends(Verdict::Trapped("out of bounds memory access")),
    ]
}
