//! Guests that say more than anybody wants to hear.

use hookbox_core::attempt::{Executed, Log};
use hookbox_core::limits::LOG_BYTES;

use crate::guest::{Guest, Verdict, guest};

/// Lines that are kept cost at least so much each.
const LINE_BYTES: usize = 32;
const SMALL: usize = 4096;

fn bytes(log: &Log) -> usize {
    let of_fields = |fields: &[(String, String)]| fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    log.lines
        .iter()
        .map(|line| line.message.len() + LINE_BYTES + Some(line.fields.as_slice()).map_or(0, of_fields))
        .sum()
}

fn is_cut(executed: &Executed) {
    let log = &executed.log;
    assert!(bytes(log) <= LOG_BYTES && log.bytes_dropped > 0, "{} kept, {} dropped", bytes(log), log.bytes_dropped);
}

fn is_cut_to_the_little_it_may(executed: &Executed) {
    let log = &executed.log;
    assert!(bytes(log) <= SMALL && log.bytes_dropped > 0, "{} kept, {} dropped", bytes(log), log.bytes_dropped);
}

fn is_plain(executed: &Executed) {
    let line = &executed.log.lines[0];
    assert!(!line.message.contains(char::is_control) && !line.message.contains('\u{202e}'), "{line:?}");
    assert!(!line.fields[0].0.contains(char::is_control), "{line:?}");
}

/// So many calls one after the other.
fn times(count: u32, body: &str) -> String {
    format!(
        "(loop $again {body} (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $n) (i32.const {count}))))
         (call $done)"
    )
}

pub(crate) fn guests() -> Vec<Guest> {
    let log = |text: &str, fields: &str| format!("(call $log (i32.const 2) {text} {fields})");
    let none = "(i32.const 0) (i32.const 0)";
    // Memory that nobody wrote to: zero bytes, which are control characters.
    let large = "(i32.const 131072) (i32.const 60000)";
    // WASI takes 4 KiB at a time.
    let print = |to: &str| {
        let body = "(call $print (local.get $m) (i32.const 65536) (i32.const 4096) (i32.const 256))";
        format!("(local.set $m (call ${to})) {}", times(2000, body))
    };
    vec![
        guest("logs-sixty-megabytes")
            .job(&times(1000, &log(large, none)))
            .settings(|settings| settings.cpu = hookbox_core::time::Millis(10_000))
            .ends(Verdict::Completes)
            .check(is_cut),
        guest("logs-a-hundred-thousand-empty-lines")
            .job(&times(100_000, &log(none, none)))
            .settings(|settings| settings.cpu = hookbox_core::time::Millis(10_000))
            .ends(Verdict::Completes)
            .check(|executed| assert!(executed.log.lines.len() <= LOG_BYTES / LINE_BYTES)),
        guest("logs-thousands-of-fields")
            .job(&format!(
                "(loop $more
                   (i32.store (i32.add (i32.const 65536) (local.get $n)) (i32.const 1024))
                   (i32.store offset=4 (i32.add (i32.const 65536) (local.get $n)) (i32.const 8))
                   (local.set $n (i32.add (local.get $n) (i32.const 8)))
                   (br_if $more (i32.lt_u (local.get $n) (i32.const 64000))))
                 (local.set $n (i32.const 0)) {}",
                times(10, &log(none, "(i32.const 65536) (i32.const 4000)"))
            ))
            .ends(Verdict::Completes)
            .check(|executed| assert!(executed.log.lines[0].fields.len() <= 32 && executed.log.bytes_dropped > 0)),
        guest("logs-more-than-the-little-it-may")
            .job(&times(1000, &log("@\"something that is said again and again\"", none)))
            .limits(|limits| limits.log_bytes = SMALL)
            .ends(Verdict::Completes)
            .check(is_cut_to_the_little_it_may),
        guest("logs-where-it-may-not")
            .job(&times(10, &log("@\"anything\"", none)))
            .limits(|limits| limits.log_bytes = 0)
            .ends(Verdict::Completes)
            .check(|executed| assert!(executed.log.lines.is_empty() && executed.log.bytes_dropped > 0)),
        guest("logs-what-moves-the-cursor")
            .job(&format!(
                "(i32.store (i32.const 512) (i32.const 1024)) (i32.store (i32.const 516) (i32.const 40))
                 (i32.store (i32.const 520) (i32.const 1024)) (i32.store (i32.const 524) (i32.const 40))
                 (memory.fill (i32.const 1024) (i32.const 27) (i32.const 40)) {} (call $done)",
                log("@\"\\e[2J\\e[1;1H\\nfine \u{202e}hctub\"", "(i32.const 512) (i32.const 1)")
            ))
            .ends(Verdict::Completes)
            .check(is_plain),
        guest("prints-to-standard-output-without-end")
            .ample()
            .job(&print("stdout"))
            .ends(Verdict::Completes)
            .check(is_cut),
        guest("prints-to-standard-error-without-end")
            .ample()
            .job(&print("stderr"))
            .ends(Verdict::Completes)
            .check(is_cut),
        guest("prints-a-megabyte-at-once")
            .text(|text| text.pages = 20)
            .job("(call $print (call $stdout) (i32.const 65536) (i32.const 1000000) (i32.const 256)) (call $done)")
            .ends(Verdict::Trapped("too large")),
    ]
}
