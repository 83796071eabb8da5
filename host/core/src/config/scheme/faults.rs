//! What a scheme cannot mean, though each of its keys is good.

use crate::verify::Scheme;
use crate::verify::scheme::{Algorithm, BodyForm, KeyForm, Method, Piece, Place, Untagged};

/// Each with its cure.
pub(super) fn faults(scheme: &Scheme) -> Vec<&'static str> {
    let has = |wanted: &dyn Fn(&Piece) -> bool| scheme.pieces().any(wanted);
    let time = has(&|piece| *piece == Piece::Timestamp);
    let entries = has(&|piece| matches!(piece, Piece::Entry(_) | Piece::HeadersOf { .. }));
    let time_signed =
        scheme.methods.iter().all(|method| signs_time(method, scheme.timestamp.as_ref().map(|rule| &rule.at)));
    let token = scheme.methods.iter().all(|method| method.algorithm == Algorithm::Token);
    let digest = scheme
        .methods
        .iter()
        .any(|method| method.algorithm == Algorithm::Sha256 && !method.content.contains(&Piece::Secret));
    let unsigned =
        scheme.methods.iter().any(|method| method.algorithm != Algorithm::Token && method.content.is_empty());
    let ambiguous = scheme.methods.iter().any(|method| {
        let mut pairs = method.content.iter().zip(method.content.iter().skip(1));
        pairs.any(|(piece, next)| match next {
            Piece::Literal(_) => false,
            Piece::Timestamp => *piece == Piece::Id && !scheme.times_end_ids(),
            _ => *piece == Piece::Id,
        })
    });
    let names = scheme.event_type.iter().chain(scheme.delivery_id.iter()).flat_map(|places| places.iter());
    let named_by_entry = names.into_iter().any(|place| matches!(place, Place::Entry(_)));
    let wrong = [
        (
            time && scheme.timestamp.is_none(),
            "content has {timestamp}: say where it is, such as timestamp: { header: X-Timestamp }",
        ),
        (
            scheme.timestamp.is_some() && !time_signed,
            "the timestamp is not signed, so that anybody could change it: put {timestamp} into content, or leave timestamp out (with like: write timestamp: none)",
        ),
        (digest, "algorithm sha256 is no signature without {secret} in content"),
        (
            has(&|piece| *piece == Piece::Id) && scheme.id_header().is_none(),
            "content has {id}: id must be one header, such as id: \"{header:X-Id}\"",
        ),
        (
            entries && scheme.signature.separator.is_none(),
            "content has {entry:..}: say what stands between entries, such as separator: \",\"",
        ),
        (token && scheme.timestamp.is_some(), "a token signs no time: leave timestamp out"),
        (unsigned, "content is empty: nothing would be signed"),
        (named_by_entry, "type and id cannot be {entry:..}: entries are read for the signature alone"),
        (
            ambiguous,
            "content must have a text behind {id}, such as {id}.{body}, or a {timestamp} of unit rfc3339: else an id could be cut elsewhere",
        ),
    ];
    let wrong = wrong.into_iter().chain(tags(scheme)).chain(keys(scheme)).chain(places(scheme));
    wrong.filter_map(|(is, why)| is.then_some(why)).collect()
}

