//! Guests that send too much, and guests whose server is in league with them: its answers have no end, or are none.

use hookbox_core::attempt::{Executed, RequestEnd};
use hookbox_core::egress::RESPONSE_BYTES;
use hookbox_core::time::Millis;

use super::requests::shop_once;
use crate::guest::{Guest, Verdict, sender};
use crate::http::ask;
use crate::server::{Heard, SHOP, at};

/// For attempts that wait to no end.
const SHORT: Millis = Millis(500);
const COMPUTING: Millis = Millis(10_000);

fn shop_only(heard: &[Heard]) {
    assert!(heard.iter().all(|heard| heard.by == SHOP), "{heard:?}");
}

fn shop_five_times(heard: &[Heard]) {
    shop_only(heard);
    assert_eq!(heard.len(), 5, "{heard:?}");
}

fn is_cut(executed: &Executed) {
    let request = &executed.requests.kept[0];
    // What comes over the limit is one part of an answer at most.
    assert!(request.received_bytes <= RESPONSE_BYTES + (1 << 20), "{request:?}");
}

fn is_unfinished(executed: &Executed) {
    assert_eq!(executed.requests.kept[0].end, RequestEnd::Unfinished);
}

pub(crate) fn guests() -> Vec<Guest> {
    let mut all = too_many();
    all.extend(unsent());
    all.extend(without_end());
    all.extend(broken());
    all
}

/// A request to the shop for a path, as what `$ask` is given.
fn asked(path: &str) -> String {
    ask("GET", &at("shop.example"), path, &[])
}

fn too_many() -> Vec<Guest> {
    let begin = |path: &str| format!("(call $go (call $ask {}))", asked(path));
    let times = |count: u32, body: &str| {
        format!(
            "(loop $again {body} (local.set $m (i32.add (local.get $m) (i32.const 1)))
               (br_if $again (i32.lt_u (local.get $m) (i32.const {count}))))"
        )
    };
    let too_many_at_once = |guest: Guest| {
        guest.ends(Verdict::Says("connection-limit-reached")).told("raise limits.requests_at_once").heard(shop_only)
    };
    vec![
        sender(
            "sends-without-end",
            &format!(
                "(local.set $m (global.get $heap))
                 (loop $again (global.set $heap (local.get $m)) (local.set $n (call $send {}))
                   (br_if $again (i32.eqz (global.get $no))))
                 (local.get $n)",
                asked("/")
            ),
        )
        .settings(|settings| settings.cpu = COMPUTING)
        .egress(|egress| egress.requests_max = 5)
        .ends(Verdict::Says("HTTP-request-denied"))
        .told("more than 5 requests in one attempt: raise limits.requests")
        .heard(shop_five_times),
        sender("may-send-no-request-at-all", &format!("(call $send {})", asked("/")))
            .egress(|egress| egress.requests_max = 0)
            .ends(Verdict::Says("HTTP-request-denied"))
            .told("raise limits.requests"),
        too_many_at_once(sender(
            "sends-more-at-one-time-than-it-may",
            &format!(
                "{} (call $told (call $wait (local.get $n)))",
                times(9, &format!("(local.set $n {})", begin("/silence")))
            ),
        )),
        too_many_at_once(sender(
            "keeps-answers-that-it-does-not-read",
            &format!(
                "{} (call $told (local.get $n))",
                times(9, &format!("(local.set $n (call $wait {}))", begin("/flood")))
            ),
        ))
        .settings(|settings| settings.cpu = COMPUTING),
        sender(
            "leaves-its-requests-behind",
            &format!("{} (call $done)", times(8, &format!("(drop {})", begin("/silence")))),
        )
        .ends(Verdict::Completes)
        .heard(shop_only)
        .check(is_unfinished),
        sender(
            "traps-while-its-requests-are-under-way",
            &format!("(drop (call $wait {})) (unreachable)", begin("/drip")),
        )
        .ends(Verdict::Trapped("unreachable"))
        .heard(shop_once),
    ]
}

