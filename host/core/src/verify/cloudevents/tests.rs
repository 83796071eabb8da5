use proptest::prelude::*;

use super::*;

type Headers<'a> = &'a [(&'a str, &'a str)];

fn events(headers: Headers<'_>, body: &[u8]) -> Result<Vec<CloudEvent<'static>>, String> {
    let pairs: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let delivery = Delivery { method: "POST", url: "", query: "", headers: &pairs, body };
    let owned = |event: CloudEvent<'_>| CloudEvent { data: Cow::Owned(event.data.into_owned()), ..event };
    match read(&delivery) {
        Ok(CloudEvents::One(event)) => Ok(vec![owned(*event)]),
        Ok(CloudEvents::Batch(events)) => Ok(events.into_iter().map(owned).collect()),
        Err(error) => Err(error.to_string()),
    }
}

const BINARY: [(&str, &str); 5] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "1234-1234-1234"),
    ("ce-source", "/mycontext/subcontext"),
    ("ce-type", "com.example.someevent"),
    ("content-type", "application/json; charset=utf-8"),
];

fn structured_event(json: &str) -> Result<CloudEvent<'static>, String> {
    events(&[("content-type", "application/cloudevents+json; charset=UTF-8")], json.as_bytes())
        .map(|events| events.into_iter().next().unwrap())
}

fn with(members: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t"{members}}}"#)
}

/// The example of the HTTP binding, section 3.1.4.
#[test]
fn an_event_in_headers_has_the_body_as_its_data() {
    let headers =
        [&BINARY[..], &[("Ce-Time", "2018-04-05T03:56:24Z"), ("CE-Subject", "a/b"), ("x-other", "1")]].concat();
    let event = events(&headers, b"{\"a\" : 1}").unwrap().remove(0);
    assert_eq!((event.id.as_str(), event.source.as_str()), ("1234-1234-1234", "/mycontext/subcontext"));
    assert_eq!((event.event_type.as_str(), event.subject.as_deref()), ("com.example.someevent", Some("a/b")));
    assert_eq!(event.content_type.as_deref(), Some("application/json; charset=utf-8"));
    assert_eq!(event.others, [("time".to_owned(), "2018-04-05T03:56:24Z".to_owned())]);
    assert_eq!((event.data.as_ref(), event.in_body), (&b"{\"a\" : 1}"[..], false));
}

#[test]
fn a_header_is_percent_encoded_and_may_be_quoted() {
    for (sent, read) in [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u{20ac} \u{1f600}"),
        ("\"a \\\"b\\\" c\"", "a \"b\" c"),
        ("a+b", "a+b"),
        ("\"", "\""),
    ] {
        let headers = [&BINARY[..], &[("ce-subject", sent)]].concat();
        assert_eq!(events(&headers, b"").unwrap()[0].subject.as_deref(), Some(read), "{sent}");
    }
}

