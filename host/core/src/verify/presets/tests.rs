use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::describe::describe;
use super::super::scheme::{Algorithm, Piece, Place};
use super::*;
use crate::name::ProviderName;

/// Of these, the sender offers nothing better.
const SHA1: [&str; 4] = ["twilio", "intercom", "vercel", "scalr"];

/// Of these, the sender's signature leaves the body open, wholly or in part.
const WITHOUT_BODY: [&str; 10] = [
    "cloudevents",
    "gitlab",
    "adyen-item",
    "chargebee",
    "telegram",
    "mailgun",
    "mailgun-form",
    "postmark",
    "dropbox-sign",
    "deepgram",
];

fn signs_body(scheme: &Scheme) -> bool {
    let by_hash = scheme.body_hash.is_some();
    by_hash || scheme.methods.iter().all(|method| method.content.contains(&Piece::Body))
}

#[test]
fn names_are_unique_and_fit_for_a_provider() {
    let names: BTreeSet<&str> = PRESETS.iter().map(|scheme| scheme.name.as_ref()).collect();
    assert_eq!(names.len(), PRESETS.len());
    for name in names.into_iter().chain(ALIASES.iter().map(|(alias, _)| *alias)) {
        assert!(ProviderName::parse(name).is_ok(), "{name}");
    }
}

#[test]
fn an_alias_points_to_a_preset_and_hides_none() {
    let is_preset = |name: &str| PRESETS.iter().any(|scheme| scheme.name == name);
    for (alias, name) in ALIASES {
        assert!(is_preset(name), "{alias} points to {name}");
        assert!(!is_preset(alias), "{alias} hides a preset");
        assert_eq!(about(alias), about(name));
        assert!(about(alias).is_some());
    }
    let aliases: BTreeSet<&str> = ALIASES.iter().map(|(alias, _)| *alias).collect();
    assert_eq!(aliases.len(), ALIASES.len());
    assert_eq!(about("no-such-sender"), None);
}

#[test]
fn every_preset_says_what_an_operator_has_to_know() {
    for (scheme, about) in PRESETS.iter().zip(&ABOUTS) {
        for (what, words) in [
            ("title", about.title),
            ("settings", about.settings),
            ("not_covered", about.not_covered),
            ("replay", about.replay),
        ] {
            assert!(!words.is_empty(), "{}: {what}", scheme.name);
        }
        for words in about.unconfirmed.iter().chain([&about.notes, &about.settings]) {
            assert!(
                !words.contains("  ") && !words.ends_with('.') | (words == &about.notes),
                "{}: {words}",
                scheme.name
            );
        }
        assert!(about.unconfirmed.iter().all(|line| !line.is_empty()), "{}", scheme.name);
    }
}

#[test]
fn sha1_is_taken_only_from_senders_that_have_nothing_better() {
    let sha1 = |scheme: &&Scheme| scheme.methods.iter().any(|method| method.algorithm == Algorithm::HmacSha1);
    let found: BTreeSet<&str> = PRESETS.iter().filter(sha1).map(|scheme| scheme.name.as_ref()).collect();
    assert_eq!(found, BTreeSet::from(SHA1));
}

#[test]
fn a_body_is_left_open_only_by_senders_known_for_it() {
    let open: BTreeSet<&str> =
        PRESETS.iter().filter(|scheme| !signs_body(scheme)).map(|scheme| scheme.name.as_ref()).collect();
    assert_eq!(open, BTreeSet::from(WITHOUT_BODY));
}

/// A time that is not signed stops no replay.
#[test]
fn a_time_is_under_the_signature() {
    for scheme in &PRESETS {
        let Some(rule) = &scheme.timestamp else { continue };
        for method in scheme.methods.iter() {
            let signed = match &rule.at {
                Place::Json(path) => {
                    method.content.contains(&Piece::Body) || method.content.contains(&Piece::Json(path.clone()))
                }
                Place::Form(field) => {
                    method.content.contains(&Piece::Body) || method.content.contains(&Piece::Form(field.clone()))
                }
                Place::Header(_) | Place::Entry(_) => method.content.contains(&Piece::Timestamp),
                other => panic!("{}: no time can be at {other:?}", scheme.name),
            };
            assert!(signed, "{}", scheme.name);
        }
    }
}

/// A signed id is the header's own text, so there must be one header and no other place.
#[test]
fn an_id_in_the_signed_content_is_in_one_header() {
    for scheme in &PRESETS {
        if scheme.methods.iter().any(|method| method.content.contains(&Piece::Id)) {
            let places: Vec<&Place> = scheme.delivery_id.iter().flat_map(|places| places.iter()).collect();
            assert!(matches!(places[..], [Place::Header(_)]), "{}", scheme.name);
        }
    }
}

#[test]
fn public_url_is_asked_for_where_the_url_is_signed() {
    for (scheme, about) in PRESETS.iter().zip(&ABOUTS) {
        let signs_url = scheme.methods.iter().any(|method| method.content.contains(&Piece::Url));
        assert_eq!(signs_url, about.notes.contains("Needs public_url"), "{}", scheme.name);
    }
}

#[test]
fn the_list_is_as_it_was_agreed_on() {
    let mut list = String::new();
    for scheme in &PRESETS {
        let told = describe(scheme);
        let tolerance = scheme.timestamp.as_ref().map_or("none".to_owned(), |rule| format!("{} ms", rule.tolerance.0));
        let methods: Vec<String> = told
            .methods
            .iter()
            .map(|method| {
                format!(
                    "{} {} {:?} {} of {:?}",
                    method.algorithm, method.encoding, method.tag, method.key, method.content
                )
            })
            .collect();
        writeln!(list, "{}: {}", scheme.name, methods.join(" | ")).unwrap();
        writeln!(list, "  signature {}; headers {}", told.signature, told.headers.join(", ")).unwrap();
        writeln!(list, "  time {}; tolerance {tolerance}; signs body: {}", told.timestamp, signs_body(scheme)).unwrap();
        writeln!(list, "  type {}; id {}", told.event_type, told.delivery_id).unwrap();
        writeln!(list, "  repeats {}; challenge {}; answer {}", told.repeats, told.challenge, told.answer).unwrap();
    }
    insta::assert_snapshot!(list);
}
