//! A scheme of one's own that is taken can be used: what its sender signs is accepted, and where it says that
//! the whole body is signed, no other body is.
//!
//! An input is a scheme in YAML; a body may stand behind a line `---`.

#![no_main]

use hookbox_core::verify::{Delivery, Integrity, Outgoing, Refusal, Scheme, Signed, Verified, describe, sign};
use hookbox_fuzz::{NOW, Pair, URL, altered, split_at};
use libfuzzer_sys::fuzz_target;

const BODY: &[u8] = br#"{"id":"evt_1","type":"t","data":{"a":[1,"b"]}}"#;

fuzz_target!(|input: &[u8]| {
    let (yaml, body) = split_at(input, b"\n---\n");
    let Ok(yaml) = str::from_utf8(yaml) else { return };
    let scheme = match Scheme::from_yaml(yaml) {
        Ok(scheme) => scheme,
        Err(mistakes) => {
            assert!(!mistakes.0.is_empty());
            assert!(mistakes.0.iter().all(|mistake| !mistake.to_string().contains(char::is_control)), "{mistakes}");
            return;
        }
    };
    let _ = describe(&scheme);
    let Some(pair) = Pair::new(&scheme) else { return };
    let body = if body.is_empty() { BODY } else { body };
    let out = Outgoing { method: "POST", url: URL, id: "msg_1", event_type: Some("t"), body };
    let Ok(signed) = sign(&scheme, &pair.signing, NOW, &out) else { return };
    if let Err(refusal) = verify(&pair, &signed, &signed.body) {
        // A delivery may have no room for all that a scheme puts into it, such as members in a form.
        let good = !["mismatch", "outside-tolerance"].contains(&refusal.code());
        assert!(good, "what was signed is refused: {refusal}");
    }
    let fields = describe(&scheme).methods.iter().any(|method| method.content.contains("{sorted_form}"));
    if scheme.integrity() == Integrity::Full && !fields {
        for other in altered(&signed.body) {
            assert!(verify(&pair, &signed, &other).is_err(), "another body is accepted");
        }
    }
});

fn verify(pair: &Pair, signed: &Signed, body: &[u8]) -> Result<Verified, Refusal> {
    let headers: Vec<(&str, &[u8])> =
        signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let query = signed.url.split_once('?').map_or("", |(_, query)| query);
    let delivery = Delivery { method: "POST", url: &signed.url, query, headers: &headers, body };
    let _ = pair.scheme.locate(&delivery);
    pair.verifier.verify(&delivery, NOW)
}
