//! Every preset can be written in hooks.yaml, and what cannot be meant is told with its cure.

use serde_json::{Map, Value, json};

use super::*;
use crate::verify::scheme::{Algorithm, Challenge, ChallengeReply, Encoding, KeyForm, Method, Piece};

/// A scheme as hooks.yaml has it, without `like`: JSON is YAML.
fn written(scheme: &Scheme, methods: fn(&mut Map<String, Value>, &[Method])) -> String {
    let Scheme {
        name: _,
        signature: SignatureAt { at, separator, untagged },
        methods: said,
        each,
        body_hash,
        timestamp,
        event_type,
        delivery_id,
        body,
        repeats,
        challenge,
        answer,
    } = scheme;
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    let (key, name) = keyed(at);
    put(key, name);
    put("separator", separator.map_or(Value::Null, |separator| json!(separator.to_string())));
    put(
        "untagged",
        json!(match untagged {
            Untagged::Skip => "skip",
            Untagged::Continue => "continue",
        }),
    );
    put("each", json!(each));
    put("body_hash", json!(body_hash));
    if let Some(TimestampRule { at, unit, tolerance }) = timestamp {
        let unit = match unit {
            TimestampUnit::Seconds => "s",
            TimestampUnit::Milliseconds => "ms",
            TimestampUnit::Rfc3339 => "rfc3339",
            TimestampUnit::HttpDate => "http-date",
        };
        let (key, name) = keyed(at);
        put("timestamp", json!({ key: name, "unit": unit, "tolerance": format!("{}ms", tolerance.0) }));
    }
    put("type", names_of(event_type));
    put("id", names_of(delivery_id));
    put(
        "body",
        match body {
            BodyForm::Json => json!("json"),
            BodyForm::CloudEvents => json!("cloudevents"),
            BodyForm::FormField { field } => json!({ "form": field }),
            BodyForm::JsonOrForm { field } => json!({ "json_or_form": field }),
        },
    );
    put(
        "repeats",
        json!(match repeats {
            Repeats::ByIdOrBody => "id-or-body",
            Repeats::ById => "id",
            Repeats::Never => "never",
        }),
    );
    put("challenge", challenge.as_ref().map_or(Value::Null, challenge_of));
    put("answer", answer_of(answer));
    methods(&mut map, said);
    Value::Object(map).to_string()
}

fn as_list(map: &mut Map<String, Value>, methods: &[Method]) {
    let methods: Vec<Value> = methods.iter().map(|method| Value::Object(method_of(method))).collect();
    map.insert("methods".to_owned(), methods.into());
}

/// In the scheme's own keys where there is one.
fn as_keys(map: &mut Map<String, Value>, methods: &[Method]) {
    match methods {
        [method] => map.extend(method_of(method)),
        several => as_list(map, several),
    }
}

