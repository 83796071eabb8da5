//! What is signed inside a body, field by field or member by member.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::collections::BTreeSet;

use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use hookbox_core::name::ProviderName;
use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{Delivery, ID_WINDOW, Identity, Outgoing, Scheme, Signed, Verifier, dedupe, sample, sign};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use sha1::Sha1;

const NOW: Timestamp = Timestamp(1_750_861_210_000);
const URL: &str = "https://hooks.example.com/hooks/p?a=1";
const FORM: &str = "application/x-www-form-urlencoded";

/// A sender and who checks its deliveries.
struct Pair {
    verifier: Verifier,
    signing: Secret,
}

fn pair(name: &str) -> Pair {
    let scheme = Scheme::named(name).unwrap();
    let keys = sample(scheme, &[7; 32]).unwrap();
    Pair { verifier: Verifier::new(scheme, &[keys.secret], None).unwrap(), signing: keys.signing }
}

impl Pair {
    fn sign(&self, body: &[u8]) -> Signed {
        let out = Outgoing { method: "POST", url: URL, id: "0123456789abcdef", event_type: None, body };
        sign(self.verifier.scheme(), &self.signing, NOW, &out).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The JSON that is sent, in a field of a form where the sender sends one.
    fn document(&self, sent: &Signed) -> Value {
        let headers: Vec<(&str, &[u8])> =
            sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let delivery = Delivery { method: "POST", url: "", query: "", headers: &headers, body: &sent.body };
        serde_json::from_slice(&self.verifier.scheme().document(&delivery)).unwrap()
    }

    fn json_verdict(&self, sent: &Signed, json: &Value) -> Result<(), &'static str> {
        let body = match sent.headers.iter().any(|(_, value)| value == FORM) {
            true => form_urlencoded::Serializer::new(String::new()).append_pair("json", &json.to_string()).finish(),
            false => json.to_string(),
        };
        self.verdict(sent, body.as_bytes())
    }

    /// The cause of the refusal, if there is one.
    fn verdict(&self, sent: &Signed, body: &[u8]) -> Result<(), &'static str> {
        let headers: Vec<(&str, &[u8])> =
            sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let delivery = Delivery { method: "POST", url: &sent.url, query: "", headers: &headers, body };
        self.verifier.verify(&delivery, NOW).map(|_| ()).map_err(|refusal| refusal.code())
    }
}

/// Every text that is this one but for a character.
fn flipped(text: &str) -> impl Iterator<Item = String> + '_ {
    text.char_indices().map(|(at, old)| {
        let new = match old {
            '0'..='8' | 'a'..='y' | 'A'..='Y' => char::from(u8::try_from(old).unwrap() + 1),
            '9' => '1',
            _ => 'q',
        };
        format!("{}{new}{}", text.get(..at).unwrap(), text.get(at + old.len_utf8()..).unwrap())
    })
}

/// Refuses every change of each of these members, and the member's absence; other members may change.
fn assert_members_are_signed(name: &str, body: &str, members: &[&str]) {
    let pair = pair(name);
    let sent = pair.sign(body.as_bytes());
    assert_eq!(pair.verdict(&sent, &sent.body), Ok(()), "{name}");
    let right = pair.document(&sent);
    assert_eq!(pair.json_verdict(&sent, &right), Ok(()), "{name}");
    for member in members {
        let now = right.pointer(member).unwrap_or_else(|| panic!("{member}"));
        let text = now.as_str().map_or_else(|| now.to_string(), str::to_owned);
        let others = flipped(&text).map(|other| match now {
            Value::Number(_) => serde_json::from_str(&other).unwrap(),
            _ => Value::String(other),
        });
        let longer = Value::String(format!("{text}0"));
        for other in others.chain([longer, Value::Null, Value::Object(serde_json::Map::new())]) {
            let mut changed = right.clone();
            *changed.pointer_mut(member).unwrap() = other;
            let verdict = pair.json_verdict(&sent, &changed);
            assert!(verdict.is_err(), "{name} {member}: {changed}");
        }
        let mut without = right.clone();
        let (parent, last) = member.rsplit_once('/').unwrap();
        without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(last).unwrap();
        assert!(pair.json_verdict(&sent, &without).is_err(), "{name} without {member}");
    }
    let mut more = right.clone();
    more.as_object_mut().unwrap().insert("unsigned".to_owned(), Value::Bool(true));
    assert_eq!(pair.json_verdict(&sent, &more), Ok(()), "{name}: this much the signature leaves open");
}

