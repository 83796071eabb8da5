//! Signature schemes of one's own, in the terms that the presets are made of.

mod challenge;
mod faults;
mod methods;
#[cfg(test)]
mod tests;

use super::provider::{TOLERANCE_MAX, TOLERANCE_MIN};
use super::reader::{Field, Report, Section, not_known};
use super::template::{self, names};
use super::{Mistakes, tree};
use crate::time::Millis;
use crate::verify::scheme::{
    Answer, BodyForm, Naming, Place, Repeats, SignatureAt, Text, TimestampRule, TimestampUnit, Untagged,
};
use crate::verify::{ALIASES, Scheme, schemes};
use challenge::{answer, challenge};
use faults::faults;
use methods::methods;

/// Alternatives of one name.
const NAMES_MAX: usize = 8;
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
    let methods_given = methods(&mut section, &mut scheme);
    if !(based || signature_given && methods_given) {
        place.wrong("needs algorithm and the place of the signature, such as algorithm: hmac-sha256 and header: X-Signature; or like: and a preset");
    }
    if let Some(each) = section.parsed("each", path) {
        scheme.each = Some(each);
    }
    if let Some(parameter) = section.parsed("body_hash", name) {
        scheme.body_hash = Some(parameter);
    }
    if let Some(field) = section.take("timestamp") {
        match field.is_map() {
            true => timestamp(field.section(), &mut scheme),
            false => scheme.timestamp = field.parsed(no_timestamp).and(None),
        }
    }
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
    let json = |path: &str| vec![Place::Json(path.to_owned().into())].into();
    Scheme {
        name: "custom".into(),
        signature: SignatureAt { at: Place::Header("X-Signature".into()), separator: None, untagged: Untagged::Skip },
        methods: vec![methods::plain()].into(),
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
    if let Some(untagged) = section.parsed("untagged", untagged) {
        scheme.signature.untagged = untagged;
    }
    match first {
        Some(at) => {
            scheme.signature.at = at;
            true
        }
        None => false,
    }
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

fn no_timestamp(text: &str) -> Result<(), String> {
    match text {
        "none" => Ok(()),
        _ => Err(format!("must be a map such as {{ header: X-Timestamp }}, or none, got {text:?}")),
    }
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

fn untagged(text: &str) -> Result<Untagged, String> {
    one_of(text, &[("skip", Untagged::Skip), ("continue", Untagged::Continue)])
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

fn naming(field: Field<'_>) -> Option<Naming> {
    let one = |field: &Field<'_>| field.parsed(names).map(std::borrow::Cow::Owned);
    let alternatives: Vec<_> = match field.is_list() {
        true => field.list(0..=NAMES_MAX)?.iter().filter_map(one).collect(),
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
