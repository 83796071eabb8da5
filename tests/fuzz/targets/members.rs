//! Where a sender signs some members of its JSON only, an accepted body is JSON from end to end, and whoever
//! reads it finds members that were signed.
//!
//! An input is a preset's name, lines `AT LENGTH TEXT` of edits to the signed body, an empty line and a body.

#![no_main]

use hookbox_core::verify::{Delivery, Outgoing, sign};
use hookbox_fuzz::{NOW, Pair, URL, line, pick, split_at};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// A preset, where in the body a signed part may stand, and what of it is signed.
type Signed = (&'static str, Option<&'static str>, &'static str, &'static [&'static str]);

const PRESETS: [Signed; 3] = [
    (
        "adyen-item",
        Some("/notificationItems"),
        "/NotificationRequestItem",
        &[
            "/pspReference",
            "/originalReference",
            "/merchantAccountCode",
            "/merchantReference",
            "/amount/value",
            "/amount/currency",
            "/eventCode",
            "/success",
        ],
    ),
    ("dropbox-sign", None, "/event", &["/event_time", "/event_type"]),
    ("mailgun", None, "/signature", &["/timestamp", "/token"]),
];

fuzz_target!(|input: &[u8]| {
    let (name, rest) = line(input);
    let (edits, body) = if rest.starts_with(b"\n") { (&b""[..], &rest[1..]) } else { split_at(rest, b"\n\n") };
    let preset = pick(&PRESETS, name, |(known, ..), name| known.as_bytes() == name);
    let pair = Pair::of_preset(preset.0.as_bytes());
    let out = Outgoing { method: "POST", url: URL, id: "msg_1", event_type: None, body };
    let Ok(sent) = sign(&pair.scheme, &pair.signing, NOW, &out) else { return };
    let headers: Vec<(&str, &[u8])> =
        sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let accepts = |body: &[u8]| {
        let delivery = Delivery { method: "POST", url: &sent.url, query: "", headers: &headers, body };
        pair.verifier.verify(&delivery, NOW).is_ok()
    };
    if !accepts(&sent.body) {
        return;
    }
    let right = members(preset, &sent.body);
    let mut body = json(preset, &sent.body);
    edits.split(|byte| *byte == b'\n').for_each(|line| edit(&mut body, line));
    let body = if preset.0 == "dropbox-sign" { form(&body) } else { body };
    if accepts(&body) {
        let found = members(preset, &body);
        assert!(found.iter().all(|part| right.contains(part)), "{}: {found:?} of {right:?}", preset.0);
    }
});

/// What is signed, read as a plugin reads it: part by part, the members with colons between them.
fn members(preset: &Signed, body: &[u8]) -> Vec<String> {
    let (_, list, part, members) = preset;
    let json: Value = serde_json::from_slice(&json(preset, body)).expect("an accepted body is JSON");
    let parts: Vec<&Value> = match list {
        Some(list) => json.pointer(list).and_then(Value::as_array).expect("parts").iter().collect(),
        None => vec![&json],
    };
    let of_part = |item: &Value| {
        let item = item.pointer(part).expect("a signed part");
        members.iter().map(|member| text_of(item.pointer(member))).collect::<Vec<_>>().join(":")
    };
    parts.into_iter().map(of_part).collect()
}

/// Numbers by their value: how they are written is lost on a reader.
fn text_of(value: Option<&Value>) -> String {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(value)) => value.to_string(),
        _ => String::new(),
    };
    text.parse::<f64>().map_or(text, |number| number.to_string())
}

fn json(preset: &Signed, body: &[u8]) -> Vec<u8> {
    let mut fields = form_urlencoded::parse(body);
    match preset.0 {
        "dropbox-sign" => fields.find(|(name, _)| name == "json").map_or(vec![], |(_, json)| json.as_bytes().to_vec()),
        _ => body.to_vec(),
    }
}

fn form(json: &[u8]) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("json", &String::from_utf8_lossy(json)).finish().into_bytes()
}

fn edit(body: &mut Vec<u8>, line: &[u8]) {
    let (at, rest) = split_at(line, b" ");
    let (length, text) = split_at(rest, b" ");
    let number = |text: &[u8]| str::from_utf8(text).ok()?.parse::<usize>().ok();
    let (Some(at), Some(length)) = (number(at), number(length)) else { return };
    let at = at.min(body.len());
    let end = at.saturating_add(length).min(body.len());
    body.splice(at..end, text.iter().copied());
}
