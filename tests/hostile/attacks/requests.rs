//! Guests that send requests to where they may not: within this machine and its network, by every name and number that
//! leads there, or past their grant.

use crate::guest::{Guest, Verdict, guest, sender};
use crate::http::{self, ask, get};
use crate::server::{Heard, SHOP, at};

const DENIED: Verdict = Verdict::Says("HTTP-request-denied");
const PROHIBITED: Verdict = Verdict::Says("destination-IP-prohibited");
const INVALID: Verdict = Verdict::Says("HTTP-request-URI-invalid");
const WELCOME: Verdict = Verdict::Says("welcome to the shop");

/// One request came, to the shop.
pub(super) fn shop_once(heard: &[Heard]) {
    assert!(heard.len() == 1 && heard[0].by == SHOP, "{heard:?}");
}

pub(crate) fn guests() -> Vec<Guest> {
    let mut all = past_its_grant();
    all.extend(inside());
    all.extend(numbers());
    all.extend(two_ways_to_read());
    all
}

fn past_its_grant() -> Vec<Guest> {
    let shop = get(&at("shop.example"));
    let not_granted =
        |name, grant: &str, host: &str, told| sender(name, &get(&at(host))).granted(grant).ends(DENIED).told(told);
    vec![
        guest("sends-without-any-grant")
            .more(&http::calls())
            .job(&shop)
            .ends(DENIED)
            .told("it is not granted: add \"GET http://shop.example:"),
        not_granted(
            "sends-by-a-method-that-it-was-not-granted",
            &format!("POST http://{}", at("shop.example")),
            "shop.example",
            "add \"GET http://shop.example:",
        ),
        not_granted("sends-to-another-port", "http://shop.example", "shop.example", "add \"GET http://shop.example:"),
        not_granted(
            "sends-in-clear-what-was-granted-over-tls",
            &format!("https://{}", at("shop.example")),
            "shop.example",
            "add \"GET http://shop.example:",
        ),
        not_granted(
            "sends-to-a-name-below-the-granted-one",
            &format!("http://{}", at("shop.example")),
            "a.shop.example",
            "add \"GET http://a.shop.example:",
        ),
        not_granted(
            "sends-to-a-name-that-ends-like-a-granted-one",
            &format!("http://{}", at("*.shop.example")),
            "eshop.example",
            "add \"GET http://eshop.example:",
        ),
        sender("sends-in-describe", "(call $done)")
            .describe(&format!(
                "(drop (call $wait (call $go (call $ask {})))) (global.get $info)",
                ask("GET", &at("shop.example"), "/", &[])
            ))
            .ends(Verdict::Completes),
        sender("speaks-another-language-than-http", &{
            let request = ask("GET", &at("shop.example"), "/", &[]);
            format!(
                "(local.set $n (call $ask {request}))
                 (drop (call $set-scheme (local.get $n) (i32.const 1) (i32.const 2) @\"file\"))
                 (call $told (call $wait (call $go (local.get $n))))"
            )
        })
        .ends(Verdict::Says("HTTP-protocol-error")),
    ]
}

/// By what names lead to, and by addresses.
fn inside() -> Vec<Guest> {
    let prohibited =
        |name, host: &str| sender(name, &get(&at(host))).ends(PROHIBITED).told("add its network to grants.networks");
    let at_port_80 = |name, host: &str| sender(name, &get(host)).ends(PROHIBITED).told("169.254.169.254 is no public");
    vec![
        prohibited("sends-to-this-machine-by-name", "localhost"),
        prohibited("sends-to-this-machine-by-a-name-of-the-internet", "vault.example"),
        prohibited("sends-to-this-machine-by-a-name-of-ipv6", "vault6.example"),
        prohibited("sends-to-this-machine-by-a-name-that-is-granted", "vault.example")
            .granted(&format!("http://{}", at("vault.example"))),
        prohibited("sends-to-a-private-network-by-name", "private.example"),
        prohibited("sends-to-a-mapped-address-by-name", "mapped.example"),
        prohibited("sends-through-nat64-by-name", "nat64.example"),
        prohibited("sends-through-6to4-by-name", "sixtofour.example"),
        prohibited("sends-through-teredo-by-name", "teredo.example"),
        prohibited("sends-to-no-address-by-name", "unspecified.example"),
        prohibited("sends-to-this-machine-by-address", "127.0.0.1"),
        prohibited("sends-to-this-machine-by-another-of-its-addresses", "127.255.255.254"),
        prohibited("sends-to-this-machine-by-no-address", "0.0.0.0"),
        prohibited("sends-to-this-machine-over-ipv6", "[::1]"),
        prohibited("sends-to-this-machine-by-no-address-of-ipv6", "[::]"),
        prohibited("sends-to-a-mapped-address", "[::ffff:127.0.0.1]"),
        prohibited("sends-to-a-mapped-address-in-hexadecimal", "[::ffff:7f00:1]"),
        prohibited("sends-to-a-mapped-address-in-full", "[0:0:0:0:0:ffff:7f00:0001]"),
        prohibited("sends-to-a-compatible-address", "[::127.0.0.1]"),
        prohibited("sends-through-nat64", "[64:ff9b::127.0.0.1]"),
        prohibited("sends-through-6to4", "[2002:7f00:1::]"),
        prohibited("sends-to-a-local-link", "[fe80::1]"),
        prohibited("sends-to-a-private-network-of-ipv6", "[fd00::1]"),
        prohibited("sends-to-the-metadata-of-a-cloud-over-ipv6", "[fd00:ec2::254]"),
        at_port_80("sends-to-the-metadata-of-a-cloud", "169.254.169.254"),
        at_port_80("sends-to-the-metadata-of-a-cloud-by-name", "metadata.google.internal"),
        at_port_80("sends-to-the-metadata-of-a-cloud-by-a-mapped-address", "[::ffff:a9fe:a9fe]"),
        // The connection goes to what was looked at; asked again, the name leads inside.
        sender("binds-its-name-anew-after-it-was-looked-at", &{
            let get = get(&at("rebinds.example"));
            format!("(drop {get}) {get}")
        })
        .ends(PROHIBITED)
        .told("127.0.0.1 is no public address")
        .heard(shop_once),
        sender("binds-its-name-once-for-one-request", &get(&at("rebinds.example"))).ends(WELCOME).heard(shop_once),
        sender("has-a-name-that-leads-inside-and-outside", &get(&at("mixed.example"))).ends(WELCOME).heard(shop_once),
        sender("is-redirected-to-this-machine", &{
            format!("(call $send {})", ask("GET", &at("shop.example"), "/redirect", &[]))
        })
        .ends(Verdict::Says("go there"))
        .heard(shop_once)
        .check(|executed| assert_eq!(executed.requests.kept.len(), 1)),
        sender("follows-a-redirect-by-itself", &{
            let first = ask("GET", &at("shop.example"), "/redirect", &[]);
            let second = ask("GET", &at("127.0.0.1"), "/hidden", &[]);
            format!("(drop (call $send {first})) (call $send {second})")
        })
        .ends(PROHIBITED)
        .told("127.0.0.1 is no public address")
        .heard(shop_once),
    ]
}

/// Numbers that resolvers take for 127.0.0.1.
fn numbers() -> Vec<Guest> {
    let number = |name, host: &str| sender(name, &get(&at(host))).ends(INVALID).told("four decimal numbers");
    vec![
        number("sends-to-a-decimal-number", "2130706433"),
        number("sends-to-an-octal-number", "017700000001"),
        number("sends-to-a-hexadecimal-number", "0x7f000001"),
        number("sends-to-a-hexadecimal-number-in-capitals", "0X7F000001"),
        number("sends-to-an-address-of-two-numbers", "127.1"),
        number("sends-to-an-address-of-three-numbers", "127.0.1"),
        number("sends-to-an-address-of-octal-numbers", "0177.0.0.01"),
        number("sends-to-an-address-of-hexadecimal-numbers", "0x7f.0x0.0x0.0x1"),
        number("sends-to-an-address-of-mixed-numbers", "0x7f.0.0.1"),
        number("sends-to-an-address-whose-numbers-overflow", "383.0.0.1"),
        number("sends-to-zero", "0"),
    ]
}

/// Hosts that one reader takes for another than the next.
fn two_ways_to_read() -> Vec<Guest> {
    let wrong = |name, authority: &str| sender(name, &get(authority)).ends(Verdict::Says("authority invalid"));
    let invalid = |name, authority: &str, told| sender(name, &get(authority)).ends(INVALID).told(told);
    vec![
        invalid(
            "names-a-granted-host-as-its-user",
            &format!("shop.example@{}", at("127.0.0.1")),
            "must not have a user name",
        ),
        invalid(
            "names-a-user-and-a-password",
            &format!("me:secret@{}", at("shop.example")),
            "must not have a user name",
        ),
        invalid("ends-the-name-of-its-host-with-a-dot", &at("localhost."), "part of it that is empty"),
        invalid("ends-its-address-with-a-dot", &at("127.0.0.1."), "part of it that is empty"),
        wrong("writes-its-host-in-percents", &at("%6cocalhost")),
        invalid("sends-to-port-zero", "shop.example:0", "no number from 1 to 65535"),
        invalid("has-a-port-that-overflows", "shop.example:65616", "no number from 1 to 65535"),
        wrong("writes-its-host-in-wide-digits", &at("１２７.0.0.1")),
        wrong("writes-dots-that-are-none", &at("127。0。0。1")),
        wrong("hides-its-host-behind-a-hash", &format!("{}#@shop.example", at("127.0.0.1"))),
        wrong("hides-its-host-behind-a-backslash", &format!("{}\\@shop.example", at("127.0.0.1"))),
        wrong("has-two-ports", &format!("{}:80", at("127.0.0.1"))),
        invalid("has-a-zone-in-its-address", &at("[fe80::1%25lo]"), "no IPv6 address between its brackets"),
        wrong("has-a-path-in-its-host", &format!("{}/@shop.example", at("127.0.0.1"))),
        wrong("has-no-host", ""),
        wrong("has-a-host-of-five-hundred-bytes", &"a".repeat(513)),
    ]
}
