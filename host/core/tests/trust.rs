//! Whose components may run. The keys and signatures under `fixtures/trust` are by the minisign tool itself, version 0.11.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use hookbox_core::config::Config;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_core::trust::{Grounds, PublicKey, Rule, SIGNATURE_BYTES_MAX, Trust, Untrusted};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

const SIGNED: &[u8] = include_bytes!("fixtures/trust/signed.txt");
const BY_ONE: &str = include_str!("fixtures/trust/one.minisig");
const BY_TWO: &str = include_str!("fixtures/trust/two.minisig");
const LEGACY: &str = include_str!("fixtures/trust/legacy.minisig");
const ONE: &str = include_str!("fixtures/trust/one.pub");
const TWO: &str = include_str!("fixtures/trust/two.pub");

fn name() -> PluginName {
    PluginName::parse("a").unwrap()
}

fn key(text: &str) -> PublicKey {
    PublicKey::parse(text).unwrap()
}

/// A signature by one of these keys.
fn signed_by(keys: &[&str]) -> Rule {
    Rule { pinned: Vec::new(), keys: keys.iter().map(|text| key(text)).collect(), require_signed: true }
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

fn judge(rule: &Rule, bytes: &[u8], signature: Option<&str>) -> Result<Grounds, Untrusted> {
    rule.judge(&name(), bytes, signature.map(str::as_bytes))
}

#[track_caller]
fn refused(rule: &Rule, bytes: &[u8], signature: Option<&str>) -> &'static str {
    judge(rule, bytes, signature).unwrap_err().code()
}

