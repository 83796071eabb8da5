//! What is answered to senders that ask whether the host is their customer's, to the byte.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::SigningKey;
use hmac::{Hmac, KeyInit, Mac};
use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{
    Delivery, Keyring, LastingSecret, Outgoing, Refusal, Reply, Scheme, Signed, Verifier, sign,
};
use sha2::Sha256;

const NOW: Timestamp = Timestamp(1_750_861_210_000);
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn scheme(name: &str) -> &'static Scheme {
    Scheme::named(name).unwrap()
}

fn verifier(name: &str, secrets: &[&str]) -> Verifier {
    let secrets: Vec<Secret> = secrets.iter().map(|text| secret(text)).collect();
    Verifier::new(scheme(name), &secrets, None).unwrap()
}

fn hmac_sha256(key: &str, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

type Answer = Result<(u16, String, String), &'static str>;

fn shown(reply: Reply) -> (u16, String, String) {
    (reply.status, reply.content_type, String::from_utf8(reply.body).unwrap())
}

fn answered(status: u16, content_type: &str, body: &str) -> Answer {
    Ok((status, content_type.to_owned(), body.to_owned()))
}

fn get(verifier: &Verifier, query: &str) -> Answer {
    let delivery = Delivery { method: "GET", url: "", query, headers: &[], body: b"" };
    verifier.challenge(&delivery).map(shown).map_err(|refusal| refusal.code())
}

fn signed(name: &str, key: &str, body: &str) -> Signed {
    let out = Outgoing { method: "POST", url: "", id: "id1", event_type: None, body: body.as_bytes() };
    sign(scheme(name), &secret(key), NOW, &out).unwrap()
}

/// The answer to a POST; none to an event.
fn post(verifier: &Verifier, sent: &Signed) -> Result<Option<Reply>, Refusal> {
    let headers: Vec<(&str, &[u8])> =
        sent.headers.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let delivery = Delivery { method: "POST", url: "", query: "", headers: &headers, body: &sent.body };
    verifier.verify(&delivery, NOW).map(|verified| verified.challenge)
}

fn posted(verifier: &Verifier, sent: &Signed) -> Answer {
    match post(verifier, sent) {
        Ok(Some(reply)) => Ok(shown(reply)),
        Ok(None) => Err("event"),
        Err(refusal) => Err(refusal.code()),
    }
}

/// The same without its signature.
fn unsigned(name: &str, sent: &Signed) -> Signed {
    let mut sent = sent.clone();
    sent.headers.retain(|(header, _)| !scheme(name).is_secret_header(header));
    sent
}

/// Texts that are not sent back to a stranger and not signed for one.
fn no_words() -> Vec<String> {
    let long = "a".repeat(129);
    ["", "{\"a\":1}", "<b>", "a b", "a.b", "a\nb", "a/b", "é", "\"", "\\", &long].map(str::to_owned).into()
}

// By GET.

#[test]
fn meta_is_answered_with_its_challenge_where_the_verify_token_is_right() {
    let meta = verifier("meta", &["s"]).with_verify_token(Some(secret("meat &y")));
    let ask = |query: &str| get(&meta, query);
    let right = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meat+%26y";
    assert_eq!(ask(right), answered(200, TEXT, "1158201444"));
    for wrong in ["meat", "meat+%26yy", "MEAT+%26Y", "", "meat+%26y&hub.verify_token=meat+%26y"] {
        let query = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={wrong}");
        assert_eq!(ask(&query), Err("wrong-verify-token"), "{wrong}");
    }
    assert_eq!(ask("hub.mode=subscribe&hub.challenge=1158201444"), Err("wrong-verify-token"));
}

#[test]
fn meta_is_not_answered_where_no_verify_token_is_set() {
    let meta = verifier("meta", &["s"]);
    for token in ["", "s", "undefined"] {
        let query = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
        assert_eq!(get(&meta, &query), Err("no-verify-token"));
    }
}

#[test]
fn meta_is_answered_in_the_mode_of_subscribing_alone() {
    let meta = verifier("meta", &["s"]).with_verify_token(Some(secret("t")));
    let modes =
        ["hub.mode=unsubscribe&", "hub.mode=&", "hub.mode=Subscribe&", "hub.mode=subscribe&hub.mode=subscribe&", ""];
    for mode in modes {
        let query = format!("{mode}hub.challenge=1158201444&hub.verify_token=t");
        assert_eq!(get(&meta, &query), Err("no-challenge"), "{query}");
    }
}

#[test]
fn only_a_plain_word_is_sent_back() {
    let meta = verifier("meta", &["s"]).with_verify_token(Some(secret("t")));
    let dropbox = verifier("dropbox", &["s"]);
    for word in ["a", "aZ09_=-", &"a".repeat(128)] {
        let echo = form_urlencoded::byte_serialize(word.as_bytes()).collect::<String>();
        let query = format!("hub.mode=subscribe&hub.verify_token=t&hub.challenge={echo}");
        assert_eq!(get(&meta, &query), answered(200, TEXT, word));
        assert_eq!(get(&dropbox, &format!("challenge={echo}")), answered(200, TEXT, word));
    }
    for word in no_words() {
        let echo = form_urlencoded::byte_serialize(word.as_bytes()).collect::<String>();
        let query = format!("hub.mode=subscribe&hub.verify_token=t&hub.challenge={echo}");
        assert_eq!(get(&meta, &query), Err("bad-challenge"), "{word:?}");
        assert_eq!(get(&dropbox, &format!("challenge={echo}")), Err("bad-challenge"), "{word:?}");
    }
    for query in ["", "challenge", "x=1", "challenge=a&challenge=a"] {
        assert_eq!(get(&dropbox, query), Err("bad-challenge"), "{query}");
    }
}

fn crc(key: &str, token: &str) -> Answer {
    let signature = BASE64_STANDARD.encode(hmac_sha256(key, token));
    answered(200, JSON, &format!(r#"{{"response_token":"sha256={signature}"}}"#))
}

#[test]
fn x_is_answered_under_the_first_secret_that_counts() {
    let token = "9b4507b3-9040-4669-9ca3-6b94edb50553";
    let query = format!("crc_token={token}&nonce=MTYx");
    assert_eq!(get(&verifier("twitter", &["first", "second"]), &query), crc("first", token));
    assert_eq!(get(&verifier("twitter", &["second", "first"]), &query), crc("second", token));

    let list = [
        LastingSecret { secret: secret("first"), not_after: Some(NOW) },
        LastingSecret { secret: secret("second"), not_after: None },
    ];
    let keyring = Keyring::new(list.into(), |secrets| Verifier::new(scheme("twitter"), secrets, None)).unwrap();
    let at = |now| {
        let delivery = Delivery { method: "GET", url: "", query: &query, headers: &[], body: b"" };
        keyring.challenge(&delivery, now).map(shown).map_err(|refusal| refusal.code())
    };
    assert_eq!(at(NOW), crc("first", token));
    assert_eq!(at(Timestamp(NOW.0 + 1)), crc("second", token));
}

#[test]
fn x_gets_nothing_signed_but_a_plain_word() {
    let x = verifier("twitter", &["s"]);
    for word in no_words() {
        let token = form_urlencoded::byte_serialize(word.as_bytes()).collect::<String>();
        assert_eq!(get(&x, &format!("crc_token={token}")), Err("bad-challenge"), "{word:?}");
    }
    for query in ["", "crc_token=a&crc_token=a"] {
        assert_eq!(get(&x, query), Err("bad-challenge"), "{query}");
    }
}

#[test]
fn senders_that_ask_by_post_or_not_at_all_are_not_answered_by_get() {
    for name in ["generic", "slack", "zoom", "twitch", "notion", "github"] {
        let query = "challenge=a&crc_token=a&hub.mode=subscribe&hub.challenge=a&hub.verify_token=t";
        let verifier = verifier(name, &["s"]).with_verify_token(Some(secret("t")));
        assert_eq!(get(&verifier, query), Err("no-challenge"), "{name}");
    }
}

// By POST.

fn zoom_asks(plain: &str) -> String {
    let event = serde_json::json!({
        "payload": { "plainToken": plain },
        "event_ts": 1_654_503_849_680_u64,
        "event": "endpoint.url_validation",
    });
    event.to_string()
}

#[test]
fn zoom_is_answered_with_its_token_and_the_token_signed() {
    let zoom = verifier("zoom", &["old", "new"]);
    for key in ["old", "new"] {
        for plain in ["qgg8vlvZRS6UYooatFL8Aw", "a", "aZ09_=-", &"a".repeat(128)] {
            let encrypted = hex::encode(hmac_sha256(key, plain));
            let body = format!(r#"{{"plainToken":"{plain}","encryptedToken":"{encrypted}"}}"#);
            assert_eq!(posted(&zoom, &signed("zoom", key, &zoom_asks(plain))), answered(200, JSON, &body));
        }
    }
    let event = signed("zoom", "old", r#"{"event":"meeting.started","payload":{"plainToken":"a"}}"#);
    assert_eq!(posted(&zoom, &event), Err("event"));
}

#[test]
fn zoom_gets_nothing_signed_but_a_plain_word() {
    let zoom = verifier("zoom", &["s"]);
    for word in no_words() {
        assert_eq!(posted(&zoom, &signed("zoom", "s", &zoom_asks(&word))), Err("bad-challenge"), "{word:?}");
    }
    for body in
        [r#"{"event":"endpoint.url_validation"}"#, r#"{"event":"endpoint.url_validation","payload":{"plainToken":{}}}"#]
    {
        assert_eq!(posted(&zoom, &signed("zoom", "s", body)), Err("bad-challenge"), "{body}");
    }
}

#[test]
fn twitch_is_answered_with_the_challenge_as_plain_text() {
    let twitch = verifier("twitch", &["0123456789"]);
    let body = r#"{"challenge":"pogchamp-kappa-360noscope-vohiyo","subscription":{"type":"channel.follow"}}"#;
    let of_kind = |kind: &str, body: &str| {
        let mut sent = signed("twitch", "0123456789", body);
        sent.headers.push(("Twitch-Eventsub-Message-Type".to_owned(), kind.to_owned()));
        posted(&twitch, &sent)
    };
    let challenge = "webhook_callback_verification";
    assert_eq!(of_kind(challenge, body), answered(200, TEXT, "pogchamp-kappa-360noscope-vohiyo"));
    for kind in ["notification", "revocation", ""] {
        assert_eq!(of_kind(kind, body), Err("event"), "{kind}");
    }
    assert_eq!(posted(&twitch, &signed("twitch", "0123456789", body)), Err("event"));
    assert_eq!(of_kind(challenge, "{}"), Err("bad-challenge"));
}

#[test]
fn slack_is_answered_with_the_challenge_as_plain_text() {
    let slack = verifier("slack", &["s"]);
    let asks = |challenge: &str| {
        let body = serde_json::json!({ "token": "t", "challenge": challenge, "type": "url_verification" });
        posted(&slack, &signed("slack", "s", &body.to_string()))
    };
    let word = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
    assert_eq!(asks(word), answered(200, TEXT, word));
    let long = "a".repeat(1024);
    assert_eq!(asks(&long), answered(200, TEXT, &long));
    for bad in [format!("{long}a"), "a\nb".to_owned(), "\u{0}".to_owned()] {
        assert_eq!(asks(&bad), Err("bad-challenge"), "{bad:?}");
    }
    let event = r#"{"type":"event_callback","challenge":"a","event":{"type":"url_verification"}}"#;
    assert_eq!(posted(&slack, &signed("slack", "s", event)), Err("event"));
}

/// Of the application, private and public.
fn discord_keys() -> (String, String) {
    let key = SigningKey::from_bytes(&[7; 32]);
    (hex::encode([7; 32]), hex::encode(key.verifying_key().as_bytes()))
}

#[test]
fn discord_is_answered_as_it_pings() {
    let (private, public) = discord_keys();
    let (interactions, events) = (verifier("discord", &[&public]), verifier("discord-events", &[&public]));
    let interaction = |body: &str| posted(&interactions, &signed("discord", &private, body));
    let event = |body: &str| posted(&events, &signed("discord-events", &private, body));
    assert_eq!(interaction(r#"{"id":"1","type":1,"version":1}"#), answered(200, JSON, r#"{"type":1}"#));
    assert_eq!(interaction(r#"{"id":"1","type":2,"data":{"type":1}}"#), Err("event"));
    assert_eq!(interaction(r#"{"id":"1","type":0}"#), Err("event"));
    assert_eq!(event(r#"{"version":1,"application_id":"1","type":0}"#), answered(204, "text/plain", ""));
    assert_eq!(event(r#"{"version":1,"type":1,"event":{"type":"APPLICATION_AUTHORIZED"}}"#), Err("event"));
}

#[test]
fn a_challenge_with_a_bad_signature_or_none_is_refused() {
    let (private, public) = discord_keys();
    let other = hex::encode([9; 32]);
    let slack = r#"{"type":"url_verification","challenge":"a"}"#;
    for (name, right, wrong, key, body) in [
        ("discord", private.as_str(), other.as_str(), public.as_str(), r#"{"type":1}"#),
        ("discord-events", &private, &other, &public, r#"{"type":0}"#),
        ("slack", "s", "t", "s", slack),
        ("zoom", "s", "t", "s", &zoom_asks("a")),
        ("twitch", "s", "t", "s", r#"{"challenge":"a"}"#),
    ] {
        let verifier = verifier(name, &[key]);
        let asking = |key: &str| {
            let mut sent = signed(name, key, body);
            if name == "twitch" {
                let kind = ("Twitch-Eventsub-Message-Type", "webhook_callback_verification");
                sent.headers.push((kind.0.to_owned(), kind.1.to_owned()));
            }
            sent
        };
        assert!(posted(&verifier, &asking(right)).is_ok(), "{name}");
        assert_eq!(posted(&verifier, &asking(wrong)), Err("mismatch"), "{name}");
        assert_eq!(posted(&verifier, &unsigned(name, &asking(right))), Err("missing-header"), "{name}");
        let changed = Signed { body: [body.as_bytes(), b" "].concat(), ..asking(right) };
        assert_eq!(posted(&verifier, &changed), Err("mismatch"), "{name}");
    }
}
