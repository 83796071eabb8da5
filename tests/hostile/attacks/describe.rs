//! Guests that describe themselves as something that they are not, or without end.

use crate::guest::{Guest, Verdict, guest, liar};

pub(crate) fn guests() -> Vec<Guest> {
    let bad = |words| Verdict::Refused("bad-description", words);
    let named = |name, handler: &'static str, words| {
        guest(name).text(|text| text.handlers = vec![handler.to_owned()]).ends(bad(words))
    };
    vec![
        liar("claims-another", "liar/claims-another", "bad-description", "payments"),
        liar("grants-itself", "liar/grants-itself", "bad-description", "grants"),
        liar("filters-badly", "liar/filters-badly", "bad-description", "write a condition in CEL"),
        liar("calls-kv", "liar/calls-kv", "describe-trapped", "describe() called kv.get"),
        guest("takes-the-name-of-the-keeper")
            .text(|text| text.name = "keeper".to_owned())
            .ends(bad("name the file after the plugin")),
        guest("has-no-name").text(|text| text.name = String::new()).ends(bad("name the file")),
        guest("has-a-name-of-a-hundred-kilobytes").text(|text| text.name = "n".repeat(100 << 10)).ends(bad("nnnn")),
        guest("has-a-name-that-the-host-does-not-take")
            .text(|text| text.name = "n".repeat(2 << 20))
            .ends(Verdict::Refused("describe-trapped", "limits.call")),
        guest("has-a-version-that-moves-the-cursor")
            .text(|text| text.version = "\u{1b}[2J1.0\n".repeat(1000))
            .ends(Verdict::Completes),
        guest("has-no-handlers").text(|text| text.handlers.clear()).ends(bad("no handlers")),
        guest("has-ten-thousand-handlers")
            .text(|text| text.handlers = (0..10_000).map(|n| format!("handler-{n}")).collect())
            .ends(Verdict::Refused("describe-trapped", "limits.call")),
        guest("has-two-thousand-handlers")
            .text(|text| text.handlers = (0..2000).map(|n| format!("handler-{n}")).collect())
            .ends(bad("at most 256")),
        guest("has-two-thousand-handlers-of-bad-names")
            .text(|text| text.handlers = (0..2000).map(|n| format!("Handler {n}")).collect())
            .ends(bad("more")),
        guest("has-ten-thousand-options").text(|text| text.options = 10_000).ends(bad("and 9980 more")),
        guest("has-the-same-handler-twice")
            .text(|text| text.handlers = vec!["job".to_owned(); 2])
            .ends(bad("declared twice")),
        named("has-a-handler-whose-name-is-a-path", "../../etc/passwd", "handler"),
        named("has-a-handler-whose-name-moves-the-cursor", "job\u{1b}[2J", "handler"),
        named("has-a-handler-whose-name-has-a-line-in-it", "job\nplugins:", "handler"),
        named("has-a-handler-without-a-name", "", "handler"),
        guest("has-a-handler-of-a-long-name").text(|text| text.handlers = vec!["h".repeat(1000)]).ends(bad("handler")),
        guest("exits-in-describe")
            .describe("(call $exit (i32.const 0)) (unreachable)")
            .ends(Verdict::Refused("describe-trapped", "exit status")),
        guest("enqueues-in-describe")
            .describe(
                "(call $enqueue @\"job\" @\"\" @\"\" (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0)
                   (i32.const 0) (i32.const 256)) (global.get $info)",
            )
            .ends(Verdict::Refused("describe-trapped", "describe() called queue.enqueue")),
        guest("asks-for-a-secret-in-describe")
            .describe("(call $secret @\"hidden\" (i32.const 256)) (global.get $info)")
            .ends(Verdict::Refused("describe-trapped", "describe() called config.get-secret")),
        guest("logs-in-describe")
            .describe("(call $log (i32.const 2) @\"text\" (i32.const 0) (i32.const 0)) (global.get $info)")
            .ends(Verdict::Refused("describe-trapped", "describe() called logging.log")),
    ]
}
