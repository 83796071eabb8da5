//! What a verifier lets in and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::{Signer, SigningKey};
use hookbox_core::name::ProviderName;
use hookbox_core::secret::Secret;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_core::verify::{
    Delivery, HEADER_BYTES_MAX, ID_WINDOW, Integrity, Outgoing, Refusal, SIGNATURES_MAX, Scheme, UnusableSecret,
    Verified, Verifier, dedupe, schemes, sign,
};
use proptest::prelude::*;
use proptest::sample::Index;

const NOW: Timestamp = Timestamp(1_750_861_210_000);

type Headers = Vec<(String, String)>;

fn scheme(name: &str) -> &'static Scheme {
    Scheme::named(name).unwrap()
}

/// Each of another grammar; what holds for all presets is in another file.
fn basics() -> [&'static Scheme; 4] {
    ["generic", "github-256", "stripe", "standard-webhooks"].map(scheme)
}

/// A secret that the scheme can use, made of these bytes.
fn secret(scheme: &Scheme, bytes: &[u8]) -> Secret {
    match scheme.name() {
        "standard-webhooks" => Secret::new(format!("whsec_{}", BASE64_STANDARD.encode(bytes))).unwrap(),
        _ => Secret::new([b"s", bytes].concat()).unwrap(),
    }
}

fn verify(verifier: &Verifier, headers: &Headers, body: &[u8], now: Timestamp) -> Result<Verified, Refusal> {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    verifier.verify(&post(&headers, body), now)
}

fn post<'a>(headers: &'a [(&'a str, &'a [u8])], body: &'a [u8]) -> Delivery<'a> {
    Delivery { method: "POST", url: "", query: "", headers, body }
}

fn code(verdict: Result<Verified, Refusal>) -> Result<usize, &'static str> {
    verdict.map(|verified| verified.secret).map_err(|refusal| refusal.code())
}

fn standard_webhooks(secrets: &[&str]) -> Result<Verifier, UnusableSecret> {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret).unwrap()).collect();
    Verifier::new(scheme("standard-webhooks"), &secrets, None)
}

fn whsec(length: usize) -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(vec![7; length]))
}

// Schemes and secrets.

#[test]
fn presets_are_found_by_name_and_alias() {
    assert!(schemes().iter().all(|each| Scheme::named(each.name()) == Some(each)));
    assert_eq!(scheme("github"), scheme("github-256"));
    for unknown in ["", "GitHub", "github-1", "custom"] {
        assert_eq!(Scheme::named(unknown), None);
    }
}

#[test]
fn a_scheme_says_what_it_signs() {
    let facts = basics().map(|each| (each.integrity(), each.id_is_signed(), each.tolerance().is_some()));
    let expected = [(true, false), (false, false), (true, true), (true, true)];
    assert_eq!(facts, expected.map(|(id, time)| (Integrity::Full, id, time)));
}

#[test]
fn a_verifier_without_secrets_cannot_be_made() {
    assert!(matches!(Verifier::new(scheme("generic"), &[], None), Err(UnusableSecret::None { .. })));
}

#[test]
fn standard_webhooks_keys_have_24_to_64_bytes_and_their_prefix() {
    for length in [24, 64] {
        assert!(standard_webhooks(&[&whsec(length)]).is_ok());
    }
    let bare = BASE64_STANDARD.encode([7; 32]);
    let private = format!("whsk_{}", BASE64_STANDARD.encode([7; 64]));
    let weak = format!("whpk_{}", BASE64_STANDARD.encode([0; 32]));
    for bad in [whsec(23), whsec(65), "whsec_!".to_owned(), bare, private, weak, "whpk_AAAA".to_owned()] {
        let error = standard_webhooks(&[&whsec(32), &bad]).unwrap_err();
        assert!(matches!(error, UnusableSecret::Malformed { position: 1, .. }), "{bad}");
        assert!(!error.to_string().contains(&bad), "{error}");
    }
}