fn method_of(method: &Method) -> Map<String, Value> {
    let Method { tag, algorithm, key, encoding, content } = method;
    let bytes = |min: &usize, max: &usize| if min == max { json!(min) } else { json!(format!("{min}..{max}")) };
    let fields = [
        ("prefix", json!(tag)),
        (
            "algorithm",
            json!(match algorithm {
                Algorithm::HmacSha1 => "hmac-sha1",
                Algorithm::HmacSha256 => "hmac-sha256",
                Algorithm::HmacSha512 => "hmac-sha512",
                Algorithm::Sha256 => "sha256",
                Algorithm::Ed25519 => "ed25519",
                Algorithm::EcdsaP256 => "ecdsa-p256",
                Algorithm::Token => "token",
            }),
        ),
        (
            "key",
            match key {
                KeyForm::Literal => json!("literal"),
                KeyForm::Base64 { prefix, bytes_min, bytes_max } => {
                    json!({ "base64": prefix, "bytes": bytes(bytes_min, bytes_max) })
                }
                KeyForm::Hex { prefix, bytes_min, bytes_max } => {
                    json!({ "hex": prefix, "bytes": bytes(bytes_min, bytes_max) })
                }
            },
        ),
        (
            "encoding",
            json!(match encoding {
                Encoding::Hex => "hex",
                Encoding::Base64 => "base64",
                Encoding::Plain => "plain",
            }),
        ),
        ("content", json!(content.iter().map(piece_of).collect::<String>())),
    ];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

fn piece_of(piece: &Piece) -> String {
    match piece {
        Piece::Body => "{body}".to_owned(),
        Piece::Timestamp => "{timestamp}".to_owned(),
        Piece::Id => "{id}".to_owned(),
        Piece::Method => "{method}".to_owned(),
        Piece::Url => "{url}".to_owned(),
        Piece::Secret => "{secret}".to_owned(),
        Piece::SortedForm => "{sorted_form}".to_owned(),
        Piece::Header(name) => format!("{{header:{name}}}"),
        Piece::Entry(tag) => format!("{{entry:{tag}}}"),
        // The separator is the dot; another one would show as a difference.
        Piece::HeadersOf { entry, separator: _ } => format!("{{headers-of:{entry}}}"),
        Piece::Json(path) => format!("{{json:{path}}}"),
        Piece::Form(name) => format!("{{form:{name}}}"),
        Piece::Literal(text) => escaped(text),
    }
}

/// A place by its key, as signature and timestamp have it.
fn keyed(place: &Place) -> (&'static str, Value) {
    match place {
        Place::Header(name) => ("header", json!(name)),
        Place::Numbered(name) => ("numbered", json!(name)),
        Place::Entry(tag) => ("entry", json!(tag)),
        Place::Json(path) => ("json", json!(path)),
        Place::Form(name) => ("form", json!(name)),
        Place::Query(name) => ("query", json!(name)),
        Place::MemberBeside(_) | Place::Constant(_) => ("nothing", Value::Null),
    }
}

fn place_of(place: &Place) -> String {
    match place {
        Place::MemberBeside(name) => format!("{{beside:{name}}}"),
        Place::Constant(text) => escaped(text),
        other => {
            let (key, name) = keyed(other);
            format!("{{{key}:{}}}", name.as_str().unwrap())
        }
    }
}

fn names_of(naming: &Naming) -> Value {
    let joined = |places: &[Place]| places.iter().map(place_of).collect::<Vec<_>>().join(".");
    naming.iter().map(|places| Value::String(joined(places))).collect()
}

fn challenge_of(challenge: &Challenge) -> Value {
    match challenge {
        Challenge::Echo { echo, verify, only } => {
            let only = only.as_ref().map(|(parameter, value)| format!("{parameter}={value}"));
            json!({ "echo": echo, "verify": verify, "only": only })
        }
        Challenge::Crc { token } => json!({ "crc": token }),
        Challenge::Pair { member } => json!({ "pair": member }),
        Challenge::Post { at, value, reply } => {
            let (key, reply) = match reply {
                ChallengeReply::Echo(place) => ("echo", json!(place_of(place))),
                ChallengeReply::Hmac(place) => ("hmac", json!(place_of(place))),
                ChallengeReply::Fixed(answer) => ("answer", answer_of(answer)),
            };
            json!({ "post": { "at": place_of(at), "value": value, key: reply } })
        }
    }
}

fn answer_of(answer: &Answer) -> Value {
    match answer {
        Answer::Receipt => json!("receipt"),
        Answer::Fixed { status, content_type, body } => {
            json!({ "status": status, "content_type": content_type, "body": body })
        }
    }
}

#[test]
fn every_preset_can_be_written_in_hooks_yaml() {
    for preset in schemes() {
        for methods in [as_list, as_keys] {
            let text = written(preset, methods);
            let read = Scheme::from_yaml(&text).unwrap_or_else(|wrong| panic!("{}: {wrong}\n{text}", preset.name));
            assert_eq!(Scheme { name: preset.name.clone(), ..read }, *preset, "{text}");
        }
    }
}

fn scheme(more: &str) -> Scheme {
    Scheme::from_yaml(more).unwrap_or_else(|wrong| panic!("{wrong}\n{more}"))
}

fn wrong(text: &str) -> String {
    Scheme::from_yaml(text).unwrap_err().to_string()
}

const V1: &str = "{ prefix: v1=, algorithm: hmac-sha512, encoding: base64, content: \"{body}\" }";

#[test]
fn methods_differ_in_all_that_they_are() {
    let v2 = "{ prefix: v2=, algorithm: ed25519, key: { hex: pk_, bytes: 32 }, content: \"{method}{body}\" }";
    let v1 = V1.replace("encoding", "key: { base64: sk_, bytes: 16..64 }, encoding");
    let both = scheme(&format!("header: X-Sig\nseparator: \",\"\nmethods:\n  - {v2}\n  - {v1}\n"));
    let [first, second] = both.methods.as_ref() else { panic!("{:?}", both.methods) };
    assert_eq!((first.tag.as_ref(), first.algorithm, first.encoding), ("v2=", Algorithm::Ed25519, Encoding::Hex));
    assert_eq!(first.key, KeyForm::Hex { prefix: "pk_".into(), bytes_min: 32, bytes_max: 32 });
    assert_eq!(first.content.as_ref(), [Piece::Method, Piece::Body]);
    assert_eq!((second.algorithm, second.encoding), (Algorithm::HmacSha512, Encoding::Base64));
    assert_eq!(second.key, KeyForm::Base64 { prefix: "sk_".into(), bytes_min: 16, bytes_max: 64 });
    // They take the place of a preset's.
    let changed = scheme(&format!("like: hook0\ntimestamp: none\nmethods: [{V1}]\n"));
    assert_eq!((changed.methods.len(), changed.timestamp), (1, None));
    assert!(wrong(&format!("like: hook0\nmethods: [{V1}]\n")).contains("write timestamp: none"));
    assert!(wrong("like: hook0\ntimestamp: never\n").contains("or none, got \"never\""));
}

#[test]
fn methods_that_cannot_be_meant_are_told() {
    let told = |methods: &str| wrong(&format!("header: X-Sig\nseparator: \",\"\nmethods: {methods}\n"));
    for (methods, cure) in [
        (format!("[{V1}]\nalgorithm: hmac-sha256"), "leave out those beside it"),
        (format!("[{V1}]\nprefix: v1="), "leave out those beside it"),
        (format!("[{V1}]\nkey: hex"), "leave out those beside it"),
        ("[]".to_owned(), "must have 1..=8 items"),
        (V1.to_owned(), "must be a list"),
        ("[{ prefix: v1= }]".to_owned(), "methods[0]: needs algorithm"),
        (format!("[{V1}, {{ algorithm: hmac-md5 }}]"), "methods[1].algorithm: \"hmac-md5\" is not known"),
        (format!("[{}]", V1.replace("encoding", "heder")), "methods[0].heder: unknown key"),
        ("[{ prefix: \"\", algorithm: hmac-sha256 }, { prefix: v1=, algorithm: hmac-sha1 }]".to_owned(), "put the longer prefix first"),
        ("[{ prefix: a=, algorithm: ed25519 }, { prefix: b=, algorithm: hmac-sha256 }]".to_owned(), "a public key would be taken"),
        ("[{ prefix: a=, algorithm: hmac-sha256, content: \"{timestamp}\" }, { prefix: b=, algorithm: hmac-sha1 }]\ntimestamp: { header: X-T }".to_owned(), "the timestamp is not signed"),
        (format!("[{V1}, {{ prefix: b=, algorithm: sha256 }}]"), "without {secret} in content"),
    ] {
        let told = told(&methods);
        assert!(told.contains(cure), "{methods}: {told}");
    }
    assert!(wrong(&format!("methods: [{V1}]")).contains("the place of the signature"));
}

#[test]
fn a_key_has_its_length_and_what_stands_before_it() {
    let key = |key: &str| {
        scheme(&format!("algorithm: hmac-sha256\nheader: X-Sig\nkey: {key}\n")).methods.first().unwrap().key.clone()
    };
    let base64 =
        |prefix: &'static str, bytes_min, bytes_max| KeyForm::Base64 { prefix: prefix.into(), bytes_min, bytes_max };
    assert_eq!(key("{ base64: whsec_ }"), base64("whsec_", 1, 512));
    assert_eq!(key("{ base64: whsec_, bytes: 24..64 }"), base64("whsec_", 24, 64));
    assert_eq!(key("{ base64: \"\", bytes: 91 }"), base64("", 91, 91));
    assert_eq!(key("{ hex: \"\", bytes: 32 }"), KeyForm::Hex { prefix: "".into(), bytes_min: 32, bytes_max: 32 });
    assert_eq!(key("hex"), KeyForm::Hex { prefix: "".into(), bytes_min: 1, bytes_max: 512 });
    for (bad, cure) in [
        ("{ base64: a, bytes: 64..24 }", "such as 32, or 24..64"),
        ("{ base64: a, bytes: 0 }", "such as 32, or 24..64"),
        ("{ base64: a, bytes: 1..513 }", "such as 32, or 24..64"),
        ("{ base64: a, bytes: many }", "such as 32, or 24..64"),
        ("{ bytes: 32 }", "must have one of base64 and hex"),
        ("{ base64: a, hex: b }", "must have one of base64 and hex"),
        ("{ hex: \"a b\" }", "without spaces"),
        ("{ base64: a, byte: 32 }", "did you mean \"bytes\"?"),
    ] {
        let told = wrong(&format!("algorithm: hmac-sha256\nheader: X-Sig\nkey: {bad}\n"));
        assert!(told.contains(cure), "{bad}: {told}");
    }
}

#[test]
fn a_challenge_is_one_of_its_kinds() {
    let told = |challenge: &str| Scheme::from_yaml(&format!("like: dropbox\nchallenge: {challenge}\n"));
    let paired = told("{ pair: verification_token }").unwrap();
    assert_eq!(paired.challenge, Some(Challenge::Pair { member: "verification_token".into() }));
    assert_eq!(paired.pairs(), Some("verification_token"));
    assert_eq!(told("{}").unwrap().challenge, None);
    for (bad, cure) in [
        ("{ pair: token, crc: crc_token }", "must be one of echo, crc, pair and post"),
        ("{ pair: \"\" }", "must have 1 to 100 characters"),
        ("{ verify: hub.verify_token }", "verify needs echo"),
        (
            "{ post: { at: \"{json:type}\", value: ping, echo: \"{json:a}\", hmac: \"{json:b}\" } }",
            "one of echo, hmac and answer",
        ),
    ] {
        let told = told(bad).unwrap_err().to_string();
        assert!(told.contains(cure), "{bad}: {told}");
    }
}

#[test]
fn a_type_may_be_a_member_s_name_and_a_text() {
    let read = scheme("like: telegram\ntype: [\"bot.{beside:update_id}\", update]\n");
    let places: Vec<&[Place]> = read.event_type.iter().map(AsRef::as_ref).collect();
    let bot = [Place::Constant("bot".into()), Place::MemberBeside("update_id".into())];
    assert_eq!(places, [bot.as_slice(), &[Place::Constant("update".into())]]);
    assert!(wrong("like: telegram\ntype: \"{besides:update_id}\"\n").contains("{beside:MEMBER}"));
}

#[test]
fn entries_without_a_tag_continue_where_the_tag_is_known() {
    let tagged = "algorithm: hmac-sha256\nheader: X-Sig\nuntagged: continue\n";
    assert_eq!(scheme(&format!("{tagged}separator: \",\"\nprefix: v0=\n")).signature.untagged, Untagged::Continue);
    for bad in ["prefix: v0=", "separator: \",\"", "separator: \",\"\nprefix: [v0=, \"\"]"] {
        assert!(wrong(&format!("{tagged}{bad}\n")).contains("untagged: continue is for lists"), "{bad}");
    }
    assert!(wrong("like: outpost\nuntagged: always\n").contains("known: skip, continue"));
}

#[test]
fn an_id_ends_at_a_text_or_at_a_time_of_rfc_3339() {
    let told = |unit: &str, content: &str| {
        Scheme::from_yaml(&format!(
            "algorithm: hmac-sha256\nheader: X-Sig\nid: \"{{header:X-Id}}\"\ncontent: \"{content}\"\n\
             timestamp: {{ header: X-Time, unit: {unit} }}\n"
        ))
    };
    assert!(told("rfc3339", "{id}{timestamp}{body}").is_ok());
    assert!(told("s", "{id}.{timestamp}{body}").is_ok());
    for (unit, content) in [("s", "{id}{timestamp}{body}"), ("rfc3339", "{timestamp}{id}{body}")] {
        assert!(told(unit, content).unwrap_err().to_string().contains("a text behind {id}"), "{unit} {content}");
    }
}
