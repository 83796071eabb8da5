//! What a verified delivery is called and what a repetition of it is known by.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use hookbox_core::name::ProviderName;
use hookbox_core::time::Millis;
use hookbox_core::verify::{
    BODY_WINDOW, DELIVERY_ID_BYTES_MAX, Dedupe, Delivery, DeliveryId, EVENT_TYPE_BYTES_MAX, ID_WINDOW, Identity,
    Scheme, dedupe,
};

fn scheme(name: &str) -> &'static Scheme {
    Scheme::named(name).unwrap()
}

fn locate(name: &str, headers: &[(&str, &str)], body: &str) -> Identity {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    scheme(name).locate(&Delivery { method: "POST", url: "", query: "", headers: &headers, body: body.as_bytes() })
}

fn event_type(name: &str, headers: &[(&str, &str)], body: &str) -> Option<String> {
    locate(name, headers, body).event_type
}

fn id(value: &str, signed: bool) -> Option<DeliveryId> {
    Some(DeliveryId { value: value.to_owned(), signed })
}

#[test]
fn type_and_id_are_found_where_the_scheme_has_them() {
    let body = r#"{"data":{"type":"no","id":"no"},"type":"a.b","id":"evt_1","event_id":"e1"}"#;
    let found = |name, headers: &[(&str, &str)]| {
        let identity = locate(name, headers, body);
        (identity.event_type, identity.delivery_id)
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found("generic", &[]), (text("a.b"), id("e1", true)));
    assert_eq!(found("generic", &[("x-event-type", " c.d ")]), (text("c.d"), id("e1", true)));
    assert_eq!(found("stripe", &[]), (text("a.b"), id("evt_1", true)));
    assert_eq!(found("standard-webhooks", &[("Webhook-Id", "m1")]), (text("a.b"), id("m1", true)));
    assert_eq!(
        found("github", &[("X-GitHub-Event", "ping"), ("X-GitHub-Delivery", "d1")]),
        (text("ping"), id("d1", false))
    );
    assert_eq!(found("github", &[]), (None, None));
}

