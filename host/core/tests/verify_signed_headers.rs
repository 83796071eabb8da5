//! What holds for every preset of the headers beside the signature: those that are signed may not
//! change by a bit, and no others are.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use hookbox_core::time::Timestamp;
use hookbox_core::verify::{Delivery, Outgoing, Refusal, Scheme, Verified, Verifier, sample, schemes, sign};
use proptest::prelude::*;
use proptest::sample::Index;

const NOW: Timestamp = Timestamp(1_750_861_210_000);
const URL: &str = "https://hooks.example.com/hooks/p?a=1";

/// The headers beside the signature that the sender of a preset signs.
fn signed_headers(scheme: &Scheme) -> &'static [&'static str] {
    match scheme.name() {
        "standard-webhooks" | "openai" | "replicate" | "gitlab-signed" => &["webhook-id", "webhook-timestamp"],
        "svix" => &["svix-id", "svix-timestamp"],
        // The signature lists them.
        "hook0" => &["x-event-id", "x-event-type"],
        "slack" => &["X-Slack-Request-Timestamp"],
        "discord" | "discord-events" => &["X-Signature-Timestamp"],
        "zoom" => &["x-zm-request-timestamp"],
        "sendgrid-ecdsa" => &["X-Twilio-Email-Event-Webhook-Timestamp"],
        "twitch" => &["Twitch-Eventsub-Message-Id", "Twitch-Eventsub-Message-Timestamp"],
        "hubspot-v3" => &["X-HubSpot-Request-Timestamp"],
        "zendesk" => &["X-Zendesk-Webhook-Signature-Timestamp"],
        "webflow" => &["x-webflow-timestamp"],
        "scalr" => &["Date"],
        _ => &[],
    }
}

struct Sent {
    verifier: Verifier,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// A delivery of the sender's, and who checks it.
fn sent(scheme: &Scheme, id: &str) -> Sent {
    let keys = sample(scheme, &[7; 32]).unwrap_or_else(|| panic!("{}", scheme.name()));
    let body: &[u8] = match scheme.name() {
        "adyen-item" => br#"{"notificationItems":[{"NotificationRequestItem":{"pspReference":"1"}}]}"#,
        "dropbox-sign" => br#"{"event":{"event_time":"1750861210","event_type":"t"}}"#,
        "mailgun-form" | "twilio" => b"From=a&To=b",
        _ => br#"{"id":"evt_1","type":"t"}"#,
    };
    let out = Outgoing { method: "POST", url: URL, id, event_type: Some("t"), body };
    let signed = sign(scheme, &keys.signing, NOW, &out).unwrap_or_else(|error| panic!("{error}"));
    let headers = signed.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    let verifier = Verifier::new(scheme, &[keys.secret], None).unwrap();
    Sent { verifier, url: signed.url, headers, body: signed.body }
}

impl Sent {
    fn verify(&self) -> Result<Verified, Refusal> {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let delivery = Delivery { method: "POST", url: &self.url, query: "", headers: &headers, body: &self.body };
        self.verifier.verify(&delivery, NOW)
    }

    fn value(&mut self, name: &str) -> &mut Vec<u8> {
        let header = self.headers.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name));
        &mut header.unwrap_or_else(|| panic!("{name}")).1
    }

    fn refused(&self) -> bool {
        let causes = ["mismatch", "malformed-header", "outside-tolerance"];
        self.verify().is_err_and(|refusal| causes.contains(&refusal.code()))
    }
}

#[test]
fn a_header_is_signed_or_may_change() {
    let mut counted = 0;
    for scheme in schemes() {
        let signed = signed_headers(scheme);
        counted += signed.len();
        let headers = sent(scheme, "id1").headers;
        let beside = headers.iter().map(|(name, _)| name.as_str()).filter(|name| !scheme.is_secret_header(name));
        // The content type says what is a form, and what is a CloudEvent.
        let beside: Vec<&str> = beside.filter(|name| !name.eq_ignore_ascii_case("content-type")).collect();
        for name in signed {
            assert!(beside.iter().any(|other| other.eq_ignore_ascii_case(name)), "{} {name}", scheme.name());
        }
        for name in beside {
            let is_signed = signed.iter().any(|other| other.eq_ignore_ascii_case(name));
            let mut changed = sent(scheme, "id1");
            assert!(changed.verify().is_ok(), "{}", scheme.name());
            changed.value(name).push(b'1');
            assert_eq!(changed.refused(), is_signed, "{} {name} {:?}", scheme.name(), changed.verify());
        }
    }
    assert!(counted >= 22, "{counted}");
}

#[test]
fn a_signed_header_may_not_be_left_out_or_empty() {
    for scheme in schemes() {
        for name in signed_headers(scheme) {
            let mut without = sent(scheme, "id1");
            without.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            assert_eq!(without.verify().unwrap_err().code(), "missing-header", "{} {name}", scheme.name());
            let mut empty = sent(scheme, "id1");
            empty.value(name).clear();
            assert!(empty.refused(), "{} {name}", scheme.name());
        }
    }
}

#[test]
fn white_space_around_a_signed_header_is_none_of_it() {
    for scheme in schemes() {
        for name in signed_headers(scheme) {
            let mut spaced = sent(scheme, "id1");
            let value = [b" \t", spaced.value(name).as_slice(), b" "].concat();
            *spaced.value(name) = value;
            assert!(spaced.verify().is_ok(), "{} {name}", scheme.name());
        }
    }
}

/// Where the id could end elsewhere, a time that is signed behind it does not take part of it.
#[test]
fn a_character_may_not_go_from_one_signed_header_to_the_next() {
    for scheme in schemes() {
        let [first, second] = signed_headers(scheme) else { continue };
        let (mut forward, mut back) = (sent(scheme, "id1"), sent(scheme, "id1"));
        let last = forward.value(first).pop().unwrap();
        forward.value(second).insert(0, last);
        assert!(forward.refused(), "{}", scheme.name());
        let begin = back.value(second).remove(0);
        back.value(first).push(begin);
        assert!(back.refused(), "{}", scheme.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bit_of_a_signed_header_may_change(which in any::<Index>(), id in "[a-zA-Z0-9_-]{1,40}", bit in any::<Index>()) {
        let signed = |scheme: &'static Scheme| signed_headers(scheme).iter().map(move |name| (scheme, *name));
        let pairs: Vec<(&Scheme, &str)> = schemes().iter().flat_map(signed).collect();
        let (scheme, name) = pairs[which.index(pairs.len())];
        let mut sent = sent(scheme, &id);
        prop_assert!(sent.verify().is_ok(), "{}", scheme.name());
        let value = sent.value(name);
        let right = value.clone();
        let position = bit.index(value.len() * 8);
        value[position / 8] ^= 1 << (position % 8);
        prop_assert_ne!(value.trim_ascii(), right.trim_ascii());
        prop_assert!(sent.refused(), "{} {name} {position}: {:?}", scheme.name(), sent.verify());
    }
}