/// With one line in the place of another.
fn with_line(text: &str, number: usize, line: &str) -> String {
    let lines = text.lines().enumerate().map(|(n, old)| if n == number { line } else { old });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_a_key_of_ours_has_signed_is_trusted() {
    for keys in [&[ONE][..], &[TWO, ONE]] {
        let grounds = judge(&signed_by(keys), SIGNED, Some(BY_ONE)).unwrap();
        assert_eq!(grounds.to_string(), "signed by the key 7B7BC10F1BFAED29 (release 1.2.0)");
    }
    // A tabulator stands between the parts of minisign's own comment.
    let comment = judge(&signed_by(&[TWO]), SIGNED, Some(BY_TWO)).unwrap().signed.unwrap().comment;
    assert!(comment.ends_with(" file:signed.txt hashed"), "{comment:?}");
}

#[test]
fn what_is_not_signed_is_not_trusted() {
    let told = judge(&signed_by(&[ONE]), SIGNED, None).unwrap_err();
    assert_eq!(told.code(), "untrusted-unsigned");
    assert!(told.to_string().contains("hookbox sign-plugin a.wasm --key"), "{told}");
}

#[test]
fn what_another_key_has_signed_is_not_trusted() {
    let told = judge(&signed_by(&[ONE]), SIGNED, Some(BY_TWO)).unwrap_err();
    assert_eq!(told.code(), "untrusted-unknown-key");
    for id in ["8EF063329B58C1DD", "7B7BC10F1BFAED29", "trust.keys"] {
        assert!(told.to_string().contains(id), "{told}");
    }
}

#[test]
fn what_says_that_it_is_by_our_key_and_is_not_is_not_trusted() {
    // The id of a key is no secret: here the one of the first stands before the signature by the second.
    let (one, two) = (BY_ONE.lines().nth(1).unwrap(), BY_TWO.lines().nth(1).unwrap());
    // Ten bytes are the algorithm and the id; base64 has them in its first 14 characters, less four bits.
    let forged = format!("{}{}", &one[..12], &two[12..]);
    let by_two = with_line(BY_TWO, 1, &forged);
    let code = refused(&signed_by(&[ONE]), SIGNED, Some(&by_two));
    assert!(matches!(code, "untrusted-wrong-signature" | "untrusted-unknown-key"), "{code}");
}

#[test]
fn a_changed_file_is_not_trusted() {
    for changed in [&SIGNED[1..], b"", &[SIGNED, b"\n"].concat()] {
        assert_eq!(refused(&signed_by(&[ONE]), changed, Some(BY_ONE)), "untrusted-wrong-signature");
    }
}

#[test]
fn a_changed_comment_is_not_trusted() {
    let changed = with_line(BY_ONE, 2, "trusted comment: release 1.2.1");
    assert_eq!(refused(&signed_by(&[ONE]), SIGNED, Some(&changed)), "untrusted-wrong-signature");
    // What is called untrusted is not signed.
    judge(&signed_by(&[ONE]), SIGNED, Some(&with_line(BY_ONE, 0, "untrusted comment: anything"))).unwrap();
}

#[test]
fn the_old_form_of_signatures_is_told_with_its_cure() {
    let told = judge(&signed_by(&[ONE]), SIGNED, Some(LEGACY)).unwrap_err();
    assert_eq!(told.code(), "untrusted-old-signature");
    assert!(told.to_string().contains("without -l"), "{told}");
}

#[test]
fn what_is_no_signature_is_told_as_such() {
    let long = "a".repeat(usize::try_from(SIGNATURE_BYTES_MAX).unwrap() + 1);
    for text in ["", "hello\n", &BY_ONE[..60], &BY_ONE.replace("trusted comment: r", "trusted comment r"), &long, ONE] {
        assert_eq!(refused(&signed_by(&[ONE]), SIGNED, Some(text)), "untrusted-not-a-signature", "{text:?}");
    }
    let rule = signed_by(&[ONE]);
    assert_eq!(rule.judge(&name(), SIGNED, Some(&[0xff; 200])).unwrap_err().code(), "untrusted-not-a-signature");
}

#[test]
fn a_signature_that_nobody_asks_for_must_be_good_where_there_are_keys() {
    let rule = Rule { require_signed: false, ..signed_by(&[ONE]) };
    assert_eq!(judge(&rule, SIGNED, None).unwrap().to_string(), "unsigned, which hooks.yaml allows");
    assert_eq!(refused(&rule, SIGNED, Some(BY_TWO)), "untrusted-unknown-key");
    // Without keys nobody could say whether it is.
    judge(&Rule::default(), SIGNED, Some("anything")).unwrap();
}

#[test]
fn a_pinned_plugin_is_one_of_the_files_that_it_is_pinned_to() {
    let rule = Rule { pinned: vec![digest(b"old"), digest(SIGNED)], ..Rule::default() };
    assert_eq!(judge(&rule, SIGNED, None).unwrap().to_string(), "pinned");
    judge(&rule, b"old", Some("anything")).unwrap();
    let told = judge(&rule, b"new", None).unwrap_err();
    assert_eq!(told.code(), "untrusted-not-pinned");
    assert!(told.to_string().contains(&digest(b"new").to_string()), "what to pin: {told}");
}

#[test]
fn a_pin_is_no_signature_and_a_signature_is_no_pin() {
    let rule = Rule { pinned: vec![digest(SIGNED)], ..signed_by(&[ONE]) };
    assert_eq!(refused(&rule, SIGNED, None), "untrusted-unsigned");
    let grounds = judge(&rule, SIGNED, Some(BY_ONE)).unwrap();
    assert!(grounds.to_string().starts_with("pinned, and signed by the key"), "{grounds}");
    let other = Rule { pinned: vec![digest(b"another")], ..rule };
    assert_eq!(refused(&other, SIGNED, Some(BY_ONE)), "untrusted-not-pinned");
}

#[test]
fn a_key_is_read_from_its_line_or_from_its_file() {
    let line = ONE.lines().nth(1).unwrap();
    assert_eq!(key(line), key(ONE));
    assert_eq!(key(line).id().to_string(), "7B7BC10F1BFAED29");
    for text in ["", "RW", &line[..54], &format!("{ONE}{line}"), BY_ONE.lines().nth(1).unwrap(), "untrusted comment: x"]
    {
        assert!(PublicKey::parse(text).unwrap_err().contains("public key of minisign's"), "{text:?}");
    }
}

#[test]
fn a_secret_key_in_place_of_a_public_one_is_told_and_not_quoted() {
    let secret = "RWQAAEIy".to_owned() + &"A".repeat(203) + "=";
    let told = PublicKey::parse(&secret).unwrap_err();
    assert!(told.contains("is a secret key") && !told.contains("RWQAA"), "{told}");
    let told = Config::parse(&format!("trust: {{ keys: [ {secret} ] }}")).unwrap_err().to_string();
    assert!(told.contains("trust.keys[0]: is a secret key") && !told.contains("RWQAA"), "{told}");
}

#[test]
fn a_key_that_anybody_could_sign_with_is_none() {
    // The point of order one: any message has a signature by it.
    let mut bytes = b"Ed12345678".to_vec();
    bytes.extend([1]);
    bytes.extend([0; 31]);
    let text = base64(&bytes);
    assert!(PublicKey::parse(&text).unwrap_err().contains("anybody could sign"), "{text}");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

// hooks.yaml.

fn trust(text: &str) -> Trust {
    Config::parse(text).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}")).trust()
}

fn wrong(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

#[test]
fn without_a_word_of_it_any_file_is_taken() {
    for text in ["", "trust: {}", "trust:\nplugins: { a: {} }", "plugins: { a: { trust: {} } }"] {
        assert!(trust(text).of(&name()).asks_nothing(), "{text}");
    }
    assert!(!trust(&format!("trust: {{ keys: [ {} ] }}", line(ONE))).of(&name()).asks_nothing());
}

fn line(key: &str) -> &str {
    key.lines().nth(1).unwrap()
}

#[test]
fn keys_ask_for_a_signature_unless_it_is_said_that_they_do_not() {
    let (one, two) = (line(ONE), line(TWO));
    let rule = |text: &str| trust(text).of(&name()).clone();
    assert_eq!(rule(&format!("trust: {{ keys: [ {one} ] }}")), signed_by(&[ONE]));
    assert_eq!(rule(&format!("trust: {{ keys: [ {one}, {two} ], require_signed: true }}")), signed_by(&[ONE, TWO]));
    let optional = Rule { require_signed: false, ..signed_by(&[ONE]) };
    assert_eq!(rule(&format!("trust: {{ keys: [ {one} ], require_signed: false }}")), optional);
}

#[test]
fn a_plugin_may_have_keys_and_a_rule_of_its_own() {
    let (one, two) = (line(ONE), line(TWO));
    let with = |of_all: &str, own: &str| {
        let text = format!("trust: {{ keys: [ {one} ] {of_all} }}\nplugins: {{ a: {{ trust: {{ {own} }} }} }}");
        let trust = trust(&text);
        assert_eq!(trust.of(&PluginName::parse("b").unwrap()).keys, [key(ONE)], "the others have the usual rule");
        trust.of(&name()).clone()
    };
    assert_eq!(with("", &format!("keys: [ {two} ]")), signed_by(&[TWO]));
    assert_eq!(with("", "require_signed: false"), Rule { require_signed: false, ..signed_by(&[ONE]) });
    assert_eq!(with(", require_signed: false", "require_signed: true"), signed_by(&[ONE]));
    assert_eq!(with(", require_signed: false", &format!("keys: [ {two} ]")), signed_by(&[TWO]), "its keys ask anew");
    assert_eq!(with(", require_signed: false", ""), Rule { require_signed: false, ..signed_by(&[ONE]) });
}

#[test]
fn a_pin_is_one_digest_or_a_few() {
    let (old, new) = (digest(b"old"), digest(b"new"));
    let pins = |text: &str| trust(&format!("plugins: {{ a: {{ pinned: {text} }} }}")).of(&name()).pinned.clone();
    assert_eq!(pins(&old.to_string()), [old]);
    assert_eq!(pins(&format!("[ {old}, {new} ]")), [old, new]);
    for text in ["abc", "sha256:abc", "[]", &format!("[ {old}, x ]")] {
        let told = wrong(&format!("plugins: {{ a: {{ pinned: {text} }} }}"));
        assert!(told.contains("plugins.a.pinned") && told.lines().count() == 1, "{told}");
    }
}

#[test]
fn a_signature_cannot_be_asked_for_without_a_key() {
    for (text, place) in [
        ("trust: { require_signed: true }", "trust.require_signed: needs a key"),
        ("plugins: { a: { trust: { require_signed: true } } }", "plugins.a.trust.require_signed: needs a key"),
        ("trust: { keys: [] }", "trust.keys: must have 1..=32 items"),
        ("trust: { keys: [ RWQ ] }", "trust.keys[0]: must be a public key of minisign's"),
        ("trust: { require_signed: maybe }", "trust.require_signed: must be true or false"),
        ("trust: { key: x }", "trust.key: unknown key; did you mean \"keys\"?"),
    ] {
        let told = wrong(text);
        assert!(told.contains(place), "{text}: {told}");
    }
}

proptest! {
    #[test]
    fn no_other_bytes_are_trusted(at in 0..SIGNED.len(), bit in 0u8..8) {
        let mut bytes = SIGNED.to_vec();
        bytes[at] ^= 1 << bit;
        prop_assert!(judge(&signed_by(&[ONE]), &bytes, Some(BY_ONE)).is_err());
    }

    /// Whatever is done to a signature, it is told and nothing panics; it stays good only where the same is signed.
    #[test]
    fn no_other_signature_is_trusted(at in 0..BY_ONE.len(), byte in any::<u8>()) {
        let mut signature = BY_ONE.as_bytes().to_vec();
        signature[at] = byte;
        let judged = signed_by(&[ONE]).judge(&name(), SIGNED, Some(&signature));
        let first_line = BY_ONE.find('\n').unwrap();
        if at > first_line && at != BY_ONE.len() - 1 && byte != BY_ONE.as_bytes()[at] && !byte.is_ascii_whitespace() {
            prop_assert!(judged.is_err(), "{judged:?}");
        }
    }

    #[test]
    fn keys_of_any_text_are_judged(text in "\\PC{0,80}|[A-Za-z0-9+/=]{50,60}") {
        let _ = PublicKey::parse(&text);
    }
}
