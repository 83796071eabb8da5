//! Who is told when something is wrong, and what that is.

mod channel;
mod rules;

use std::collections::BTreeMap;

pub use channel::{Channel, Mail};

use super::reader::{Field, Section, not_known};
use crate::alert::{Rules, Terms};
use crate::name::PluginName;
use crate::time::Millis;

pub const CHANNELS_MAX: usize = 16;
/// Between two looks.
const EVERY: Millis = Millis(15_000);
const EVERY_MAX: Millis = Millis(10 * Millis::MINUTE.0);
const HOURLY_MAX: u32 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerts {
    pub every: Millis,
    pub channels: BTreeMap<String, Channel>,
    pub rules: Rules,
    pub terms: Terms,
}

impl Default for Alerts {
    fn default() -> Alerts {
        Alerts { every: EVERY, channels: BTreeMap::new(), rules: Rules::default(), terms: Terms::default() }
    }
}

impl Alerts {
    pub(super) fn read(mut section: Section<'_>) -> Alerts {
        let usual = Alerts::default();
        let every = section.span("every", Millis::SECOND..=EVERY_MAX).unwrap_or(usual.every);
        let group = section.span("group", Millis(0)..=Millis::HOUR).unwrap_or(usual.terms.group);
        let settle = section.span("settle", Millis(0)..=Millis::HOUR).unwrap_or(usual.terms.settle);
        let hourly_max = section.number("hourly", 1..=HOURLY_MAX).unwrap_or(usual.terms.hourly_max);
        let to = section.take("to");
        let channels = channels(section.section("channels"));
        let (rules, own) = rules::read(section.section("rules"), &channels);
        let all = || channels.keys().cloned().collect();
        let usual = to.and_then(|to| named(to, &channels)).unwrap_or_else(all);
        section.finish();
        Alerts { every, rules, terms: Terms { group, settle, hourly_max, channels: own, usual }, channels }
    }
}

fn channels(section: Section<'_>) -> BTreeMap<String, Channel> {
    let place = section.place().clone();
    let named = section.entries(|key| PluginName::parse(key).map(|name| name.to_string()));
    let mut channels = BTreeMap::new();
    for (name, section) in named {
        channels.extend(Channel::read(section).map(|channel| (name, channel)));
    }
    if channels.len() > CHANNELS_MAX {
        place.wrong(format_args!("must have at most {CHANNELS_MAX} channels, has {}", channels.len()));
    }
    channels
}

/// Channels that are there.
fn named(field: Field<'_>, channels: &BTreeMap<String, Channel>) -> Option<Vec<String>> {
    let fields = field.list(0..=CHANNELS_MAX)?;
    let parse = |text: &str| match channels.contains_key(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("is no channel; {}", not_known(text, channels.keys().map(String::as_str)))),
    };
    Some(fields.iter().filter_map(|field| field.parsed(parse)).collect())
}
