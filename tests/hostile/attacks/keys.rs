//! Guests that fill the key-value store, or look for what is in that of another.

use crate::guest::{Guest, Verdict, guest};

fn set(key: &str, value: &str) -> String {
    format!("(call $kv-set {key} {value} (i32.const 0) (i64.const 0) (i32.const 256))")
}

/// Sets keys of 4 bytes, each another, until it is refused, and says why.
fn flood(value: &str) -> String {
    format!(
        "(loop $again
           (i32.store8 (i32.const 512) (i32.or (i32.const 0x20) (i32.and (local.get $n) (i32.const 0x1f))))
           (i32.store8 (i32.const 513) (i32.or (i32.const 0x20) (i32.and (i32.shr_u (local.get $n) (i32.const 5)) (i32.const 0x1f))))
           (i32.store8 (i32.const 514) (i32.or (i32.const 0x20) (i32.and (i32.shr_u (local.get $n) (i32.const 10)) (i32.const 0x1f))))
           (i32.store8 (i32.const 515) (i32.const 0x41))
           {}
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $again (i32.eqz (i32.load8_u (i32.const 256)))))
         (call $answer (i32.const 256))",
        set("(i32.const 512) (i32.const 4)", value)
    )
}

pub(crate) fn guests() -> Vec<Guest> {
    let long = hookbox_core::time::Millis(10_000);
    // Whether it found something: byte 4 of the answer says.
    let find = |key: &str| {
        format!(
            "(call $kv-get {key} (i32.const 256))
             (if (i32.load8_u (i32.const 256)) (then (return (call $answer (i32.const 256)))))
             (if (i32.load8_u (i32.const 260))
               (then (return (call $say (i32.load (i32.const 264)) (i32.load (i32.const 268))))))
             (call $say @\"nothing\")"
        )
    };
    vec![
        guest("sets-a-value-that-is-too-large")
            .text(|text| text.pages = 4)
            .job(&format!("{} (call $answer (i32.const 256))", set("@\"key\"", "(i32.const 65536) (i32.const 65537)")))
            .ends(Verdict::Says("at most 65536")),
        guest("sets-a-key-that-is-too-long")
            .job(&format!("{} (call $answer (i32.const 256))", set("(i32.const 131072) (i32.const 129)", "@\"value\"")))
            .ends(Verdict::Says("128")),
        guest("sets-a-key-that-is-empty")
            .job(&format!("{} (call $answer (i32.const 256))", set("(i32.const 0) (i32.const 0)", "@\"value\"")))
            .ends(Verdict::Says("key")),
        guest("fills-its-keys-with-large-values")
            .text(|text| text.pages = 4)
            .job(&flood("(i32.const 65536) (i32.const 65536)"))
            .settings(|settings| settings.cpu = long)
            .ends(Verdict::Says("at most 16777216 (grants.kv)"))
            .check(|executed| {
                let bytes: usize = executed.effects.writes.iter().map(|write| write.key().len()).sum();
                assert!(bytes < 16 << 20 && executed.effects.writes.len() <= 256);
            }),
        guest("fills-the-little-that-it-was-granted")
            .job(&flood("@\"value\""))
            .settings(|settings| settings.kv_bytes = 100)
            .ends(Verdict::Says("at most 100 (grants.kv)"))
            .check(|executed| assert!(executed.effects.writes.len() <= 11)),
        guest("makes-more-keys-than-can-be-checked")
            .job(&flood("@\"\""))
            .settings(|settings| settings.cpu = long)
            .ends(Verdict::Says("at most 10000"))
            .check(|executed| assert!(executed.effects.writes.len() <= 10_000)),
        guest("lists-its-keys-without-end")
            .job(
                "(loop $again
                   (call $kv-list (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
                   (br_if $again (i32.eqz (i32.load8_u (i32.const 256)))))
                 (call $answer (i32.const 256))",
            )
            .settings(|settings| settings.cpu = long)
            .ends(Verdict::Says("at most 10000")),
        guest("reads-the-keys-of-another").job(&find("@\"hidden\"")).ends(Verdict::Says("nothing")),
        guest("reads-the-keys-of-another-by-a-path").job(&find("@\"../keeper/hidden\"")).ends(Verdict::Says("nothing")),
        guest("writes-and-then-traps")
            .job(&format!("{} (unreachable)", set("@\"key\"", "@\"value\"")))
            .ends(Verdict::Trapped("unreachable")),
        guest("keeps-a-key-for-longer-than-time-lasts")
            .job(
                "(call $kv-set @\"key\" @\"value\" (i32.const 1) (i64.const -1) (i32.const 256))
                 (call $answer (i32.const 256))",
            )
            .ends(Verdict::Says("fine")),
    ]
}
