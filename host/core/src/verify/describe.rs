//! A scheme in words, in the terms in which hooks.yaml writes one.

use super::scheme::{
    Algorithm, Answer, Challenge, ChallengeReply, Encoding, KeyForm, Method, Naming, Piece, Place, Repeats, Scheme,
    TimestampUnit, Untagged,
};

/// What `hookbox providers show` prints of a scheme. Where there is nothing to say, a text is `none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Every header that is read, each once.
    pub headers: Vec<String>,
    /// Where the signatures are.
    pub signature: String,
    /// Strongest first.
    pub methods: Vec<MethodDescription>,
    /// Each part of the body that is signed by itself.
    pub each: Option<String>,
    /// The query parameter that holds the SHA-256 of the body.
    pub body_hash: Option<String>,
    /// Where the signed time is, and its unit.
    pub timestamp: String,
    /// What a repetition is known by.
    pub repeats: &'static str,
    pub event_type: String,
    pub delivery_id: String,
    pub challenge: String,
    pub answer: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodDescription {
    /// What stands before the signature.
    pub tag: String,
    pub algorithm: &'static str,
    pub encoding: &'static str,
    /// How the secret is turned into a key.
    pub key: String,
    /// `{timestamp}.{body}`; empty for a token.
    pub content: String,
}

pub fn describe(scheme: &Scheme) -> Description {
    Description {
        headers: headers(scheme),
        signature: signature(scheme),
        methods: scheme.methods.iter().map(method).collect(),
        each: scheme.each.as_ref().map(|path| path.to_string()),
        body_hash: scheme.body_hash.as_ref().map(|parameter| parameter.to_string()),
        timestamp: scheme
            .timestamp
            .as_ref()
            .map_or_else(none, |rule| format!("{} in {}", place(&rule.at), unit(rule.unit))),
        repeats: match scheme.repeats {
            Repeats::ByIdOrBody => "by id, and by body where no signed id is there",
            Repeats::ById => "by id",
            Repeats::Never => "by nothing: each delivery is meant",
        },
        event_type: naming(&scheme.event_type),
        delivery_id: naming(&scheme.delivery_id),
        challenge: scheme.challenge.as_ref().map_or_else(none, challenge),
        answer: answer(&scheme.answer),
    }
}

fn none() -> String {
    "none".to_owned()
}

fn signature(scheme: &Scheme) -> String {
    let at = place(&scheme.signature.at);
    match (scheme.signature.separator, scheme.signature.untagged) {
        (None, _) => at,
        (Some(separator), Untagged::Skip) => format!("{at}, entries between {separator:?}"),
        (Some(separator), Untagged::Continue) => {
            format!("{at}, entries between {separator:?}, those without a tag behind the tag before them")
        }
    }
}

fn headers(scheme: &Scheme) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: String| {
        if !names.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    };
    let challenge = match &scheme.challenge {
        Some(Challenge::Post { at, .. }) => Some(at),
        _ => None,
    };
    let at = [Some(&scheme.signature.at), scheme.timestamp.as_ref().map(|rule| &rule.at), challenge];
    let named = scheme.event_type.iter().chain(scheme.delivery_id.iter()).flat_map(|places| places.iter());
    for place in at.into_iter().flatten().chain(named) {
        match place {
            Place::Header(name) => add(name.to_string()),
            Place::Numbered(name) => add(format!("{name}-1, -2, ...")),
            _ => {}
        }
    }
    for piece in scheme.methods.iter().flat_map(|method| method.content.iter()) {
        match piece {
            Piece::Header(name) => add(name.to_string()),
            Piece::HeadersOf { entry, .. } => add(format!("those that the entry {entry} lists")),
            _ => {}
        }
    }
    names
}

fn method(method: &Method) -> MethodDescription {
    let basic = method.algorithm == Algorithm::Token && method.encoding == Encoding::Base64;
    MethodDescription {
        tag: method.tag.to_string(),
        algorithm: match method.algorithm {
            Algorithm::HmacSha1 => "hmac-sha1",
            Algorithm::HmacSha256 => "hmac-sha256",
            Algorithm::HmacSha512 => "hmac-sha512",
            Algorithm::Sha256 => "sha256",
            Algorithm::Ed25519 => "ed25519",
            Algorithm::EcdsaP256 => "ecdsa-p256",
            Algorithm::Token if basic => "basic",
            Algorithm::Token => "token",
        },
        encoding: match method.encoding {
            Encoding::Hex => "hex",
            Encoding::Base64 => "base64",
            Encoding::Plain => "plain",
        },
        key: key(&method.key, basic),
        content: method.content.iter().map(piece).collect(),
    }
}

