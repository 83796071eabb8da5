use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event::Source;
use crate::id::EventId;
use crate::name::ProviderName;
use crate::time::Timestamp;

fn event(data: impl Into<Vec<u8>>) -> Event {
    Event {
        id: EventId::new(Timestamp(1), 1),
        source: Source::Provider(ProviderName::parse("shop").unwrap()),
        namespace: "shop".to_owned(),
        event_type: "order.paid".to_owned(),
        subject: None,
        time: Timestamp(1),
        content_type: "application/json".to_owned(),
        data: data.into(),
        attributes: vec![
            ("provider".to_owned(), "shop".to_owned()),
            ("delivery-id".to_owned(), "d-1".to_owned()),
            ("header.x-shop".to_owned(), "eu".to_owned()),
        ],
        hops: 0,
    }
}

fn ask(filter: &str, data: impl Into<Vec<u8>>) -> Result<bool, Fault> {
    let event = event(data);
    Filter::parse(filter).unwrap().matches(&Subject::new(&event))
}

const ORDER: &str = r#"{"data":{"amount":1500,"rate":0.5,"paid":true,"tags":["new","vip"],"note":null},"type":"inner",
    "big":18446744073709551615,"a-b":{"c d":1}}"#;

#[test]
fn members_of_the_body_are_reached_by_name() {
    for wanted in [
        "data.amount > 1000",
        "body.data.amount == 1500",
        "data.amount > 1000.5 && data.rate < 1",
        "data.paid",
        "!has(data.missing) && has(data.amount)",
        "has(body.data)",
        "'vip' in data.tags && size(data.tags) == 2",
        "data.tags[0].startsWith('n') && data.tags[1].contains('i') && data['tags'][1].endsWith('p')",
        "data.note == null",
        "data.amount in [1, 1500]",
        "data.amount % 2 == 0 ? true : false",
        "data.amount + 1 - 2 * 3 > -1",
        "big > 1",
        "body['a-b']['c d'] == 1",
        "string(data.amount) == '1500' && int('7') == 7",
        "true",
    ] {
        assert_eq!(ask(wanted, ORDER), Ok(true), "{wanted}");
        assert_eq!(ask(&format!("!({wanted})"), ORDER), Ok(false), "{wanted}");
    }
}

#[test]
fn the_envelope_is_reached_and_the_body_cannot_pass_for_it() {
    for wanted in [
        "type == 'order.paid'",
        "body.type == 'inner'",
        "provider == 'shop'",
        "headers['x-shop'] == 'eu'",
        "'x-shop' in headers && !('x-other' in headers)",
        "attributes['delivery-id'] == 'd-1'",
        "!('header.x-shop' in attributes)",
    ] {
        assert_eq!(ask(wanted, ORDER), Ok(true), "{wanted}");
    }
    let forged = r#"{"provider":"bank","headers":{"x-shop":"us"},"attributes":{}}"#;
    assert_eq!(ask("provider == 'shop' && headers['x-shop'] == 'eu'", forged), Ok(true));
}

#[test]
fn what_is_missing_or_does_not_fit_is_a_fault_that_names_no_value() {
    assert_eq!(ask("data.missing > 1", ORDER), Err(Fault::Missing("missing".to_owned())));
    assert_eq!(ask("order.amount > 1", ORDER), Err(Fault::Missing("order".to_owned())));
    assert_eq!(ask("headers['x-other'] == 'a'", ORDER), Err(Fault::Missing("x-other".to_owned())));
    assert_eq!(ask("data.tags[9] == 'a'", ORDER), Err(Fault::Missing("index".to_owned())));
    assert_eq!(ask("data.tags > 1", ORDER), Err(Fault::Mismatch));
    assert_eq!(ask("data.amount", ORDER), Err(Fault::NoCondition));
    assert_eq!(ask("data.amount / 0 == 1", ORDER), Err(Fault::Unanswerable));
    assert_eq!(ask("data.amount * 9223372036854775807 > 1", ORDER), Err(Fault::Unanswerable));
    assert_eq!(ask("data.amount > 1", "amount=1"), Err(Fault::BodyNotJson));
    assert_eq!(ask("data.amount > 1", ""), Err(Fault::BodyNotJson));
    assert_eq!(ask("type == 'order.paid'", "amount=1"), Ok(true));
    assert_eq!(ask("data.amount > 1", "[1]"), Err(Fault::Mismatch));
    assert_eq!(ask("body[0] == 1", "[1]"), Ok(true));
}

#[test]
fn a_fault_on_one_side_is_no_matter_where_the_other_side_decides() {
    assert_eq!(ask("data.missing > 1 || data.amount > 1000", ORDER), Ok(true));
    assert_eq!(ask("data.missing > 1 && data.amount < 1000", ORDER), Ok(false));
    assert!(ask("data.missing > 1 && data.amount > 1000", ORDER).is_err());
}

#[test]
fn a_body_is_looked_into_up_to_its_limit() {
    let padded = |length: usize| {
        let empty = json!({ "ok": true, "pad": "" }).to_string().len();
        json!({ "ok": true, "pad": "x".repeat(length - empty) }).to_string()
    };
    assert_eq!(ask("ok", padded(FILTERED_BODY_BYTES_MAX)), Ok(true));
    assert_eq!(ask("ok", padded(FILTERED_BODY_BYTES_MAX + 1)), Err(Fault::BodyTooLarge));
    assert_eq!(ask("provider == 'shop'", padded(FILTERED_BODY_BYTES_MAX + 1)), Ok(true));
}