#[test]
fn an_action_is_part_of_the_github_type_in_json_and_in_forms() {
    let headers = [("X-GitHub-Event", "pull_request")];
    let opened = Some("pull_request.opened".to_owned());
    assert_eq!(event_type("github", &headers, r#"{"number":1,"action":"opened"}"#), opened);
    assert_eq!(event_type("github", &headers, "payload=%7B%22action%22%3A+%22opened%22%7D&x=1"), opened);
    let plain = Some("pull_request".to_owned());
    let others = [
        r#"{"number":1}"#,
        r#"{"action":{}}"#,
        r#"{"a":{"action":"opened"}}"#,
        r#"{"title":"&payload={\"action\":\"closed\"}"}"#,
        "x=1&payload=%7B%22action%22%3A%22opened%22%7D",
        "payload=%7B%2",
        "",
    ];
    for body in others {
        assert_eq!(event_type("github", &headers, body), plain, "{body}");
    }
}

#[test]
fn a_number_names_a_delivery_as_it_is_written() {
    let found = |body| locate("generic", &[], body);
    let named = Identity { event_type: Some("7".to_owned()), delivery_id: id("42", true) };
    assert_eq!(found(r#"{"event_id":42,"type":7}"#), named);
    assert_eq!(found(r#"{"event_id":-1.50}"#).delivery_id, id("-1.50", true));
    for body in [r#"{"event_id":null}"#, r#"{"event_id":[1]}"#, r#"{"event_id":{"a":1}}"#] {
        assert_eq!(found(body).delivery_id, None, "{body}");
    }
}

#[test]
fn members_behind_values_of_any_kind_are_found() {
    let body = r#"{"type":{"a":[1]},"a":[1,{"b":null}],"c":true,"d":1e9,"event_id":"e"}"#;
    assert_eq!(locate("generic", &[], body), Identity { event_type: None, delivery_id: id("e", true) });
    let escaped = r#"{"\u0074ype":"caf\u00e9","event_id":"e"}"#;
    assert_eq!(event_type("generic", &[], escaped), Some("caf\u{e9}".to_owned()));
}

#[test]
fn values_are_bounded_and_free_of_control_characters() {
    let body = |value: &str| serde_json::json!({ "type": value, "event_id": value }).to_string();
    for length in [EVENT_TYPE_BYTES_MAX, EVENT_TYPE_BYTES_MAX + 1] {
        let long = "x".repeat(length);
        let kept = length <= EVENT_TYPE_BYTES_MAX;
        assert_eq!(event_type("generic", &[], &body(&long)).is_some(), kept);
        assert_eq!(event_type("generic", &[("X-Event-Type", &long)], "{}").is_some(), kept);
    }
    for length in [DELIVERY_ID_BYTES_MAX, DELIVERY_ID_BYTES_MAX + 1] {
        let long = "x".repeat(length);
        let kept = length <= DELIVERY_ID_BYTES_MAX;
        assert_eq!(locate("generic", &[], &body(&long)).delivery_id.is_some(), kept);
        assert_eq!(locate("github", &[("X-GitHub-Delivery", &long)], "{}").delivery_id.is_some(), kept);
    }
    for bad in ["", "a\nb", "a\u{0}", "\u{7f}", "\u{85}"] {
        assert_eq!(locate("generic", &[], &body(bad)), Identity::default(), "{bad:?}");
    }
}

#[test]
fn a_body_that_is_no_object_has_no_members() {
    for body in ["", "[]", "1", "null", r#""type""#, r#"{"type""#, "<xml/>", "[{\"type\":\"a\"}]"] {
        assert_eq!(locate("stripe", &[], body), Identity::default(), "{body}");
    }
}

fn keys(provider: &str, name: &str, headers: &[(&str, &str)], body: &str) -> Dedupe {
    let identity = locate(name, headers, body);
    dedupe(&ProviderName::parse(provider).unwrap(), scheme(name), &identity, body.as_bytes(), ID_WINDOW)
}

fn windows(found: &Dedupe) -> Vec<Millis> {
    found.keys.iter().map(|key| key.window).collect()
}

#[test]
fn a_signed_id_alone_tells_a_repetition() {
    let first = keys("shop", "stripe", &[], r#"{"id":"evt_1"}"#);
    let again = keys("shop", "stripe", &[], r#"{"id":"evt_1","livemode":true}"#);
    assert_eq!(windows(&first), [ID_WINDOW]);
    assert_eq!(first.keys, again.keys);
    assert_ne!(first.body_sha256, again.body_sha256);
    assert_ne!(first.keys, keys("shop", "stripe", &[], r#"{"id":"evt_2"}"#).keys);
    assert_ne!(first.keys, keys("shop-2", "stripe", &[], r#"{"id":"evt_1"}"#).keys);
}

#[test]
fn a_replay_under_another_unsigned_id_or_none_shares_the_key_of_the_body() {
    let first = keys("github", "github", &[("X-GitHub-Delivery", "d1")], "{}");
    assert_eq!(windows(&first), [ID_WINDOW, ID_WINDOW]);
    let other_id = keys("github", "github", &[("X-GitHub-Delivery", "d2")], "{}");
    assert_ne!(first.keys[0], other_id.keys[0]);
    assert_eq!(first.keys[1], other_id.keys[1]);
    assert_eq!(keys("github", "github", &[], "{}").keys, [first.keys[1]]);
    let other_body = keys("github", "github", &[("X-GitHub-Delivery", "d1")], "{ }");
    assert_eq!(first.keys[0], other_body.keys[0]);
    assert_ne!(first.keys[1], other_body.keys[1]);
}

#[test]
fn equal_bodies_of_two_events_are_told_apart_by_their_ids() {
    for (name, header) in [
        ("gitlab", "Idempotency-Key"),
        ("bitbucket", "X-Request-Id"),
        ("gitea", "X-Gitea-Delivery"),
        ("forgejo", "X-Forgejo-Delivery"),
        ("gogs", "X-Gogs-Delivery"),
        ("woocommerce", "X-WC-Webhook-Delivery-ID"),
        ("hook0", "x-event-id"),
        ("hookdeck", "x-hookdeck-eventid"),
        ("outpost", "x-outpost-event-id"),
    ] {
        let first = keys("a", name, &[(header, "d1")], "{}");
        assert_eq!(windows(&first), [ID_WINDOW], "{name}");
        assert_eq!(first.keys, keys("a", name, &[(header, "d1")], "{}").keys, "{name}");
        assert_ne!(first.keys, keys("a", name, &[(header, "d2")], "{}").keys, "{name}");
    }
}

#[test]
fn a_body_without_an_id_is_known_for_minutes() {
    let first = keys("acme", "generic", &[], r#"{"a":1}"#);
    assert_eq!(windows(&first), [BODY_WINDOW]);
    assert_ne!(first.keys, keys("acme", "generic", &[], r#"{"a":2}"#).keys);
}

#[test]
fn an_id_that_spells_a_body_s_hash_is_not_taken_for_the_body() {
    let by_body = keys("acme", "generic", &[], "{}");
    let identity = Identity { event_type: None, delivery_id: id(&hex::encode(by_body.body_sha256), true) };
    let by_id = dedupe(&ProviderName::parse("acme").unwrap(), scheme("generic"), &identity, b"{}", ID_WINDOW);
    assert_ne!(by_body.keys[0].hash, by_id.keys[0].hash);
}

fn windows_of(name: &str, headers: &[(&str, &str)], body: &str, window: Millis) -> Vec<Millis> {
    let identity = locate(name, headers, body);
    windows(&dedupe(&ProviderName::parse("p").unwrap(), scheme(name), &identity, body.as_bytes(), window))
}

#[test]
fn an_id_counts_for_the_window_that_is_asked_for_and_so_does_the_body_beside_it() {
    let signed_header = [("webhook-id", "m1")];
    let unsigned = [("X-GitHub-Delivery", "d1")];
    for window in [Millis::HOUR, Millis(30 * Millis::DAY.0)] {
        assert_eq!(windows_of("stripe", &[], r#"{"id":"evt_1"}"#, window), [window]);
        assert_eq!(windows_of("standard-webhooks", &signed_header, "{}", window), [window]);
        assert_eq!(windows_of("github", &unsigned, "{}", window), [window, window]);
        assert_eq!(windows_of("telegram", &[], r#"{"update_id":1}"#, window), [window, window]);
    }
}

#[test]
fn a_body_counts_for_the_window_where_an_unsigned_id_could_be_left_out_and_for_minutes_where_none_could() {
    for window in [Millis::HOUR, Millis(30 * Millis::DAY.0)] {
        assert_eq!(windows_of("github", &[], "{}", window), [window]);
        for (name, body) in [("generic", "{}"), ("stripe", "{}"), ("line", "{}"), ("zoom", "{}"), ("meta", "{}")] {
            assert_eq!(windows_of(name, &[], body, window), [BODY_WINDOW], "{name}");
        }
    }
}

#[test]
fn keys_are_the_same_whatever_their_window() {
    let identity = locate("github", &[("X-GitHub-Delivery", "d1")], "{}");
    let with = |window| dedupe(&ProviderName::parse("p").unwrap(), scheme("github"), &identity, b"{}", window);
    let hashes = |found: Dedupe| found.keys.iter().map(|key| key.hash).collect::<Vec<_>>();
    assert_eq!(hashes(with(Millis::HOUR)), hashes(with(ID_WINDOW)));
}
