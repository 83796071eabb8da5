//! What is wrong: each rule has a default, and `off` switches it off.

use std::collections::BTreeMap;

use super::super::reader::{Field, Section};
use super::{Channel, named};
use crate::alert::{Rule, Rules, Share};
use crate::name::{ProviderName, ScheduleName};
use crate::time::{Millis, NotADuration};

const WITHIN: std::ops::RangeInclusive<Millis> = Millis(10_000)..=Millis(Millis::DAY.0);
const SPAN: std::ops::RangeInclusive<Millis> = Millis::SECOND..=Millis(365 * Millis::DAY.0);
const NUMBER: std::ops::RangeInclusive<u64> = 1..=1_000_000;
const WATCHED_MAX: usize = 256;

type Channels = BTreeMap<String, Channel>;
type Own = BTreeMap<Rule, Vec<String>>;

/// With the channels of rules that name some.
pub(super) fn read(section: Section<'_>, channels: &Channels) -> (Rules, Own) {
    let usual = Rules::default();
    let mut reader = Reader { section, channels, own: Own::new() };
    let rules = Rules {
        handler_failing: reader.rule("handler-failing", Rule::HandlerFailing, usual.handler_failing, share("failures")),
        provider_refusals: reader.rule(
            "provider-refusals",
            Rule::ProviderRefusals,
            usual.provider_refusals,
            share("refused"),
        ),
        dead_letters: reader.rule("dead-letters", Rule::DeadLetters, usual.dead_letters, |map, usual| {
            let (more, within) = usual.unwrap_or((1, Millis::HOUR));
            (map.number("more", NUMBER).unwrap_or(more), map.span("within", WITHIN).unwrap_or(within))
        }),
        queue_age: reader.rule("queue-age", Rule::QueueAge, usual.queue_age, longer),
        schedule_late: reader.rule("schedule-late", Rule::ScheduleLate, usual.schedule_late, longer),
        schedule_attention: reader.rule("schedule-attention", Rule::ScheduleAttention, Some(()), |_, _| ()).is_some(),
        disk_low: reader.rule("disk-low", Rule::DiskLow, usual.disk_low, |map, usual| {
            map.parsed("free", percent).or(usual).unwrap_or_default()
        }),
        rollback: reader.rule("rollback", Rule::Rollback, usual.rollback, |map, usual| {
            map.span("told_for", SPAN).or(usual).unwrap_or(Millis::HOUR)
        }),
        schedule_quiet: reader.watched("schedule-quiet", Rule::ScheduleQuiet, ScheduleName::parse),
        provider_silent: reader.watched("provider-silent", Rule::ProviderSilent, ProviderName::parse),
    };
    reader.section.finish();
    (rules, reader.own)
}

struct Reader<'r, 'c> {
    section: Section<'r>,
    channels: &'c Channels,
    own: Own,
}

impl<'r> Reader<'r, '_> {
    fn rule<T: Copy>(
        &mut self,
        key: &'static str,
        rule: Rule,
        usual: Option<T>,
        read: impl FnOnce(&mut Section<'r>, Option<T>) -> T,
    ) -> Option<T> {
        let Some(field) = self.section.take(key) else { return usual };
        if !field.is_map() {
            field.parsed(|text| match text {
                "off" => Ok(()),
                _ => Err(format!("must be a map of its keys, or off, got {text}")),
            });
            return None;
        }
        let mut map = field.section();
        self.to(rule, map.take("to"));
        let value = read(&mut map, usual);
        map.finish();
        Some(value)
    }

    /// Names, and how long each may do nothing.
    fn watched<N: Ord, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        rule: Rule,
        parse: impl Fn(&str) -> Result<N, E>,
    ) -> BTreeMap<N, Millis> {
        let Some(field) = self.section.take(key) else { return BTreeMap::new() };
        if !field.is_map() {
            field.parsed(|text| match text {
                "off" => Ok(()),
                _ => Err(format!("must be {{ after: {{ NAME: 1h }} }}, or off, got {text}")),
            });
            return BTreeMap::new();
        }
        let mut map = field.section();
        self.to(rule, map.take("to"));
        let (place, entries) = map.section("after").into_values();
        map.finish();
        if entries.is_empty() || entries.len() > WATCHED_MAX {
            place.wrong(format_args!("must have 1 to {WATCHED_MAX} names, each with a time, such as {{ NAME: 1h }}"));
        }
        let mut watched = BTreeMap::new();
        for entry in entries {
            let place = place.key(&entry.key, entry.line);
            match parse(&entry.key) {
                Ok(name) => watched.extend(place.field(entry.value).span(SPAN).map(|span| (name, span))),
                Err(error) => place.wrong(error),
            }
        }
        watched
    }

    fn to(&mut self, rule: Rule, to: Option<Field<'_>>) {
        let to = to.and_then(|to| named(to, self.channels));
        self.own.extend(to.map(|to| (rule, to)));
    }
}

fn share(key: &'static str) -> impl FnOnce(&mut Section<'_>, Option<Share>) -> Share {
    move |map, usual| {
        let usual = usual.unwrap_or(Share { percent: 50, over: 10, within: Millis::HOUR });
        Share {
            percent: map.parsed(key, percent).unwrap_or(usual.percent),
            over: map.number("over", NUMBER).unwrap_or(usual.over),
            within: map.span("within", WITHIN).unwrap_or(usual.within),
        }
    }
}

fn longer(map: &mut Section<'_>, usual: Option<Millis>) -> Millis {
    map.parsed("longer", |text| {
        let span: Millis = text.parse().map_err(|error: NotADuration| error.to_string())?;
        match SPAN.contains(&span) {
            true => Ok(span),
            false => Err(format!("must be {}..={}, got {text}", SPAN.start(), SPAN.end())),
        }
    })
    .or(usual)
    .unwrap_or(Millis::HOUR)
}

fn percent(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.parse().ok());
    number.filter(|number| (1..=100).contains(number)).ok_or_else(|| format!("must be 1%..=100%, got {text}"))
}
