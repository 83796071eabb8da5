//! Whatever a body is, type and id that are read from it are bounded and free of control characters, nothing
//! unsigned is accepted, and a challenge is answered with a plain word. A value reads the same from JSON, from a
//! form and from a multipart body.
//!
//! An input is a preset's name, a content type, a query, a value for the scheme's headers, each on its line,
//! and a body.

#![no_main]

use hookbox_core::name::ProviderName;
use hookbox_core::verify::{
    ATTRIBUTE_BYTES_MAX, BATCH_MAX, CloudEvents, DELIVERY_ID_BYTES_MAX, Delivery, EVENT_TYPE_BYTES_MAX, ID_WINDOW,
    Identity, Scheme, dedupe,
};
use hookbox_fuzz::{NOW, Pair, URL, line, split_at};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let (name, rest) = line(input);
    let (content_type, rest) = line(rest);
    let (query, rest) = line(rest);
    let (value, body) = line(rest);
    let pair = Pair::of_preset(name);
    let query = String::from_utf8_lossy(query);
    let mut headers = vec![("content-type", content_type)];
    headers.extend(pair.scheme.headers().map(|name| (name, value)));
    let delivery = Delivery { method: "POST", url: URL, query: &query, headers: &headers, body };

    let identity = pair.scheme.locate(&delivery);
    bounded(&identity);
    cloud_events(&delivery);
    let provider = ProviderName::parse(pair.scheme.name()).expect("a preset's name is a provider's");
    assert!(dedupe(&provider, &pair.scheme, &identity, body, ID_WINDOW).keys.len() <= 2);
    assert!(pair.verifier.verify(&delivery, NOW).is_err(), "{}: nothing was signed", pair.scheme.name());
    if let Ok(reply) = pair.verifier.challenge(&Delivery { method: "GET", ..delivery }) {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_=-+/{}\":".contains(byte);
        assert!(reply.body.iter().all(plain), "{}: a challenge is no plain word", pair.scheme.name());
    }

    let (text, others) = line(body);
    same_in_every_form(&String::from_utf8_lossy(text), &String::from_utf8_lossy(others));
});

/// What is read of CloudEvents has its four attributes, and none with control characters.
fn cloud_events(delivery: &Delivery<'_>) {
    let scheme = Scheme::named("cloudevents").expect("a preset");
    let events = match scheme.cloud_events(delivery) {
        Some(Ok(CloudEvents::One(event))) => vec![*event],
        Some(Ok(CloudEvents::Batch(events))) => events,
        Some(Err(error)) => return assert!(!error.to_string().chars().any(char::is_control)),
        None => unreachable!("its bodies are events"),
    };
    assert!(events.len() <= BATCH_MAX);
    for event in events {
        let own = [&event.id, &event.source, &event.event_type];
        assert!(own.iter().all(|text| !text.is_empty()));
        let all = own.into_iter().chain(event.others.iter().map(|(_, value)| value));
        assert!(all.into_iter().all(|text| text.len() <= ATTRIBUTE_BYTES_MAX && !text.chars().any(char::is_control)));
        bounded(&scheme.identity_of(&event));
    }
}

fn bounded(identity: &Identity) {
    let good =
        |text: &str, bytes_max| !text.is_empty() && text.len() <= bytes_max && !text.chars().any(char::is_control);
    assert!(identity.event_type.iter().all(|text| good(text, EVENT_TYPE_BYTES_MAX)));
    assert!(identity.delivery_id.iter().all(|id| good(&id.value, DELIVERY_ID_BYTES_MAX)));
}

/// Dropbox Sign sends JSON in a form of either kind, GitHub in a form or as it is.
fn same_in_every_form(text: &str, others: &str) {
    let good = !text.is_empty() && text.len() <= EVENT_TYPE_BYTES_MAX && !text.chars().any(char::is_control);
    let wanted = good.then(|| text.to_owned());

    let event = json!({ "a": [others, { "event_type": 1 }], "event": { "event_type": text }, "z": others }).to_string();
    let form = |field| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair(field, &event).append_pair("z", others).finish()
    };
    let plain = read("dropbox-sign", "application/x-www-form-urlencoded", form("json").as_bytes());
    assert_eq!(plain.event_type, wanted, "form");
    let bare = json!({ "z": others, "action": text }).to_string();
    let github = |body: &[u8]| read("github", "application/json", body).event_type;
    let named = wanted.as_ref().map(|text| format!("push.{text}")).filter(|name| name.len() <= EVENT_TYPE_BYTES_MAX);
    let long = good && named.is_none();
    let named = if long { None } else { named.or_else(|| Some("push".to_owned())) };
    assert_eq!(github(bare.as_bytes()), named, "JSON");
    let mut in_form = form_urlencoded::Serializer::new(String::new());
    assert_eq!(github(in_form.append_pair("payload", &bare).finish().as_bytes()), named, "JSON in a form");

    // A sender takes a boundary that does not stand in what it sends.
    let boundary = "b0undary";
    if split_at(event.as_bytes(), boundary.as_bytes()).1.is_empty() {
        let part = |name, text: &str| {
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
        };
        let body = format!("{}{}--{boundary}--\r\n", part("other", "1"), part("json", &event));
        let content_type = format!("multipart/form-data; boundary={boundary}");
        assert_eq!(read("dropbox-sign", &content_type, body.as_bytes()).event_type, wanted, "multipart");
    }
}

fn read(scheme: &str, content_type: &str, body: &[u8]) -> Identity {
    let headers: [(&str, &[u8]); 2] = [("content-type", content_type.as_bytes()), ("x-github-event", b"push")];
    let delivery = Delivery { method: "POST", url: URL, query: "", headers: &headers, body };
    Scheme::named(scheme).expect("a preset").locate(&delivery)
}