#[test]
fn nothing_printed_quotes_a_secret() {
    let verifier = standard_webhooks(&[&whsec(32)]).unwrap();
    assert_eq!(
        format!("{verifier:?}"),
        r#"Verifier { scheme: "standard-webhooks", secrets: 1, tolerance: Some(Millis(300000)) }"#
    );
    let error = standard_webhooks(&["whsec_AAAA"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "secret 1 of scheme standard-webhooks must decode to 24 to 64 bytes behind whsec_, got 3"
    );
}

#[test]
fn a_public_key_verifies_but_does_not_sign() {
    let signing = SigningKey::from_bytes(&[9; 32]);
    let public = format!("whpk_{}", BASE64_STANDARD.encode(signing.verifying_key().as_bytes()));
    let verifier = standard_webhooks(&[&public]).unwrap();
    let signature = |body: &str| BASE64_STANDARD.encode(signing.sign(body.as_bytes()).to_bytes());
    let headers = |signature: String| {
        let pairs =
            [("webhook-id", "m"), ("webhook-timestamp", "1750861210"), ("webhook-signature", signature.as_str())];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    };
    let good = headers(format!("v1a,{}", signature("m.1750861210.{}")));
    assert_eq!(code(verify(&verifier, &good, b"{}", NOW)), Ok(0));
    let bad = headers(format!("v1a,{}", signature("m.1750861211.{}")));
    assert_eq!(code(verify(&verifier, &bad, b"{}", NOW)), Err("mismatch"));
    let short = headers(format!("v1a,{}", &signature("m.1750861210.{}")[..84]));
    assert_eq!(code(verify(&verifier, &short, b"{}", NOW)), Err("mismatch"));
    let public = Secret::new(public).unwrap();
    assert!(sign(scheme("standard-webhooks"), &public, NOW, &Outgoing::post("m", b"{}")).is_err());
}

// Refusals.

#[test]
fn the_window_is_open_at_both_ends_and_closed_beyond() {
    for name in ["stripe", "standard-webhooks"] {
        let key = secret(scheme(name), &[7; 32]);
        let headers = sign(scheme(name), &key, NOW, &Outgoing::post("m", b"{}")).unwrap().headers;
        for (tolerance, span) in [(None, Millis(300_000)), (Some(Millis(10_000)), Millis(10_000))] {
            let verifier = Verifier::new(scheme(name), std::slice::from_ref(&key), tolerance).unwrap();
            let at = |now| code(verify(&verifier, &headers, b"{}", now));
            assert_eq!([at(NOW.plus(span)), at(NOW.minus(span))], [Ok(0), Ok(0)], "{name}");
            let beyond = Millis(span.0 + 1);
            assert_eq!([at(NOW.plus(beyond)), at(NOW.minus(beyond))], [Err("outside-tolerance"); 2], "{name}");
        }
    }
}

#[test]
fn a_stranger_does_not_learn_that_the_clock_differs() {
    let scheme = scheme("stripe");
    let headers = sign(scheme, &Secret::new("a").unwrap(), NOW, &Outgoing::post("", b"{}")).unwrap().headers;
    let verifier = Verifier::new(scheme, &[Secret::new("b").unwrap()], None).unwrap();
    assert_eq!(code(verify(&verifier, &headers, b"{}", Timestamp(0))), Err("mismatch"));
}

#[test]
fn a_refusal_says_what_to_look_at() {
    let key = Secret::new("a").unwrap();
    let headers = sign(scheme("stripe"), &key, NOW, &Outgoing::post("", b"{}")).unwrap().headers;
    let verifier = Verifier::new(scheme("stripe"), &[key], None).unwrap();
    let words = |headers: &Headers, now| verify(&verifier, headers, b"{}", now).unwrap_err().to_string();
    assert_eq!(words(&Vec::new(), NOW), "header Stripe-Signature is missing");
    assert_eq!(
        words(&headers, NOW.plus(Millis(300_001))),
        "Stripe-Signature is of 2025-06-25T14:20:10.000Z, more than 5m before 2025-06-25T14:25:10.001Z, the time here"
    );
    assert!(words(&headers, NOW.minus(Millis(300_001))).contains("more than 5m after"));
}

#[test]
fn any_header_that_a_scheme_reads_must_not_be_repeated() {
    for scheme in basics() {
        let key = secret(scheme, &[7; 32]);
        let verifier = Verifier::new(scheme, std::slice::from_ref(&key), None).unwrap();
        let mut headers = sign(scheme, &key, NOW, &Outgoing::post("m", b"{}")).unwrap().headers;
        headers.extend(scheme.type_header().map(|name| (name.to_owned(), "t".to_owned())));
        headers.extend([("x-other".to_owned(), "1".to_owned()), ("x-other".to_owned(), "2".to_owned())]);
        assert_eq!(code(verify(&verifier, &headers, b"{}", NOW)), Ok(0));
        for (name, value) in headers.iter().filter(|(name, _)| name != "x-other") {
            let repeated = [headers.as_slice(), &[(name.to_lowercase(), value.clone())]].concat();
            assert_eq!(code(verify(&verifier, &repeated, b"{}", NOW)), Err("duplicate-header"), "{name}");
        }
    }
}

#[test]
fn as_many_signatures_as_allowed_are_tried_and_no_more() {
    let scheme = scheme("standard-webhooks");
    let key = secret(scheme, &[7; 32]);
    let verifier = Verifier::new(scheme, std::slice::from_ref(&key), None).unwrap();
    let with = |others: usize| {
        let mut headers = sign(scheme, &key, NOW, &Outgoing::post("m", b"{}")).unwrap().headers;
        let signature = &mut headers.last_mut().unwrap().1;
        *signature = format!("{}{signature}", "v1,AAAA ".repeat(others));
        code(verify(&verifier, &headers, b"{}", NOW))
    };
    assert_eq!(with(SIGNATURES_MAX - 1), Ok(0));
    assert_eq!(with(SIGNATURES_MAX), Err("malformed-header"));
}

#[test]
fn a_header_of_the_longest_kind_is_read_and_a_longer_one_is_not() {
    let key = Secret::new("a").unwrap();
    let mut headers = sign(scheme("github"), &key, NOW, &Outgoing::post("m", b"{}")).unwrap().headers;
    let verifier = Verifier::new(scheme("github"), &[key], None).unwrap();
    headers[0].1 = "m".repeat(HEADER_BYTES_MAX);
    assert_eq!(code(verify(&verifier, &headers, b"{}", NOW)), Ok(0));
    headers[0].1.push('m');
    assert_eq!(code(verify(&verifier, &headers, b"{}", NOW)), Err("malformed-header"));
}

#[test]
fn signed_bytes_cannot_be_split_into_another_id_time_and_body() {
    let scheme = scheme("standard-webhooks");
    let key = secret(scheme, &[7; 32]);
    let verifier = Verifier::new(scheme, std::slice::from_ref(&key), None).unwrap();
    let body = b"1750861211.{}";
    let mut headers = sign(scheme, &key, NOW, &Outgoing::post("m", body)).unwrap().headers;
    assert_eq!(code(verify(&verifier, &headers, body, NOW)), Ok(0));
    headers[0].1 = "m.1750861210".to_owned();
    headers[1].1 = "1750861211".to_owned();
    assert_eq!(code(verify(&verifier, &headers, b"{}", NOW)), Err("malformed-header"));
}

#[test]
fn the_secret_that_fits_is_named_by_its_place() {
    for scheme in basics() {
        let keys = || [1, 2, 3].map(|byte| secret(scheme, &[byte; 32]));
        let verifier = Verifier::new(scheme, &keys(), None).unwrap();
        for (place, key) in keys().iter().enumerate() {
            let headers = sign(scheme, key, NOW, &Outgoing::post("m", b"{}")).unwrap().headers;
            assert_eq!(code(verify(&verifier, &headers, b"{}", NOW)), Ok(place));
        }
        let headers = sign(scheme, &secret(scheme, &[4; 32]), NOW, &Outgoing::post("m", b"{}")).unwrap().headers;
        assert_eq!(code(verify(&verifier, &headers, b"{}", NOW)), Err("mismatch"));
    }
}

// Properties.

/// The signature in the last header, decoded, changed and written back.
fn with_signature(scheme: &Scheme, headers: &Headers, change: impl Fn(&mut Vec<u8>)) -> Headers {
    let mut headers = headers.clone();
    let value = &mut headers.last_mut().unwrap().1;
    let hexadecimal = scheme.name() != "standard-webhooks";
    let at = value.rfind(if hexadecimal { "=" } else { "," }).unwrap() + 1;
    let text = value.split_off(at);
    let mut bytes = if hexadecimal { hex::decode(text).unwrap() } else { BASE64_STANDARD.decode(text).unwrap() };
    change(&mut bytes);
    value.push_str(&if hexadecimal { hex::encode(bytes) } else { BASE64_STANDARD.encode(bytes) });
    headers
}

fn flip(bytes: &mut [u8], bit: &Index) {
    let bit = bit.index(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_no_bit_of_it_may_change(
        which in 0..4usize,
        key in proptest::collection::vec(any::<u8>(), 24..=64),
        body in proptest::collection::vec(any::<u8>(), 1..300),
        id in "[a-zA-Z0-9_-]{1,40}",
        now in 0..=4_000_000_000_000u64,
        bit in any::<Index>(),
    ) {
        let (scheme, now) = (basics()[which], Timestamp(now));
        let key = secret(scheme, &key);
        let headers = sign(scheme, &key, now, &Outgoing::post(&id, &body)).unwrap().headers;
        let verifier = Verifier::new(scheme, &[key], None).unwrap();
        let verified = verify(&verifier, &headers, &body, now).unwrap();
        let signed_at = scheme.tolerance().map(|_| Timestamp(now.seconds() * 1000));
        prop_assert_eq!(verified, Verified { secret: 0, integrity: Integrity::Full, signed_at, challenge: None });

        let mut other = body.clone();
        flip(&mut other, &bit);
        prop_assert_eq!(code(verify(&verifier, &headers, &other, now)), Err("mismatch"));
        let forged = with_signature(scheme, &headers, |signature| flip(signature, &bit));
        prop_assert_eq!(code(verify(&verifier, &forged, &body, now)), Err("mismatch"));
        let cut = with_signature(scheme, &headers, |signature| signature.truncate(bit.index(32)));
        prop_assert_eq!(code(verify(&verifier, &cut, &body, now)), Err("mismatch"));
    }

    #[test]
    fn no_bit_of_an_ed25519_signature_or_of_what_it_signs_may_change(
        body in proptest::collection::vec(any::<u8>(), 1..100),
        bit in any::<Index>(),
    ) {
        let signing = SigningKey::from_bytes(&[9; 32]);
        let public = format!("whpk_{}", BASE64_STANDARD.encode(signing.verifying_key().as_bytes()));
        let verifier = standard_webhooks(&[&public]).unwrap();
        let signature = signing.sign(&[b"m.1750861210.", body.as_slice()].concat()).to_bytes();
        let check = |signature: &[u8], body: &[u8]| {
            let signature = format!("v1a,{}", BASE64_STANDARD.encode(signature));
            let pairs = [("webhook-id", "m"), ("webhook-timestamp", "1750861210"), ("webhook-signature", &signature)];
            let headers = pairs.map(|(name, value)| (name, value.as_bytes()));
            code(verifier.verify(&post(&headers, body), NOW))
        };
        prop_assert_eq!(check(&signature, &body), Ok(0));
        let (mut forged, mut other) = (signature, body.clone());
        flip(&mut forged, &bit);
        flip(&mut other, &bit);
        prop_assert_eq!(check(&forged, &body), Err("mismatch"));
        prop_assert_eq!(check(&signature, &other), Err("mismatch"));
    }

    #[test]
    fn no_delivery_makes_anything_panic(
        values in proptest::collection::vec(any::<Vec<u8>>(), 8),
        body in any::<Vec<u8>>(),
        text in ".{0,60}",
    ) {
        let names = [
            "x-webhook-signature", "x-event-type", "x-hub-signature-256", "x-github-event",
            "x-github-delivery", "stripe-signature", "webhook-signature", "webhook-id",
        ];
        let headers: Vec<(&str, &[u8])> = names.into_iter().zip(values.iter().map(Vec::as_slice)).collect();
        for scheme in basics() {
            let verifier = Verifier::new(scheme, &[secret(scheme, &[7; 32])], None).unwrap();
            for body in [body.clone(), text.clone().into(), [b"payload=", body.as_slice()].concat(), format!("{{{text}").into()] {
                let delivery = post(&headers, &body);
                prop_assert!(verifier.verify(&delivery, NOW).is_err());
                let _ = dedupe(&ProviderName::parse("p").unwrap(), scheme, &scheme.locate(&delivery), &body, ID_WINDOW);
            }
        }
    }
}
