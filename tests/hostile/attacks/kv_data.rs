//! Guests that let the host hold more keys and values for them than it should.

use crate::guest::{Guest, Verdict, guest};

const LARGE: usize = 60_000;

pub(crate) fn guests() -> Vec<Guest> {
    let get = |key: &str| format!("(call $kv-get @\"{key}\" (i32.const 256))");
    let answer = "(call $answer (i32.const 256))";
    let refused = Verdict::Says("limits.kv_data");
    vec![
        guest("reads-more-than-it-may")
            .stored(&[("a", LARGE), ("b", LARGE), ("c", LARGE)])
            .limits(|limits| limits.kv_data_bytes = 2 * LARGE + 2)
            .job(&format!("{} {} {} {answer}", get("a"), get("b"), get("c")))
            .ends(refused),
        guest("reads-what-it-may-again-and-again")
            .stored(&[("a", LARGE), ("b", LARGE)])
            .limits(|limits| limits.kv_data_bytes = 2 * LARGE + 2)
            .job(&format!("{} {} {} {} {answer}", get("a"), get("b"), get("a"), get("b")))
            .text(|text| text.pages = 4)
            .ends(Verdict::Says("fine")),
        guest("reads-on-after-it-was-refused")
            .stored(&[("a", LARGE), ("b", 1)])
            .limits(|limits| limits.kv_data_bytes = LARGE)
            .job(&format!("{} {} {answer}", get("a"), get("b")))
            .ends(refused)
            .check(|executed| assert_eq!(executed.effects.reads.len(), 1, "the other was not looked for")),
        guest("lists-more-than-it-may")
            .stored(&[("a", 1), ("b", 1), ("c", 1)])
            .limits(|limits| limits.kv_data_bytes = 2)
            .job(&format!(
                "(call $kv-list (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256)) {answer}"
            ))
            .ends(refused),
        // One key, so that the quota is never reached.
        guest("writes-more-than-it-may")
            .text(|text| text.pages = 4)
            .settings(|settings| settings.cpu = hookbox_core::time::Millis(10_000))
            .job(&format!(
                "(loop $again
                   (call $kv-set @\"key\" (i32.const 65536) (i32.const 65536) (i32.const 0) (i64.const 0) (i32.const 256))
                   (br_if $again (i32.eqz (i32.load8_u (i32.const 256))))) {answer}"
            ))
            .ends(refused)
            .check(|executed| assert_eq!(executed.effects.writes.len(), 1)),
    ]
}