#[test]
fn a_filter_that_could_run_long_is_refused() {
    for looping in
        ["data.tags.exists(t, t == 'vip')", "data.tags.all(t, true)", "data.map(x, x) == []", "data.filter(x, x) == []"]
    {
        assert_eq!(Filter::parse(looping), Err(BadFilter::Loop), "{looping}");
    }
    for large in [
        "x".repeat(FILTER_BYTES_MAX + 1),
        format!("{}1{} == 1", "(".repeat(17), ")".repeat(17)),
        format!("{}1", "1+".repeat(5)),
        format!("a{}", ".a".repeat(65)),
    ] {
        assert_eq!(Filter::parse(&large), Err(BadFilter::TooLarge), "{large}");
    }
    for known in
        ["data.matches('a*')", "nope(1)", "data.lowerAscii() == 'a'", "timestamp('x') == 1", "type(data) == int"]
    {
        assert!(matches!(Filter::parse(known), Err(BadFilter::UnknownFunction(_))), "{known}");
    }
    assert_eq!(Filter::parse("Order{id: 1} == Order{id: 1}"), Err(BadFilter::Struct));
}

#[test]
fn a_filter_at_every_limit_is_taken() {
    for large in [
        format!("{}data.amount{} > 1", "(".repeat(16), ")".repeat(16)),
        format!("{}1 > 1", "!".repeat(63)),
        format!("a{} == 1", ".a".repeat(62)),
        format!("{}1 == 1", "1+".repeat(4)),
        format!("{}true", "a?b:".repeat(32)),
        format!("{}{} == []", "[".repeat(16), "]".repeat(16)),
        format!("'{}' == type", "x".repeat(FILTER_BYTES_MAX - 10)),
    ] {
        let parsed = Filter::parse(&large);
        assert_ne!(parsed, Err(BadFilter::TooLarge), "{large}");
        if let Ok(filter) = parsed {
            let event = event(ORDER);
            let _ = filter.matches(&Subject::new(&event));
        }
    }
}

#[test]
fn a_mistake_is_told_with_its_cure() {
    for bad in ["data.amount >", "data.amount = 1", "(", "'", "a b", "data..amount"] {
        let told = Filter::parse(bad).unwrap_err().to_string();
        assert!(told.contains("write a condition in CEL, such as data.amount > 1000"), "{bad}: {told}");
    }
    assert_eq!(Filter::parse("  "), Err(BadFilter::Empty));
}

#[test]
fn a_stored_filter_reads_back_even_if_it_is_taken_no_more() {
    let filter = Filter::parse(" data.amount > 1000 ").unwrap();
    let stored = serde_json::to_string(&filter).unwrap();
    assert_eq!(stored, r#""data.amount > 1000""#);
    assert_eq!(serde_json::from_str::<Filter>(&stored).unwrap(), filter);
    let old: Filter = serde_json::from_str(r#""data.old()""#).unwrap();
    let event = event(ORDER);
    assert_eq!(old.matches(&Subject::new(&event)), Err(Fault::NotTaken));
}

/// Texts that look like filters.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("data.amount".to_owned()),
        Just("data.tags".to_owned()),
        Just("headers['x-shop']".to_owned()),
        Just("missing".to_owned()),
        Just("null".to_owned()),
        Just("'vip'".to_owned()),
        any::<i64>().prop_map(|n| format!("({n})")),
        any::<f64>().prop_map(|n| format!("{n:?}")),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*", "/", "%", "<", ">=", "==", "!=", "&&", "||", " in "]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a}{op}{b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
            (prop::sample::select(vec!["size", "string", "int", "double", "bool"]), inner.clone())
                .prop_map(|(f, a)| format!("{f}({a})")),
            inner.clone().prop_map(|a| format!("!{a}")),
            inner.prop_map(|a| format!("-{a}")),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_takes_the_host_down(text in "\\PC{0,80}") {
        if let Ok(filter) = Filter::parse(&text) {
            let event = event(ORDER);
            let _ = filter.matches(&Subject::new(&event));
        }
    }

    #[test]
    fn no_heap_of_signs_takes_the_host_down(text in "[a1'\"()\\[\\]{}.,:?!<>=&|+*/%@`\\\\-]{0,60}") {
        let _ = Filter::parse(&text);
    }

    #[test]
    fn an_expression_answers_or_tells_a_fault(text in expression(), body in "\\PC{0,40}") {
        if let Ok(filter) = Filter::parse(&text) {
            for data in [ORDER, body.as_str()] {
                let event = event(data);
                prop_assert_eq!(filter.matches(&Subject::new(&event)), filter.matches(&Subject::new(&event)));
            }
        }
    }

    #[test]
    fn comparing_agrees_with_the_numbers(amount in any::<i32>(), limit in any::<i32>()) {
        let body = json!({ "data": { "amount": amount } }).to_string();
        prop_assert_eq!(ask(&format!("data.amount > {limit}"), body), Ok(amount > limit));
    }
}