const ITEM: &str = r#"{"pspReference":"7914073381342284","originalReference":"8413547924770610","merchantAccountCode":"TestMerchant","merchantReference":"TestPayment-14","amount":{"currency":"EUR","value":1130},"eventCode":"AUTHORISATION","success":"true","eventDate":"2019-05-06"}"#;

#[test]
fn no_character_of_what_an_adyen_item_signs_may_change() {
    let body = format!(
        r#"{{"live":"false","notificationItems":[{{"NotificationRequestItem":{ITEM}}},{{"NotificationRequestItem":{ITEM}}}]}}"#
    );
    let signed = [
        "pspReference",
        "originalReference",
        "merchantAccountCode",
        "merchantReference",
        "amount/value",
        "amount/currency",
        "eventCode",
        "success",
        "additionalData/hmacSignature",
    ];
    for item in 0..2 {
        let members = signed.map(|member| format!("/notificationItems/{item}/NotificationRequestItem/{member}"));
        assert_members_are_signed("adyen-item", &body, &members.each_ref().map(String::as_str));
    }
}

#[test]
fn an_adyen_item_without_its_list_is_refused() {
    let pair = pair("adyen-item");
    let body = format!(r#"{{"notificationItems":[{{"NotificationRequestItem":{ITEM}}}]}}"#);
    let sent = pair.sign(body.as_bytes());
    let whole: Value = serde_json::from_slice(&sent.body).unwrap();
    let item = whole.pointer("/notificationItems/0/NotificationRequestItem").unwrap();
    let verdict = |body: String| pair.verdict(&sent, body.as_bytes());
    assert_eq!(verdict(format!(r#"{{"notificationItems":[{{"NotificationRequestItem":{item}}}]}}"#)), Ok(()));
    for bare in [
        item.to_string(),
        format!("[{item}]"),
        format!(r#"{{"NotificationRequestItem":{item}}}"#),
        format!(r#"[{{"NotificationRequestItem":{item}}}]"#),
        format!(r#"{{"notificationItems":{{"NotificationRequestItem":{item}}}}}"#),
    ] {
        assert_eq!(verdict(bare.clone()), Err("missing-signature"), "{bare}");
    }
    assert_eq!(verdict(format!(r#"{{"notificationItems":[{item}]}}"#)), Err("malformed-header"));
}

#[test]
fn no_character_of_what_dropbox_sign_signs_may_change() {
    assert_members_are_signed(
        "dropbox-sign",
        r#"{"event":{"event_time":"1750861210","event_type":"signature_request_sent"},"account_guid":"a"}"#,
        &["/event/event_time", "/event/event_type", "/event/event_hash"],
    );
}

#[test]
fn no_character_of_what_mailgun_signs_may_change() {
    assert_members_are_signed(
        "mailgun",
        r#"{"event-data":{"event":"opened"}}"#,
        &["/signature/timestamp", "/signature/token", "/signature/signature"],
    );
}

#[test]
fn no_character_of_what_mailgun_signs_in_a_form_may_change() {
    let pair = pair("mailgun-form");
    let sent = pair.sign(b"event=opened&recipient=a%40example.com");
    let fields: Vec<(String, String)> = form_urlencoded::parse(&sent.body).into_owned().collect();
    let written = |fields: &[(String, String)]| {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
    };
    assert_eq!(pair.verdict(&sent, &written(&fields)), Ok(()));
    for name in ["timestamp", "token", "signature"] {
        let at = fields.iter().position(|(other, _)| other == name).unwrap();
        let right = fields[at].1.clone();
        for other in flipped(&right).chain([String::new(), format!("{right}0")]) {
            let mut changed = fields.clone();
            changed[at].1 = other;
            assert!(pair.verdict(&sent, &written(&changed)).is_err(), "{name} {changed:?}");
        }
        let mut without = fields.clone();
        without.remove(at);
        assert!(pair.verdict(&sent, &written(&without)).is_err(), "without {name}");
        let twice = [fields.as_slice(), &fields[at..=at]].concat();
        assert!(pair.verdict(&sent, &written(&twice)).is_err(), "{name} twice");
    }
}

/// As Twilio's own libraries do: names sorted, of each its values once and sorted.
fn twilio_signs(key: &Secret, fields: &[(&str, &str)]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.expose()).unwrap();
    mac.update(URL.as_bytes());
    for (name, value) in fields.iter().collect::<BTreeSet<_>>() {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// A form of Twilio's, under the signature of the fields that are `signed`.
fn twilio(signed: &[(&str, &str)], sent: &[(&str, &str)]) -> Result<(), &'static str> {
    let pair = pair("twilio");
    let headers = [("Content-Type", FORM.to_owned()), ("X-Twilio-Signature", twilio_signs(&pair.signing, signed))];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(sent).finish().into_bytes();
    pair.verdict(&Signed { url: URL.to_owned(), headers, body: Vec::new() }, &body)
}

#[test]
fn an_equal_field_is_signed_once_and_others_of_its_name_each() {
    let signed = [("To", "+1"), ("From", "+2"), ("To", "+3")];
    assert_eq!(twilio(&signed, &signed), Ok(()));
    assert_eq!(twilio(&signed, &[("To", "+3"), ("To", "+1"), ("To", "+3"), ("From", "+2")]), Ok(()));
    for other in [
        vec![("To", "+1"), ("From", "+2")],
        vec![("To", "+1"), ("From", "+2"), ("To", "+1")],
        vec![("To", "+1"), ("From", "+2"), ("To", "+3"), ("To", "+4")],
        vec![("To", "+1"), ("From", "+3"), ("To", "+2")],
    ] {
        assert_eq!(twilio(&signed, &other), Err("mismatch"), "{other:?}");
    }
}

/// What a repetition of the form is known by, under whatever id.
fn known_by(body: &str) -> [u8; 32] {
    let provider = ProviderName::parse("p").unwrap();
    let scheme = Scheme::named("twilio").unwrap();
    let found = dedupe(&provider, scheme, &Identity::default(), body.as_bytes(), ID_WINDOW);
    assert_eq!(found.keys.len(), 1);
    found.keys[0].hash
}

/// The signature is of the fields, so that a replayer may write them in another way.
#[test]
fn a_form_that_is_written_in_another_way_is_known_again() {
    let signed = [("Body", "a b"), ("From", "+2")];
    let pair = pair("twilio");
    let headers = [("Content-Type", FORM.to_owned()), ("X-Twilio-Signature", twilio_signs(&pair.signing, &signed))];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
    let sent = Signed { url: URL.to_owned(), headers, body: Vec::new() };
    let first = "Body=a+b&From=%2B2";
    for other in
        [first, "From=%2B2&Body=a%20b", "Body=a+b&Body=a+b&From=%2B2", "B%6fdy=a+b&&From=%2b2&=", "Body=a+bFro&m=%2B2"]
    {
        assert_eq!(pair.verdict(&sent, other.as_bytes()), Ok(()), "{other}");
        assert_eq!(known_by(other), known_by(first), "{other}");
    }
    assert_eq!(pair.verdict(&sent, b"Body=a+c&From=%2B2"), Err("mismatch"));
    assert_ne!(known_by("Body=a+c&From=%2B2"), known_by(first));
    assert_ne!(known_by(r#"{"a":"b c"}"#), known_by(r#"{"a":"b+c"}"#), "JSON is signed byte by byte");
}

/// Names begin with a capital and values have none, so that two forms are not one text.
fn field() -> impl Strategy<Value = (String, String)> {
    ("(To|From|Body|[A-Z][a-z]{1,6})", "[a-z0-9 +&=%é]{0,8}")
}

proptest! {
    #[test]
    fn no_field_of_a_twilio_form_may_change_come_or_go(
        fields in proptest::collection::vec(field(), 1..6),
        other in field(),
        at in any::<Index>(),
        how in 0..5usize,
    ) {
        let at = at.index(fields.len());
        let mut changed = fields.clone();
        match how {
            0 => changed[at].1 = other.1,
            1 => changed[at].0 = other.0,
            2 => changed.push(other),
            3 => drop(changed.remove(at)),
            _ => changed.rotate_left(at),
        }
        fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
        }
        let (signed, sent) = (borrowed(&fields), borrowed(&changed));
        prop_assert_eq!(twilio(&signed, &signed), Ok(()));
        let same = signed.iter().collect::<BTreeSet<_>>() == sent.iter().collect::<BTreeSet<_>>();
        // Without a field there is no body, and the URL alone is what is signed.
        let expected = if same { Ok(()) } else { Err("mismatch") };
        prop_assert_eq!(twilio(&signed, &sent), expected);
    }
}
