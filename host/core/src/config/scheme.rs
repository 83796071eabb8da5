//! Signature schemes of one's own, in the terms that the presets are made of.

mod faults;

use super::provider::{TOLERANCE_MAX, TOLERANCE_MIN};
use super::reader::{Field, Report, Section, not_known};
use super::template::{self, content, names, one_place};
use super::{Mistakes, tree};
use crate::time::Millis;
use crate::verify::scheme::{
    Algorithm, Answer, BodyForm, Challenge, ChallengeReply, Encoding, KeyForm, Method, Naming, Piece, Place, Repeats,
    SignatureAt, Text, TimestampRule, TimestampUnit,
};
use crate::verify::{ALIASES, Scheme, schemes};
use faults::faults;

/// Tags of one scheme, and alternatives of one name.
const TAGS_MAX: usize = 8;
/// Text of an answer.
const ANSWER_BYTES_MAX: usize = 4096;
const TOLERANCE: Millis = Millis(300_000);

/// A preset by its name, or a map.
pub(super) fn read(field: Field<'_>) -> Option<Scheme> {
    if field.is_map() { custom(field.section()) } else { field.parsed(named) }
}

impl Scheme {
    /// What a file says that holds nothing but such a map.
    pub fn from_yaml(text: &str) -> Result<Scheme, Mistakes> {
        let tree = tree::parse(text).map_err(|mistake| Mistakes(vec![mistake]))?;
        let report = Report::default();
        let scheme = custom(Section::root(tree, &report));
        match (scheme, report.into_mistakes()) {
            (Some(scheme), mistakes) if mistakes.is_empty() => Ok(scheme),
            (_, mistakes) => Err(Mistakes(mistakes)),
        }
    }
}

fn named(text: &str) -> Result<Scheme, String> {
    let known = schemes().iter().map(Scheme::name).chain(ALIASES.iter().map(|(alias, _)| *alias));
    Scheme::named(text).cloned().ok_or_else(|| format!("{text:?} is no scheme; {}", not_known(text, known)))
}

fn custom(mut section: Section<'_>) -> Option<Scheme> {
    let place = section.place().clone();
    let like = section.take("like");
    let based = like.is_some();
    let mut scheme = match like {
        Some(field) => field.parsed(named)?,
        None => blank(),
    };
    scheme.name = if based { format!("{} (changed)", scheme.name).into() } else { "custom".into() };
    let signature_given = signature(&mut section, &mut scheme);
    let algorithm = section.parsed("algorithm", algorithm);
    let tags = section.take("prefix").and_then(tags);
    let encoding = section.parsed("encoding", encoding);
    let key = section.take("key").and_then(key);
    let content = section.parsed("content", content);
    if !based && (!signature_given || algorithm.is_none()) {
        place.wrong("needs algorithm and the place of the signature, such as algorithm: hmac-sha256 and header: X-Signature; or like: and a preset");
    }
    methods(&mut scheme, algorithm, tags, encoding, key, content);
    if let Some(each) = section.parsed("each", path) {
        scheme.each = Some(each);
    }
    if let Some(parameter) = section.parsed("body_hash", name) {
        scheme.body_hash = Some(parameter);
    }
    timestamp(section.section("timestamp"), &mut scheme);
    if let Some(naming) = section.take("type").and_then(naming) {
        scheme.event_type = naming;
    }
    if let Some(naming) = section.take("id").and_then(naming) {
        scheme.delivery_id = naming;
    }
    if let Some(form) = section.take("body").and_then(body) {
        scheme.body = form;
    }
    if let Some(rule) = section.parsed("repeats", repeats) {
        scheme.repeats = rule;
    }
    if let Some(field) = section.take("challenge") {
        scheme.challenge = challenge(field.section());
    }
    if let Some(answer) = section.take("answer").and_then(answer) {
        scheme.answer = answer;
    }
    section.finish();
    for wrong in faults(&scheme) {
        place.wrong(wrong);
    }
    Some(scheme)
}

fn blank() -> Scheme {
    let method = Method {
        tag: Text::default(),
        algorithm: Algorithm::HmacSha256,
        key: KeyForm::Literal,
        encoding: Encoding::Hex,
        content: vec![Piece::Body].into(),
    };
    let json = |path: &str| vec![Place::Json(path.to_owned().into())].into();
    Scheme {
        name: "custom".into(),
        signature: SignatureAt { at: Place::Header("X-Signature".into()), separator: None },
        methods: vec![method].into(),
        each: None,
        body_hash: None,
        timestamp: None,
        event_type: vec![json("type")].into(),
        delivery_id: vec![json("id")].into(),
        body: BodyForm::Json,
        repeats: Repeats::ByIdOrBody,
        challenge: None,
        answer: Answer::Receipt,
    }
}