#[test]
fn an_event_in_json_keeps_its_data_byte_for_byte() {
    let event = structured_event(&with(r#","data":{ "b":1.00, "a":"\u00e9" },"comexampleextension1":"value","comexampleothervalue":5,"flag":true,"none":null"#)).unwrap();
    assert_eq!(event.data.as_ref(), br#"{ "b":1.00, "a":"\u00e9" }"#);
    assert_eq!(event.content_type.as_deref(), Some("application/json"));
    let others: Vec<_> = event.others.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(others, [("comexampleextension1", "value"), ("comexampleothervalue", "5"), ("flag", "true")]);
    assert!(event.in_body);
}

/// The examples of the JSON format, section 3.1.
#[test]
fn data_is_what_its_content_type_says() {
    for (members, content_type, data) in [
        (r#","datacontenttype":"text/xml","data":"<much wow=\"xml\"/>""#, Some("text/xml"), "<much wow=\"xml\"/>"),
        (
            r#","datacontenttype":"application/vnd.apache.thrift.binary","data_base64":"aGk=""#,
            Some("application/vnd.apache.thrift.binary"),
            "hi",
        ),
        (r#","data":"text""#, Some("application/json"), "\"text\""),
        (r#","datacontenttype":"application/x+json","data":"text""#, Some("application/x+json"), "\"text\""),
        (r#","datacontenttype":"text/plain","data":{"a":1}"#, Some("text/plain"), "{\"a\":1}"),
        (r#","data":null,"data_base64":null"#, Some("application/json"), "null"),
        ("", None, ""),
    ] {
        let event = structured_event(&with(members)).unwrap();
        assert_eq!(event.content_type.as_deref(), content_type, "{members}");
        assert_eq!(event.data.as_ref(), data.as_bytes(), "{members}");
    }
}

#[test]
fn a_batch_is_its_events_in_order() {
    let batch = |text: &str| events(&[("content-type", "application/cloudevents-batch+json")], text.as_bytes());
    assert_eq!(batch("[]"), Ok(Vec::new()));
    let two = format!("[{}, {}]", with(r#","data":1"#), with(r#","data":2"#).replace("\"1\"", "\"2\""));
    let ids: Vec<_> = batch(&two).unwrap().iter().map(|event| (event.id.clone(), event.data.to_vec())).collect();
    assert_eq!(ids, [("1".to_owned(), b"1".to_vec()), ("2".to_owned(), b"2".to_vec())]);
    assert_eq!(batch("{}").unwrap_err(), "the event is no JSON list of events");
    let second = format!("[{},{{}}]", with(""));
    insta::assert_snapshot!(batch(&second).unwrap_err(), @"the event at index 1 of the batch lacks the attribute specversion, which must be there and not empty");
    let many = format!("[{}]", vec![with(""); BATCH_MAX + 1].join(","));
    assert!(batch(&many).unwrap_err().contains("more than 1000 events"));
}

#[test]
fn the_content_type_alone_says_what_a_delivery_is() {
    // Headers beside an event in JSON are not looked at.
    let headers = [("content-type", "application/cloudevents+json"), ("ce-type", "forged"), ("ce-id", "forged")];
    assert_eq!(events(&headers, with("").as_bytes()).unwrap()[0].event_type, "t");
    // An event in JSON under another content type is the data of one in headers.
    assert_eq!(events(&BINARY, with("").as_bytes()).unwrap()[0].event_type, "com.example.someevent");
    let avro = events(&[("content-type", "application/cloudevents+avro")], b"");
    assert!(avro.unwrap_err().contains("no other format"));
}

#[test]
fn what_is_wrong_is_named_and_not_quoted() {
    for (json, told) in [
        ("[]".to_owned(), "no JSON object"),
        (with(r#","id":"2""#), "has a member twice"),
        (with(r#","Upper":"x""#), "letters a to z"),
        (with(r#","x":{"a":1}"#), "attribute x that is no text"),
        (with(r#","x":"a\u0000b""#), "attribute x that is no text"),
        (with(&format!(r#","x":"{}""#, "y".repeat(4097))), "attribute x of more than 4096 bytes"),
        (with(r#","time":"yesterday""#), "RFC 3339"),
        (with(r#","data":1,"data_base64":"aGk=""#), "both data and data_base64"),
        (with(r#","data_base64":"?""#), "no base64"),
        (with("").replace("1.0", "0.3"), "specversion 1.0"),
        (with("").replace("\"/s\"", "\"\""), "attribute source"),
        (with(&(0..64).map(|n| format!(r#","x{n}":"y""#)).collect::<String>()), "has"),
    ] {
        let error = structured_event(&json).unwrap_err();
        assert!(error.contains(told), "{json}: {error}");
        assert!(!error.contains("yesterday"));
    }
    let twice = [&BINARY[..], &[("CE-ID", "5")]].concat();
    assert_eq!(events(&twice, b"").unwrap_err(), "the event has an attribute id twice");
    assert_eq!(
        events(&BINARY[1..], b"").unwrap_err(),
        "the event lacks the attribute specversion, which must be there and not empty"
    );
}

#[test]
fn a_signed_body_is_not_renamed_by_headers() {
    let scheme = |text: &str| Scheme::from_yaml(text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let body_alone = scheme(
        "like: cloudevents\nalgorithm: hmac-sha256\nheader: X-Sig\nprefix: \"\"\nencoding: hex\ncontent: \"{body}\"",
    );
    let pairs: Vec<(&str, &[u8])> = BINARY.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let binary = Delivery { method: "POST", url: "", query: "", headers: &pairs, body: b"{}" };
    let refused = body_alone.cloud_events(&binary).unwrap().unwrap_err();
    assert!(refused.to_string().contains("send it as application/cloudevents+json"), "{refused}");
    let text = with("");
    let headers = [("content-type", &b"application/cloudevents+json"[..])];
    let structured = Delivery { headers: &headers, body: text.as_bytes(), ..binary };
    assert!(body_alone.cloud_events(&structured).unwrap().is_ok());
    let all = scheme(
        "like: cloudevents\nalgorithm: hmac-sha256\nheader: X-Sig\nprefix: \"\"\nencoding: hex\n\
         content: \"{header:ce-id}.{header:ce-source}.{header:ce-type}.{body}\"",
    );
    assert!(all.cloud_events(&binary).unwrap().is_ok());
    assert!(Scheme::named("cloudevents").unwrap().cloud_events(&binary).unwrap().is_ok());
}

proptest! {
    #[test]
    fn no_delivery_makes_it_panic(kind in 0..4_usize, name in "[a-zA-Z0-9-]{0,12}", value in any::<Vec<u8>>(), body in any::<Vec<u8>>()) {
        let kinds = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json", "application/cloudevents"];
        let name = format!("ce-{name}");
        let headers = [("content-type", kinds[kind].as_bytes()), (name.as_str(), value.as_slice())];
        let _ = read(&Delivery { method: "POST", url: "", query: "", headers: &headers, body: &body });
    }

    #[test]
    fn the_same_event_is_read_from_headers_and_from_json(subject in "\\PC{1,40}", number in any::<i32>()) {
        let json = serde_json::json!({ "specversion": "1.0", "id": "1", "source": "/s", "type": "t", "subject": subject, "n": number, "data": { "n": number } });
        let structured = structured_event(&json.to_string()).unwrap();
        let encoded = percent_encoding::utf8_percent_encode(&subject, percent_encoding::NON_ALPHANUMERIC).to_string();
        let text = number.to_string();
        let headers = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t"), ("ce-subject", encoded.as_str()), ("ce-n", text.as_str()), ("content-type", "application/json")];
        let data = format!("{{\"n\":{number}}}");
        let binary = events(&headers, data.as_bytes()).unwrap().remove(0);
        prop_assert_eq!(CloudEvent { in_body: false, ..structured }, binary);
    }
}