/// Prefixes and entries that nothing could begin with, or that are taken for one another.
fn tags(scheme: &Scheme) -> [(bool, &'static str); 3] {
    let prefixes: Vec<&str> = scheme.methods.iter().map(|method| method.tag.as_ref()).collect();
    let entries: Vec<&str> = scheme.entry_tags().collect();
    let cut = |tag: &&str| tag.starts_with(' ') || scheme.signature.separator.is_some_and(|by| tag.contains(by));
    let begun = |tag: &&str| entries.iter().any(|entry| tag != entry && tag.starts_with(entry));
    let alike = prefixes.iter().any(|prefix| entries.contains(prefix));
    [
        (
            prefixes.iter().chain(&entries).any(cut),
            "a prefix or an entry's name must not begin with a space or have the separator in it: nothing would ever begin with it",
        ),
        (
            alike || prefixes.iter().chain(&entries).any(begun),
            "an entry's name begins another's, or the prefix: give each a beginning of its own",
        ),
        (
            scheme.signature.untagged == Untagged::Continue
                && (scheme.signature.separator.is_none() || prefixes.contains(&"")),
            "untagged: continue is for lists such as v0=a,b: say separator, and a prefix of every method",
        ),
    ]
}

/// Methods that stand in each other's way.
fn keys(scheme: &Scheme) -> [(bool, &'static str); 2] {
    let before = |at: usize| scheme.methods.iter().take(at);
    let hidden = scheme.methods.iter().enumerate().any(|(at, method)| {
        let hides = |other: &Method| {
            method.tag.starts_with(other.tag.as_ref()) && before_key(&method.key).starts_with(before_key(&other.key))
        };
        before(at).any(hides)
    });
    let public = |method: &&Method| matches!(method.algorithm, Algorithm::Ed25519 | Algorithm::EcdsaP256);
    let confused = scheme.methods.iter().filter(public).any(|method| {
        let key = before_key(&method.key);
        let shared = scheme.methods.iter().filter(|method| !public(method)).map(|method| before_key(&method.key));
        shared.into_iter().any(|other| key.starts_with(other) || other.starts_with(key))
    });
    [
        (
            hidden,
            "a method's prefix begins with that of one before it, which would always be taken: put the longer prefix first",
        ),
        (
            confused,
            "a public key would be taken for a shared secret too, with which anybody could sign: let each kind of key begin in its own way, such as key: { base64: whpk_ }",
        ),
    ]
}

/// What secrets of this form begin with.
fn before_key(form: &KeyForm) -> &str {
    match form {
        KeyForm::Literal => "",
        KeyForm::Base64 { prefix, .. } | KeyForm::Hex { prefix, .. } => prefix,
    }
}

fn signs_time(method: &Method, at: Option<&Place>) -> bool {
    method.content.iter().any(|piece| match (piece, at) {
        (Piece::Timestamp, _) => true,
        (Piece::Body, at) => matches!(at, Some(Place::Json(_) | Place::Form(_))),
        (Piece::Json(path), Some(Place::Json(at))) => path == at,
        (Piece::Form(name), Some(Place::Form(at))) => name == at,
        _ => false,
    })
}

/// Places that no delivery could fill.
fn places(scheme: &Scheme) -> [(bool, &'static str); 4] {
    let has = |wanted: &dyn Fn(&Piece) -> bool| scheme.pieces().any(wanted);
    let covers_body = has(&|piece| *piece == Piece::Body);
    let signature = &scheme.signature.at;
    let in_itself = match signature {
        Place::Json(_) => {
            covers_body
                || has(&|piece| matches!(piece, Piece::Json(path) if overlap(signature, &Place::Json(path.clone()))))
        }
        Place::Form(_) => {
            covers_body
                || has(&|piece| {
                    *piece == Piece::SortedForm
                        || matches!(piece, Piece::Form(name) if overlap(signature, &Place::Form(name.clone())))
                })
        }
        Place::Header(_) => {
            has(&|piece| matches!(piece, Piece::Header(name) if overlap(signature, &Place::Header(name.clone()))))
        }
        _ => false,
    };
    let time = scheme.timestamp.as_ref().map(|rule| &rule.at);
    let id = scheme.id_header().cloned().map(Place::Header);
    let own: Vec<&Place> = [Some(signature), time, id.as_ref()].into_iter().flatten().collect();
    let shared = own.iter().enumerate().any(|(at, place)| own.iter().skip(at + 1).any(|other| overlap(place, other)));
    let read = |wanted: &dyn Fn(&Place) -> bool| wanted(signature) || time.is_some_and(wanted);
    let form = read(&|place| matches!(place, Place::Form(_)))
        || has(&|piece| matches!(piece, Piece::Form(_) | Piece::SortedForm));
    let json = read(&|place| matches!(place, Place::Json(_))) || scheme.signs_members();
    [
        (in_itself, "the signature would be part of what it signs: put other headers, members or fields into content"),
        (shared, "signature, timestamp and id must each have a place of their own"),
        (
            scheme.body == BodyForm::Json && form && json,
            "a body is JSON or a form, so that {json:..} would be empty: say which field holds the JSON, such as body: { form: data }",
        ),
        (
            scheme.body_hash.is_some() && !scheme.needs_url() && !covers_body,
            "body_hash stands in the URL, which is not signed: put {url} into content",
        ),
    ]
}

/// Whether one place is the other, or in it.
fn overlap(one: &Place, other: &Place) -> bool {
    let within =
        |path: &str, outer: &str| path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    match (one, other) {
        (Place::Header(one), Place::Header(other)) => one.eq_ignore_ascii_case(other),
        (Place::Json(one), Place::Json(other)) => within(one, other) || within(other, one),
        (one, other) => one == other,
    }
}