fn signature(section: &mut Section<'_>, scheme: &mut Scheme) -> bool {
    let given = [
        section.parsed("header", header).map(Place::Header),
        section.parsed("numbered", header).map(Place::Numbered),
        section.parsed("json", path).map(Place::Json),
        section.parsed("form", name).map(Place::Form),
        section.parsed("query", name).map(Place::Query),
    ];
    let mut given = given.into_iter().flatten();
    let first = given.next();
    if given.next().is_some() {
        section.place().wrong("must have one place of the signature: header, numbered, json, form or query");
    }
    if let Some(separator) = section.parsed("separator", separator) {
        scheme.signature.separator = Some(separator);
    }
    match first {
        Some(at) => {
            scheme.signature.at = at;
            true
        }
        None => false,
    }
}

fn methods(
    scheme: &mut Scheme,
    algorithm: Option<Algorithm>,
    tags: Option<Vec<Text>>,
    encoding: Option<Encoding>,
    key: Option<KeyForm>,
    content: Option<Vec<Piece>>,
) {
    let mut methods = scheme.methods.to_vec();
    // Tags are of one method, which is the first: the others are ways that the operator did not ask for.
    if let (Some(tags), Some(first)) = (tags, methods.first().cloned()) {
        methods = tags.into_iter().map(|tag| Method { tag, ..first.clone() }).collect();
    }
    for method in &mut methods {
        if let Some(algorithm) = algorithm {
            method.algorithm = algorithm;
            if algorithm == Algorithm::Token {
                method.content = Vec::new().into();
                method.encoding = Encoding::Plain;
            }
            if matches!(algorithm, Algorithm::Ed25519) && method.key == KeyForm::Literal {
                method.key = KeyForm::Hex { bytes_min: 32, bytes_max: 32 };
            }
            if matches!(algorithm, Algorithm::EcdsaP256) && method.key == KeyForm::Literal {
                method.key = KeyForm::Base64 { prefix: Text::default(), bytes_min: 1, bytes_max: 512 };
            }
        }
        if let Some(encoding) = encoding {
            method.encoding = encoding;
        }
        if let Some(key) = &key {
            method.key = key.clone();
        }
        if let Some(content) = &content {
            method.content = content.clone().into();
        }
    }
    scheme.methods = methods.into();
}

fn timestamp(mut section: Section<'_>, scheme: &mut Scheme) {
    let given = [
        section.parsed("header", header).map(Place::Header),
        section.parsed("entry", template::tag).map(|tag| Place::Entry(tag.into())),
        section.parsed("json", path).map(Place::Json),
        section.parsed("form", name).map(Place::Form),
    ];
    let unit = section.parsed("unit", unit);
    let tolerance = section.span("tolerance", TOLERANCE_MIN..=TOLERANCE_MAX);
    let mut given = given.into_iter().flatten();
    if let Some(at) = given.next() {
        scheme.timestamp = Some(TimestampRule { at, unit: TimestampUnit::Seconds, tolerance: TOLERANCE });
    }
    if given.next().is_some() {
        section.place().wrong("must have one place of the time: header, entry, json or form");
    }
    match &mut scheme.timestamp {
        Some(rule) => {
            rule.unit = unit.unwrap_or(rule.unit);
            rule.tolerance = tolerance.unwrap_or(rule.tolerance);
        }
        None if unit.is_some() || tolerance.is_some() => {
            section.place().wrong("must say where the time is: header, entry, json or form");
        }
        None => {}
    }
    section.finish();
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    const KNOWN: [(&str, Algorithm); 7] = [
        ("hmac-sha1", Algorithm::HmacSha1),
        ("hmac-sha256", Algorithm::HmacSha256),
        ("hmac-sha512", Algorithm::HmacSha512),
        ("sha256", Algorithm::Sha256),
        ("ed25519", Algorithm::Ed25519),
        ("ecdsa-p256", Algorithm::EcdsaP256),
        ("token", Algorithm::Token),
    ];
    one_of(text, &KNOWN)
}

fn encoding(text: &str) -> Result<Encoding, String> {
    one_of(text, &[("hex", Encoding::Hex), ("base64", Encoding::Base64), ("plain", Encoding::Plain)])
}

fn unit(text: &str) -> Result<TimestampUnit, String> {
    const KNOWN: [(&str, TimestampUnit); 4] = [
        ("s", TimestampUnit::Seconds),
        ("ms", TimestampUnit::Milliseconds),
        ("rfc3339", TimestampUnit::Rfc3339),
        ("http-date", TimestampUnit::HttpDate),
    ];
    one_of(text, &KNOWN)
}

fn repeats(text: &str) -> Result<Repeats, String> {
    one_of(text, &[("id-or-body", Repeats::ByIdOrBody), ("id", Repeats::ById), ("never", Repeats::Never)])
}

fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| format!("{text:?} is not known; {}", not_known(text, known.iter().map(|(name, _)| *name))))
}

fn separator(text: &str) -> Result<char, String> {
    match text {
        "," => Ok(','),
        ";" => Ok(';'),
        " " => Ok(' '),
        _ => Err(format!("must be \",\", \";\" or \" \", got {text:?}")),
    }
}

fn header(text: &str) -> Result<Text, String> {
    template::header(text).map(Text::Owned)
}

