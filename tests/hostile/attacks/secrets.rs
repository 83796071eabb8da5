//! Guests that want to have a secret which the host fills in for them, or to send it to where it was not granted.

use std::sync::Arc;

use hookbox_core::egress::Grant;
use hookbox_core::secret::Secret;

use super::requests::shop_once;
use crate::guest::{Guest, Verdict, sender};
use crate::http::ask;
use crate::server::{Heard, at};

/// The secret of these guests; nobody may see it but the shop, in one header.
pub(crate) const CARRIED: &str = "key-that-is-carried";
const PLACEHOLDER: &str = "{{secret:key}}";

/// It may carry its secret to the shop in `authorization` when it GETs, and send anything else to anybody.
fn carrier(name: &'static str, job: &str) -> Guest {
    let mut grant = Grant::parse(&format!("GET http://{}", at("shop.example"))).unwrap();
    grant.headers.insert("authorization".to_owned(), vec!["key".to_owned()]);
    sender(name, job).heard(not_the_secret).egress(|egress| {
        egress.grants.push(grant);
        egress.secrets.insert("key".to_owned(), Arc::new(Secret::new(CARRIED).unwrap()));
        egress.secrets.insert("other".to_owned(), Arc::new(Secret::new(CARRIED).unwrap()));
    })
}

fn not_the_secret(heard: &[Heard]) {
    assert!(!heard.iter().any(|heard| heard.text.contains(CARRIED)), "{heard:?}");
}

/// As the guest wrote it, and not filled in.
fn the_placeholder(heard: &[Heard]) {
    not_the_secret(heard);
    shop_once(heard);
    assert!(heard[0].text.contains("secret:key"), "{heard:?}");
}

fn the_secret(heard: &[Heard]) {
    shop_once(heard);
    assert!(heard[0].text.contains(&format!("authorization: Bearer {CARRIED}\r\n")), "{heard:?}");
}

pub(crate) fn guests() -> Vec<Guest> {
    let shop = at("shop.example");
    let welcome = Verdict::Says("welcome to the shop");
    let send = |name, method: &str, host: &str, path: &str, headers: &[(&str, &str)]| {
        carrier(name, &format!("(call $send {})", ask(method, host, path, headers)))
    };
    let denied = |name, method: &str, host: &str, headers: &[(&str, &str)], told| {
        send(name, method, host, "/", headers).ends(Verdict::Says("HTTP-request-denied")).told(told).heard(|heard| {
            assert!(heard.is_empty(), "{heard:?}");
        })
    };
    let misplaced = |name, path: &str| {
        send(name, "GET", &shop, path, &[])
            .ends(Verdict::Says("HTTP-request-denied"))
            .told("a secret goes only into a header that grants.http names")
            .heard(|heard| assert!(heard.is_empty(), "{heard:?}"))
    };
    let bearer = format!("Bearer {PLACEHOLDER}");
    let may_not = "may not carry the secret";
    vec![
        send("carries-its-secret-where-it-may", "GET", &shop, "/", &[("authorization", &bearer)])
            .ends(welcome)
            .heard(the_secret),
        denied("carries-its-secret-to-another-host", "GET", &at("other.example"), &[("authorization", &bearer)], {
            "grant it in grants.http as { to: GET http://other.example"
        }),
        denied(
            "carries-its-secret-to-an-address-of-the-host",
            "GET",
            &at("127.0.0.2"),
            &[("authorization", &bearer)],
            may_not,
        ),
        denied("carries-its-secret-in-another-header", "GET", &shop, &[("x-mark", PLACEHOLDER)], may_not),
        denied("carries-its-secret-by-another-method", "POST", &shop, &[("authorization", &bearer)], may_not),
        denied(
            "carries-its-secret-as-the-key-of-its-request",
            "GET",
            &shop,
            &[("idempotency-key", PLACEHOLDER)],
            may_not,
        ),
        denied(
            "carries-a-secret-that-is-for-no-header",
            "GET",
            &shop,
            &[("authorization", "{{secret:other}}")],
            may_not,
        ),
        denied(
            "carries-the-secret-of-another-plugin",
            "GET",
            &shop,
            &[("authorization", "{{secret:hidden}}")],
            may_not,
        ),
        denied(
            "carries-two-secrets-of-which-it-may-one",
            "GET",
            &shop,
            &[("authorization", "{{secret:key}}{{secret:other}}")],
            may_not,
        ),
        denied("leaves-its-placeholder-open", "GET", &shop, &[("authorization", "{{secret:key")], "without }}"),
        denied(
            "puts-one-placeholder-into-another",
            "GET",
            &shop,
            &[("authorization", "{{secret:{{secret:key}}}}")],
            may_not,
        ),
        denied(
            "divides-its-placeholder-among-two-headers",
            "GET",
            &shop,
            &[("authorization", "{{secret:"), ("authorization", "key}}")],
            "without }}",
        ),
        misplaced("puts-its-placeholder-into-the-path", "/{{secret:key}}"),
        misplaced("puts-its-placeholder-into-the-query", "/?key={{secret:key}}"),
        misplaced("puts-its-placeholder-into-the-query-in-disguise", "/?key=%7b%7Bsecret%3Akey%7D%7D"),
        // Bodies are not looked through: it arrives as it was written.
        carrier("puts-its-placeholder-into-the-body", &{
            format!("(call $post @\"{shop}\" @\"/\" (call $fields) @\"{PLACEHOLDER}\" (i32.const 1))")
        })
        .ends(welcome)
        .heard(the_placeholder),
        send("puts-its-placeholder-into-the-name-of-a-header", "GET", &shop, "/", &[(PLACEHOLDER, "value")])
            .ends(Verdict::Says("header invalid")),
        send("puts-its-placeholder-into-the-host", "GET", &at("{{secret:key}}.example"), "/", &[])
            .ends(Verdict::Says("authority invalid")),
        carrier("reads-the-secret-that-it-only-carries", {
            "(call $secret @\"key\" (i32.const 256)) (call $digit (i32.load8_u (i32.const 256)))"
        })
        .ends(Verdict::Says("0")),
    ]
}