/// What the host keeps of requests that are never sent.
fn unsent() -> Vec<Guest> {
    let long = "(i32.const 65536) (i32.const 30000)";
    let letters = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 30000))";
    let full = Verdict::Trapped("limits.resources");
    vec![
        sender("makes-headers-without-end", "(loop $again (drop (call $fields)) (br $again)) (unreachable)").ends(full),
        sender("makes-large-headers-without-end", &format!(
            "{letters} (loop $again (drop (call $with (call $fields) @\"x-a\" {long})) (br $again)) (unreachable)"
        ))
        .settings(|settings| settings.cpu = COMPUTING)
        .ends(full),
        sender("makes-large-requests-without-end", &format!(
            "{letters} (i32.store8 (i32.const 65536) (i32.const 47))
             (loop $again
               (local.set $n (call $request (call $with (call $fields) @\"x-a\" {long})))
               (drop (call $set-path (local.get $n) (i32.const 1) (i32.const 65536) (i32.const 8192)))
               (drop (call $set-authority (local.get $n) (i32.const 1) (i32.const 65537) (i32.const 512)))
               (call $request-body (local.get $n) (i32.const 256))
               (br $again))
             (unreachable)"
        ))
        .settings(|settings| settings.cpu = COMPUTING)
        .ends(full),
        sender("copies-headers-without-end", &format!(
            "{letters} (local.set $n (call $with (call $fields) @\"x-a\" {long}))
             (loop $again (drop (call $with (call $clone (local.get $n)) @\"x-b\" @\"b\")) (br $again)) (unreachable)"
        ))
        .settings(|settings| settings.cpu = COMPUTING)
        .ends(full),
        sender("writes-a-body-to-who-does-not-read", &format!(
            "(call $post @\"{}\" @\"/unread\" (call $fields) (i32.const 65536) (i32.const 4096) (i32.const 10000000))",
            at("shop.example")
        ))
        .settings(|settings| settings.cpu = COMPUTING)
        .timeout(SHORT)
        .ends(Verdict::TimedOut)
        .heard(shop_only)
        .check(is_unfinished),
    ]
}

fn without_end() -> Vec<Guest> {
    let waits = |name, path: &str| {
        let job = format!("(call $drink (call $wait (call $go (call $ask {}))))", asked(path));
        sender(name, &job).settings(|settings| settings.cpu = COMPUTING).heard(shop_only)
    };
    let for_ever = |name, path: &str| waits(name, path).timeout(SHORT).ends(Verdict::TimedOut);
    // Within a tenth of a second, by its own word.
    let within = |name, set: &str, path: &str| {
        let job = format!(
            "(local.set $n (call $options)) (drop (call ${set} (local.get $n) (i32.const 1) (i64.const 100000000)))
             (call $handle (call $ask {}) (i32.const 1) (local.get $n) (i32.const 256))
             (call $drink (call $wait (i32.load (i32.const 264))))",
            asked(path)
        );
        sender(name, &job).heard(shop_only)
    };
    vec![
        within("waits-no-longer-than-it-said-for-an-answer", "first-byte", "/silence")
            .ends(Verdict::Says("HTTP-response-timeout"))
            .told("no answer within 100 ms"),
        within("waits-no-longer-than-it-said-for-the-next-part", "between-bytes", "/chunk")
            .ends(Verdict::Says("broken off"))
            .told("nothing more of the answer within 100 ms"),
        for_ever("waits-for-a-server-that-says-nothing", "/silence").check(is_unfinished),
        for_ever("is-put-off-by-its-server-without-end", "/hints"),
        for_ever("reads-an-answer-that-drips", "/drip"),
        for_ever("reads-a-part-that-is-larger-than-any", "/chunk"),
        waits("reads-an-answer-without-end", "/flood")
            .ends(Verdict::Says("broken off"))
            .told("raise limits.responses")
            .check(is_cut),
        waits("reads-more-than-the-little-it-may", "/")
            .egress(|egress| egress.response_bytes_max = 10)
            .ends(Verdict::Says("broken off"))
            .told("more than 10 bytes in the answers of one attempt: raise limits.responses"),
        waits("is-answered-with-headers-without-end", "/headers")
            .ends(Verdict::Says("HTTP-protocol-error"))
            .told("message head is too large"),
        waits("is-answered-with-a-header-without-end", "/header")
            .ends(Verdict::Says("HTTP-protocol-error"))
            .told("message head is too large"),
        waits("is-answered-with-trailers-without-end", "/trailers").ends(Verdict::Says("broken off")).told("trailer"),
    ]
}

fn broken() -> Vec<Guest> {
    let reads = |name, path: &str| {
        let job = format!("(call $drink (call $wait (call $go (call $ask {}))))", asked(path));
        sender(name, &job).heard(shop_once)
    };
    vec![
        reads("is-answered-with-noise", "/noise").ends(Verdict::Says("HTTP-protocol-error")).told("invalid HTTP"),
        reads("is-answered-with-less-than-was-said", "/short")
            .ends(Verdict::Says("broken off"))
            .told("end of file before message length reached"),
        reads("is-offered-another-protocol", "/switch").ends(Verdict::Says("whole")),
    ]
}
