//! Guests that try each door of WASI that leads out of the sandbox, and those of hookbox that are for others.

use hookbox_core::time::Millis;

use crate::guest::{Guest, Verdict, guest};

/// What a list that came to 256 has: `0` is nothing.
const COUNT: &str = "(call $digit (i32.load (i32.const 260)))";
/// Whether the option or result that came to 256 is there, or failed.
const CASE: &str = "(call $digit (i32.load8_u (i32.const 256)))";
/// Which error of WASI the result at 256 has, whose first case is 0.
const ERROR: &str = "(if (i32.eqz (i32.load8_u (i32.const 256))) (then (return (call $say @\"let in\"))))
    (call $digit (i32.load8_u (i32.const 260)))";

pub(crate) fn guests() -> Vec<Guest> {
    let says = |name, body: String, words| guest(name).job(&body).ends(Verdict::Says(words));
    vec![
        says("reads-the-environment", format!("(call $environment (i32.const 256)) {COUNT}"), "0"),
        says("reads-the-arguments", format!("(call $arguments (i32.const 256)) {COUNT}"), "0"),
        says("asks-where-it-is", format!("(call $cwd (i32.const 256)) {CASE}"), "0"),
        says("looks-for-open-folders", format!("(call $preopens (i32.const 256)) {COUNT}"), "0"),
        says("looks-for-a-terminal", format!("(call $terminal (i32.const 256)) {CASE}"), "0"),
        // An error, and of its cases `closed`.
        says("reads-standard-input", format!("(call $read (call $stdin) (i64.const 10) (i32.const 256)) {ERROR}"), "1"),
        guest("opens-a-file-in-a-folder-it-was-not-given")
            .job(
                "(call $open-at (i32.const 3) (i32.const 0) @\"/etc/passwd\" (i32.const 0) (i32.const 1)
                   (i32.const 256)) (call $done)",
            )
            .ends(Verdict::Trapped("unknown handle index 3")),
        // `access-denied` or `not-supported`.
        says("makes-a-tcp-socket", format!("(call $tcp (i32.const 0) (i32.const 256)) {ERROR}"), "1"),
        says("makes-a-tcp-socket-of-ipv6", format!("(call $tcp (i32.const 1) (i32.const 256)) {ERROR}"), "1"),
        says("makes-a-udp-socket", format!("(call $udp (i32.const 0) (i32.const 256)) {ERROR}"), "1"),
        // `permanent-resolver-failure` is the last, 9 stands for it, too.
        says("looks-up-a-name", format!("(call $lookup (call $network) @\"localhost\" (i32.const 256)) {ERROR}"), "9"),
        says(
            "looks-up-the-address-of-the-metadata-service",
            format!("(call $lookup (call $network) @\"169.254.169.254\" (i32.const 256)) {ERROR}"),
            "9",
        ),
        guest("exits-well").job("(call $exit (i32.const 0)) (call $done)").ends(Verdict::Trapped("exit status 0")),
        guest("exits-badly").job("(call $exit (i32.const 1)) (call $done)").ends(Verdict::Trapped("exit status 1")),
        says("asks-for-a-secret-of-another", format!("(call $secret @\"hidden\" (i32.const 256)) {CASE}"), "0"),
        says("asks-for-the-config-of-another", format!("(call $config @\"hidden\" (i32.const 256)) {CASE}"), "0"),
        says(
            "asks-for-the-config-of-another-by-a-path",
            format!("(call $config @\"plugins.keeper.config.hidden\" (i32.const 256)) {CASE}"),
            "0",
        ),
        // A clock is no door: languages need it. It tells the time and wakes nobody beyond the attempt.
        says(
            "reads-the-clock",
            "(call $now (i32.const 256)) (call $digit (i64.gt_u (i64.load (i32.const 256)) (i64.const 0)))".to_owned(),
            "1",
        ),
        guest("waits-for-the-end-of-time")
            .job("(call $block (call $after (i64.const -1))) (call $done)")
            .timeout(Millis(100))
            .ends(Verdict::TimedOut),
    ]
}
