//! What holds for every preset: what its sender signs is accepted, and nothing else is.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::SigningKey;
use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{
    Delivery, Integrity, Outgoing, Refusal, SIGNATURES_MAX, Scheme, Signed, Verified, Verifier, sample, schemes, sign,
};
use p256::pkcs8::{EncodePrivateKey, EncodePublicKey};
use proptest::prelude::*;
use proptest::sample::Index;

const URL: &str = "https://hooks.example.com/api/v1/webhooks/webhook/p?a=1";
const NOW: Timestamp = Timestamp(1_750_861_210_000);

/// What the sender signs with, and what the receiver checks with.
struct Keys {
    private: Secret,
    public: Secret,
}

fn secret(text: impl Into<String>) -> Secret {
    Secret::new(text.into()).unwrap()
}

/// Keys of whatever form the scheme takes.
fn keys(scheme: &Scheme, seed: u8) -> Keys {
    let bytes = [seed; 32];
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let both = |text: String| Keys { private: secret(text.clone()), public: secret(text) };
    match scheme.name() {
        "discord" | "discord-events" => {
            let public = SigningKey::from_bytes(&bytes).verifying_key();
            let public: String = public.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            Keys { private: secret(hex), public: secret(public) }
        }
        "sendgrid-ecdsa" => {
            let key = p256::SecretKey::from_slice(&bytes).unwrap();
            let public = key.public_key().to_public_key_der().unwrap();
            Keys {
                private: secret(BASE64_STANDARD.encode(key.to_pkcs8_der().unwrap().as_bytes())),
                public: secret(BASE64_STANDARD.encode(public.as_bytes())),
            }
        }
        _ => {
            let forms =
                [format!("s{hex}"), format!("whsec_{}", BASE64_STANDARD.encode(bytes)), hex, format!("user:s{seed}")];
            let usable = |form: &String| Verifier::new(scheme, &[secret(form.clone())], None).is_ok();
            both(forms.into_iter().find(usable).unwrap_or_else(|| panic!("{}", scheme.name())))
        }
    }
}