fn path(text: &str) -> Result<Text, String> {
    match template::is_path(text) {
        true => Ok(text.to_owned().into()),
        false => Err(format!("must be members with dots between them, such as data.id, got {text:?}")),
    }
}

fn name(text: &str) -> Result<Text, String> {
    match (1..=100).contains(&text.len()) && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned().into()),
        false => Err("must have 1 to 100 characters".to_owned()),
    }
}

fn tags(field: Field<'_>) -> Option<Vec<Text>> {
    let tag = |text: &str| match text.len() <= 32 && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        true => Ok(Text::Owned(text.to_owned())),
        false => Err("must have at most 32 printable characters"),
    };
    if field.is_list() {
        return Some(field.list(1..=TAGS_MAX)?.iter().filter_map(|field| field.parsed(tag)).collect());
    }
    field.parsed(tag).map(|tag| vec![tag])
}

/// `literal`, `hex`, `base64`, or `{ base64: PREFIX }`.
fn key(field: Field<'_>) -> Option<KeyForm> {
    let base64 = |prefix: Text| KeyForm::Base64 { prefix, bytes_min: 1, bytes_max: 512 };
    if field.is_map() {
        let mut section = field.section();
        let prefix = section.parsed("base64", name);
        section.finish();
        return prefix.map(base64);
    }
    field.parsed(|text| match text {
        "literal" => Ok(KeyForm::Literal),
        "hex" => Ok(KeyForm::Hex { bytes_min: 1, bytes_max: 512 }),
        "base64" => Ok(base64(Text::default())),
        _ => Err(format!("must be literal, hex, base64 or {{ base64: PREFIX }}, got {text:?}")),
    })
}

fn naming(field: Field<'_>) -> Option<Naming> {
    let one = |field: &Field<'_>| field.parsed(names).map(std::borrow::Cow::Owned);
    let alternatives: Vec<_> = match field.is_list() {
        true => field.list(0..=TAGS_MAX)?.iter().filter_map(one).collect(),
        false => one(&field).into_iter().collect(),
    };
    Some(alternatives.into())
}

fn body(field: Field<'_>) -> Option<BodyForm> {
    if !field.is_map() {
        return field.parsed(|text| match text {
            "json" => Ok(BodyForm::Json),
            "cloudevents" => Ok(BodyForm::CloudEvents),
            _ => {
                Err(format!("must be json, cloudevents, {{ form: FIELD }} or {{ json_or_form: FIELD }}, got {text:?}"))
            }
        });
    }
    let mut section = field.section();
    let form = section.parsed("form", name).map(|field| BodyForm::FormField { field });
    let either = section.parsed("json_or_form", name).map(|field| BodyForm::JsonOrForm { field });
    section.finish();
    form.or(either)
}

fn challenge(mut section: Section<'_>) -> Option<Challenge> {
    let echo = section.parsed("echo", name);
    let verify = section.parsed("verify", name);
    let only = section.parsed("only", only);
    let crc = section.parsed("crc", name);
    let mut post = section.section("post");
    let at = post.parsed("at", one_place);
    let value = post.parsed("value", name);
    let reply = post.parsed("echo", one_place).map(ChallengeReply::Echo);
    let reply = reply.or(post.parsed("hmac", one_place).map(ChallengeReply::Hmac));
    let reply = reply.or(post.take("answer").and_then(answer).map(ChallengeReply::Fixed));
    let posted = match (at, value, reply) {
        (Some(at), Some(value), Some(reply)) => Some(Challenge::Post { at, value, reply }),
        (None, None, None) => None,
        _ => {
            post.place().wrong("needs at, value and one of echo, hmac and answer");
            None
        }
    };
    post.finish();
    section.finish();
    let echo = echo.map(|echo| Challenge::Echo { echo, verify, only });
    echo.or(crc.map(|token| Challenge::Crc { token })).or(posted)
}

/// `PARAMETER=VALUE`.
fn only(text: &str) -> Result<(Text, Text), String> {
    let (parameter, value) = text.split_once('=').ok_or("must be PARAMETER=VALUE, such as hub.mode=subscribe")?;
    Ok((name(parameter)?, name(value)?))
}

fn answer(field: Field<'_>) -> Option<Answer> {
    if !field.is_map() {
        return field.parsed(|text| match text {
            "receipt" => Ok(Answer::Receipt),
            _ => {
                Err(format!("must be receipt, or {{ status: 200, content_type: text/plain, body: ok }}, got {text:?}"))
            }
        });
    }
    let mut section = field.section();
    let status = section.number("status", 200..=299u16).unwrap_or(200);
    let content_type = section.parsed("content_type", name).unwrap_or_else(|| "text/plain".into());
    let body = section.parsed("body", |text| match text.len() <= ANSWER_BYTES_MAX {
        true => Ok(Text::Owned(text.to_owned())),
        false => Err(format!("must have at most {ANSWER_BYTES_MAX} bytes")),
    });
    section.finish();
    Some(Answer::Fixed { status, content_type, body: body.unwrap_or_default() })
}