fn key(form: &KeyForm, basic: bool) -> String {
    let span = |min: &usize, max: &usize| if min == max { format!("{min}") } else { format!("{min} to {max}") };
    let behind = |prefix: &str| if prefix.is_empty() { String::new() } else { format!("{prefix} and ") };
    match form {
        KeyForm::Literal if basic => "user:password".to_owned(),
        KeyForm::Literal => "the secret as it is".to_owned(),
        KeyForm::Base64 { prefix, bytes_min, bytes_max } => {
            format!("{}{} bytes in base64", behind(prefix), span(bytes_min, bytes_max))
        }
        KeyForm::Hex { prefix, bytes_min, bytes_max } => {
            format!("{}{} bytes in hex", behind(prefix), span(bytes_min, bytes_max))
        }
    }
}

/// A tag such as `h=` names its entry without the sign behind it.
fn tag(tag: &str) -> &str {
    tag.trim_end_matches('=')
}

fn piece(piece: &Piece) -> String {
    match piece {
        Piece::Body => "{body}".to_owned(),
        Piece::Timestamp => "{timestamp}".to_owned(),
        Piece::Id => "{id}".to_owned(),
        Piece::Method => "{method}".to_owned(),
        Piece::Url => "{url}".to_owned(),
        Piece::Secret => "{secret}".to_owned(),
        Piece::Header(name) => format!("{{header:{name}}}"),
        Piece::Entry(entry) => format!("{{entry:{}}}", tag(entry)),
        Piece::HeadersOf { entry, .. } => format!("{{headers-of:{}}}", tag(entry)),
        Piece::Json(path) => format!("{{json:{path}}}"),
        Piece::Form(field) => format!("{{form:{field}}}"),
        Piece::SortedForm => "{sorted_form}".to_owned(),
        Piece::Literal(text) => text.to_string(),
    }
}

fn place(place: &Place) -> String {
    match place {
        Place::Header(name) => format!("header {name}"),
        Place::Numbered(name) => format!("headers {name}-1, -2, ..."),
        Place::Entry(entry) => format!("entry {}", tag(entry)),
        Place::Json(path) => format!("json {path}"),
        Place::Form(field) => format!("form {field}"),
        Place::Query(parameter) => format!("query {parameter}"),
        Place::MemberBeside(member) => format!("the member beside {member}"),
        Place::Constant(value) => format!("{value:?}"),
    }
}

fn unit(unit: TimestampUnit) -> &'static str {
    match unit {
        TimestampUnit::Seconds => "seconds",
        TimestampUnit::Milliseconds => "milliseconds",
        TimestampUnit::Rfc3339 => "RFC 3339",
        TimestampUnit::HttpDate => "the form of the header Date",
    }
}

fn naming(naming: &Naming) -> String {
    let dotted = |places: &[Place]| places.iter().map(place).collect::<Vec<_>>().join(" . ");
    let alternatives: Vec<String> = naming.iter().map(|places| dotted(places)).collect();
    if alternatives.is_empty() { none() } else { alternatives.join(", else ") }
}

fn challenge(challenge: &Challenge) -> String {
    match challenge {
        Challenge::Echo { echo, verify, only } => {
            let only = only.as_ref().map(|(parameter, value)| format!("{parameter} is {value}"));
            let verify = verify.as_ref().map(|verify| format!("{verify} is the verify token"));
            let conditions: Vec<String> = only.into_iter().chain(verify).collect();
            match conditions.is_empty() {
                true => format!("GET with {echo}, sent back"),
                false => format!("GET with {echo}, sent back where {}", conditions.join(" and ")),
            }
        }
        Challenge::Crc { token } => format!("GET with {token}, signed"),
        Challenge::Post { at, value, reply } => {
            let reply = match reply {
                ChallengeReply::Echo(from) => format!("{} sent back", place(from)),
                ChallengeReply::Hmac(from) => format!("{} signed", place(from)),
                ChallengeReply::Fixed(fixed) => answer(fixed),
            };
            format!("signed POST with {value:?} in {}: {reply}", place(at))
        }
        Challenge::Pair { member } => {
            format!("the first POST brings the secret in {member}: hookbox providers pair NAME")
        }
    }
}

fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Receipt => "202 or 200, with id and status in JSON".to_owned(),
        Answer::Fixed { status, body, .. } if body.is_empty() => format!("{status}, empty"),
        Answer::Fixed { status, content_type, body } => format!("{status}, {content_type}: {body}"),
    }
}