/// A body with room for what the scheme signs inside.
fn body(scheme: &Scheme, text: &str) -> Vec<u8> {
    let text = serde_json::Value::from(text);
    match scheme.name() {
        "adyen-item" => format!(
            r#"{{"notificationItems":[{{"NotificationRequestItem":{{"pspReference":{text},"eventCode":"A","success":"true"}}}},{{"NotificationRequestItem":{{"pspReference":"2","amount":{{"value":5}}}}}}]}}"#
        ),
        "dropbox-sign" => format!(r#"{{"event":{{"event_time":"1750861210","event_type":{text}}}}}"#),
        "mailgun-form" => "event=opened&recipient=a%40example.com".to_owned(),
        "twilio" => "CallSid=CA1&From=%2B14158675309&From=%2B1".to_owned(),
        _ => format!(r#"{{"id":"evt_1","type":"t","data":{{"text":{text}}}}}"#),
    }
    .into_bytes()
}

fn signed(scheme: &Scheme, private: &Secret, now: Timestamp, text: &str) -> Signed {
    let out = Outgoing { method: "POST", url: URL, id: "id1", event_type: Some("t"), body: &body(scheme, text) };
    sign(scheme, private, now, &out).unwrap_or_else(|error| panic!("{error}"))
}

fn verify(verifier: &Verifier, sent: &Signed, now: Timestamp) -> Result<Verified, Refusal> {
    let headers: Vec<(&str, &[u8])> =
        sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let delivery = Delivery { method: "POST", url: &sent.url, query: "", headers: &headers, body: &sent.body };
    verifier.verify(&delivery, now)
}

fn verifier(scheme: &Scheme, keys: &[&Keys]) -> Verifier {
    let secrets: Vec<Secret> = keys.iter().map(|keys| Secret::new(keys.public.expose().to_vec()).unwrap()).collect();
    Verifier::new(scheme, &secrets, None).unwrap()
}

#[test]
fn what_a_sender_signs_is_accepted_under_whichever_secret_it_is() {
    for scheme in schemes() {
        let (old, new) = (keys(scheme, 7), keys(scheme, 9));
        let both = verifier(scheme, &[&old, &new]);
        for (position, keys) in [&old, &new].into_iter().enumerate() {
            let sent = signed(scheme, &keys.private, NOW, "text");
            let verified = verify(&both, &sent, NOW);
            let verified = verified.unwrap_or_else(|refusal| panic!("{}: {refusal} {sent:?}", scheme.name()));
            assert_eq!(verified.secret, position, "{}", scheme.name());
            assert_eq!(verified.integrity, scheme.integrity());
        }
    }
}

#[test]
fn nothing_is_accepted_under_another_secret_or_without_a_signature() {
    for scheme in schemes() {
        let name = scheme.name();
        let (mine, other) = (keys(scheme, 7), keys(scheme, 9));
        let sent = signed(scheme, &other.private, NOW, "text");
        let refusal = verify(&verifier(scheme, &[&mine]), &sent, NOW).unwrap_err();
        assert_eq!(refusal.code(), "mismatch", "{name}: {refusal}");
        let bare = Signed { headers: Vec::new(), body: b"{}".to_vec(), ..sent };
        let refusal = verify(&verifier(scheme, &[&mine]), &bare, NOW).unwrap_err();
        let causes = ["missing-header", "missing-signature", "malformed-header"];
        assert!(causes.contains(&refusal.code()), "{name}: {refusal}");
    }
}

#[test]
fn a_delivery_is_refused_before_and_behind_its_window() {
    let mut timed = 0;
    for scheme in schemes() {
        let Some(tolerance) = scheme.tolerance() else { continue };
        timed += 1;
        let keys = keys(scheme, 7);
        let verifier = verifier(scheme, &[&keys]);
        let sent = signed(scheme, &keys.private, NOW, "text");
        for edge in [Timestamp(NOW.0 - tolerance.0), Timestamp(NOW.0 + tolerance.0)] {
            assert!(verify(&verifier, &sent, edge).is_ok(), "{}", scheme.name());
        }
        for beyond in [Timestamp(NOW.0 - tolerance.0 - 1), Timestamp(NOW.0 + tolerance.0 + 1)] {
            let refusal = verify(&verifier, &sent, beyond).unwrap_err();
            assert_eq!(refusal.code(), "outside-tolerance", "{}", scheme.name());
        }
    }
    assert!(timed >= 15, "{timed}");
}

#[test]
fn a_header_that_a_scheme_reads_is_refused_twice() {
    for scheme in schemes() {
        let keys = keys(scheme, 7);
        let verifier = verifier(scheme, &[&keys]);
        let sent = signed(scheme, &keys.private, NOW, "text");
        for (name, value) in &sent.headers {
            if !scheme.headers().any(|read| read.eq_ignore_ascii_case(name)) {
                continue;
            }
            let mut twice = sent.clone();
            twice.headers.push((name.to_uppercase(), value.clone()));
            let refusal = verify(&verifier, &twice, NOW).unwrap_err();
            assert_eq!(refusal.code(), "duplicate-header", "{} {name}", scheme.name());
        }
    }
}

#[test]
fn a_url_that_is_signed_must_be_known_and_the_same() {
    let mut with_url = 0;
    for scheme in schemes().iter().filter(|scheme| scheme.needs_url()) {
        with_url += 1;
        let keys = keys(scheme, 7);
        let verifier = verifier(scheme, &[&keys]);
        let sent = signed(scheme, &keys.private, NOW, "text");
        let at = |url: &str| verify(&verifier, &Signed { url: url.to_owned(), ..sent.clone() }, NOW);
        assert_eq!(at("").unwrap_err().code(), "no-public-url", "{}", scheme.name());
        assert_eq!(at(&sent.url.replace("hooks.", "evil.")).unwrap_err().code(), "mismatch", "{}", scheme.name());
        assert!(at(&sent.url.replace("example.com/", "example.com:443/")).is_ok(), "{}", scheme.name());
    }
    assert!(with_url >= 4, "{with_url}");
}

#[test]
fn a_list_of_headers_must_name_some_and_each_once() {
    let scheme = Scheme::named("hook0").unwrap();
    let keys = keys(scheme, 7);
    let verifier = verifier(scheme, &[&keys]);
    let sent = signed(scheme, &keys.private, NOW, "text");
    let listing = |names: &str| {
        let mut sent = sent.clone();
        let header = &mut sent.headers.iter_mut().find(|(name, _)| name == "X-Hook0-Signature").unwrap().1;
        let begin = header.find(",h=").unwrap() + 3;
        let end = header.get(begin..).unwrap().find(',').unwrap() + begin;
        let now = header.get(begin..end).unwrap().to_owned();
        header.replace_range(begin..end, names.replace('*', &now).as_str());
        verify(&verifier, &sent, NOW).map(|verified| verified.secret).map_err(|refusal| refusal.code())
    };
    assert_eq!(listing("*"), Ok(0));
    for names in ["", " ", "* *"] {
        assert_eq!(listing(names), Err("malformed-header"), "{names:?}");
    }
}

#[test]
fn a_tag_before_a_list_is_that_of_every_signature_behind_it() {
    let scheme = Scheme::named("outpost").unwrap();
    let keys = |seed| keys(scheme, seed);
    let verifier = verifier(scheme, &[&keys(7)]);
    let by = |seed| {
        let sent = signed(scheme, &keys(seed).private, NOW, "text");
        let header = sent.headers.iter().find(|(name, _)| name == "x-outpost-signature").unwrap().1.clone();
        header.strip_prefix("v0=").unwrap().to_owned()
    };
    let (mine, other) = (by(7), by(9));
    let told = |list: String| {
        let mut sent = signed(scheme, &keys(7).private, NOW, "text");
        sent.headers.iter_mut().find(|(name, _)| name == "x-outpost-signature").unwrap().1 = list;
        verify(&verifier, &sent, NOW).map(|verified| verified.secret).map_err(|refusal| refusal.code())
    };
    for good in [format!("v0={other},{mine}"), format!("v0={mine},{other}"), format!("x, v0={other} , {mine}")] {
        assert_eq!(told(good.clone()), Ok(0), "{good}");
    }
    for (bad, code) in [
        (format!("v0={other},{other}"), "mismatch"),
        (format!("v0={other},v1={mine}"), "mismatch"),
        (format!("{mine},v0={other}"), "mismatch"),
        (mine.clone(), "malformed-header"),
        (format!("v0={other}{}", ",a".repeat(SIGNATURES_MAX)), "malformed-header"),
    ] {
        assert_eq!(told(bad.clone()), Err(code), "{bad}");
    }
}

/// Else a time in the body could be taken for that of the delivery, and what stands before it for the id.
#[test]
fn an_id_before_a_time_cannot_reach_over_it() {
    let scheme = Scheme::named("twitch").unwrap();
    let keys = keys(scheme, 7);
    let verifier = verifier(scheme, &[&keys]);
    let body = br#"x2025-06-25T14:20:10Z{"subscription":{"type":"t"}}"#;
    let out = Outgoing { method: "POST", url: URL, id: "id1", event_type: None, body };
    let mut sent = sign(scheme, &keys.private, NOW, &out).unwrap();
    assert!(verify(&verifier, &sent, NOW).is_ok());
    let (id, time) = ("Twitch-Eventsub-Message-Id", "Twitch-Eventsub-Message-Timestamp");
    let old = sent.headers.iter().find(|(name, _)| name == time).unwrap().1.clone();
    for (name, value) in &mut sent.headers {
        if name == id {
            *value = format!("id1{old}x");
        } else if name == time {
            *value = "2025-06-25T14:20:10Z".to_owned();
        }
    }
    sent.body = br#"{"subscription":{"type":"t"}}"#.to_vec();
    assert_eq!(verify(&verifier, &sent, NOW).unwrap_err().code(), "malformed-header");
}

#[test]
fn a_member_that_is_signed_is_not_there_twice() {
    for (name, repeat) in [
        ("adyen-item", r#","notificationItems":[{"NotificationRequestItem":{"pspReference":"evil"}}]}"#),
        ("dropbox-sign", r#","event":{"event_type":"evil"}}"#),
        ("mailgun", r#","signature":{"token":"evil"}}"#),
    ] {
        let scheme = Scheme::named(name).unwrap();
        let keys = keys(scheme, 7);
        let verifier = verifier(scheme, &[&keys]);
        let sent = signed(scheme, &keys.private, NOW, "text");
        assert!(verify(&verifier, &sent, NOW).is_ok(), "{name}");
        let text = String::from_utf8(sent.body.clone()).unwrap();
        let (text, repeat) = match text.contains("%7B") {
            true => (text.strip_suffix("%7D").unwrap().to_owned(), repeat.replace('"', "%22")),
            false => (text.strip_suffix('}').unwrap().to_owned(), repeat.to_owned()),
        };
        let twice = Signed { body: format!("{text}{repeat}").into_bytes(), ..sent };
        let refusal = verify(&verifier, &twice, NOW).unwrap_err();
        assert!(refusal.to_string().contains("a member is there twice"), "{name}: {refusal}");
    }
}

#[test]
fn an_item_beside_the_signed_ones_is_refused() {
    let scheme = Scheme::named("adyen-item").unwrap();
    let keys = keys(scheme, 7);
    let verifier = verifier(scheme, &[&keys]);
    let sent = signed(scheme, &keys.private, NOW, "text");
    assert!(verify(&verifier, &sent, NOW).is_ok());
    let text = String::from_utf8(sent.body.clone()).unwrap();
    for item in [r#"{"Other":{"pspReference":"evil"}}"#, "1", "{}"] {
        let more = Signed { body: text.replacen('[', &format!("[{item},"), 1).into_bytes(), ..sent.clone() };
        assert_eq!(verify(&verifier, &more, NOW).unwrap_err().code(), "malformed-header", "{item}");
    }
    let empty = Signed { body: br#"{"notificationItems":[]}"#.to_vec(), ..sent };
    assert!(verify(&verifier, &empty, NOW).is_err());
}

proptest! {
    #[test]
    fn no_bit_of_what_is_covered_may_change(which in any::<Index>(), text in "[a-zA-Z0-9 .:,é-]{1,40}", bit in any::<Index>()) {
        let scheme = &schemes()[which.index(schemes().len())];
        let keys = keys(scheme, 7);
        let verifier = verifier(scheme, &[&keys]);
        let sent = signed(scheme, &keys.private, NOW, &text);
        prop_assert!(verify(&verifier, &sent, NOW).is_ok(), "{}", scheme.name());
        // HMAC-SHA1 and SHA-256 of forms leave out how a field is written.
        if scheme.integrity() == Integrity::Full && scheme.name() != "twilio" {
            let mut other = sent.clone();
            let position = bit.index(other.body.len() * 8);
            other.body[position / 8] ^= 1 << (position % 8);
            prop_assert!(verify(&verifier, &other, NOW).is_err(), "{} {position}", scheme.name());
            let spaced = Signed { body: [sent.body.as_slice(), b" "].concat(), ..sent.clone() };
            prop_assert!(verify(&verifier, &spaced, NOW).is_err(), "{}: equal JSON, other bytes", scheme.name());
        }
    }

    #[test]
    fn no_bit_of_a_signature_may_change(which in any::<Index>(), text in "[a-z]{1,9}", bit in any::<Index>()) {
        let scheme = &schemes()[which.index(schemes().len())];
        let keys = keys(scheme, 7);
        let verifier = verifier(scheme, &[&keys]);
        let sent = signed(scheme, &keys.private, NOW, &text);
        let is_signature = |name: &str| scheme.is_secret_header(name);
        let mut headers: Vec<(&str, Vec<u8>)> =
            sent.headers.iter().map(|(name, value)| (name.as_str(), value.clone().into_bytes())).collect();
        // Others have it in the body.
        let Some((_, value)) = headers.iter_mut().find(|(name, _)| is_signature(name)) else { return Ok(()) };
        let right = value.clone();
        let position = bit.index(value.len() * 8);
        value[position / 8] ^= 1 << (position % 8);
        // Hex is read in either case, and white space around a header is none of it.
        prop_assume!(!value.eq_ignore_ascii_case(&right) || scheme.integrity() == Integrity::None);
        prop_assume!(value.trim_ascii() != right.trim_ascii());
        let pairs: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let delivery = Delivery { method: "POST", url: &sent.url, query: "", headers: &pairs, body: &sent.body };
        let shown = String::from_utf8_lossy(pairs.iter().find(|(name, _)| is_signature(name)).unwrap().1).into_owned();
        prop_assert!(verifier.verify(&delivery, NOW).is_err(), "{}: {shown}", scheme.name());
    }

    #[test]
    fn no_bit_of_a_secret_may_change(which in any::<Index>(), seed in any::<[u8; 32]>(), bit in 0..256usize) {
        let scheme = &schemes()[which.index(schemes().len())];
        let mut flipped = seed;
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (Some(right), Some(other)) = (sample(scheme, &seed), sample(scheme, &flipped)) else { return Ok(()) };
        let with = |made: &Secret| Verifier::new(scheme, &[Secret::new(made.expose().to_vec()).unwrap()], None).unwrap();
        let sent = signed(scheme, &right.signing, NOW, "text");
        prop_assert!(verify(&with(&right.secret), &sent, NOW).is_ok(), "{}", scheme.name());
        prop_assert!(verify(&with(&other.secret), &sent, NOW).is_err(), "{}", scheme.name());
    }

    /// The same value with other bytes is another body.
    #[test]
    fn equal_json_with_other_bytes_is_refused(which in any::<Index>(), text in "[a-zé ]{1,20}", how in 0..4usize) {
        let scheme = &schemes()[which.index(schemes().len())];
        prop_assume!(scheme.integrity() == Integrity::Full && !["twilio"].contains(&scheme.name()));
        let keys = keys(scheme, 7);
        let sent = signed(scheme, &keys.private, NOW, &text);
        let json = String::from_utf8(sent.body.clone()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let other = match how {
            0 => serde_json::to_string_pretty(&value).unwrap(),
            1 => json.replacen(":", ": ", 1),
            2 => json.replace("\"t\"", "\"\\u0074\""),
            _ => format!("\n{json}\n"),
        };
        prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&other).unwrap(), &value);
        prop_assume!(other != json);
        let other = Signed { body: other.into_bytes(), ..sent };
        prop_assert!(verify(&verifier(scheme, &[&keys]), &other, NOW).is_err(), "{}", scheme.name());
    }

    #[test]
    fn no_delivery_makes_a_preset_panic(
        which in any::<Index>(),
        value in any::<Vec<u8>>(),
        body in prop_oneof![any::<Vec<u8>>(), "[\\[\\]{}\":,a-z0-9=&%]{0,60}".prop_map(String::into_bytes)],
        query in "[a-z_.=&%0-9]{0,30}",
        tag in any::<Index>(),
    ) {
        let scheme = &schemes()[which.index(schemes().len())];
        let verifier = verifier(scheme, &[&keys(scheme, 7)]);
        let tags: [&[u8]; 6] = [b"", b"sha256=", b"t=1,v1=", b"v1,", b"ts=1;h1=", b"t=1,h=a b,v1="];
        let value = [tags[tag.index(tags.len())], value.as_slice()].concat();
        let headers: Vec<(&str, &[u8])> = scheme.headers().map(|name| (name, value.as_slice())).collect();
        for method in ["POST", "GET"] {
            let delivery = Delivery { method, url: URL, query: &query, headers: &headers, body: &body };
            prop_assert!(verifier.verify(&delivery, NOW).is_err());
            let _ = scheme.locate(&delivery);
            let _ = verifier.challenge(&delivery);
        }
    }
}
