//! What a schedule does besides its times: options of the attributes that say when, in the form that the host reads.

use syn::{Ident, Lit, LitStr};

use crate::arguments::{number, text};
use crate::duration::{self, DAY};
use crate::policy::word;

/// By these names the host knows them, in this order it is told.
const OPTIONS: [&str; 10] =
    ["day_rule", "phase", "start", "end", "count", "jitter", "overlap", "missed", "missed_within", "pause_after"];
const DAY_RULES: [&str; 2] = ["or", "and"];
/// Runs that wait for one another, and missed slots that are made up for, as the host bounds them.
const BUFFER_MAX: u32 = 100;
const CATCH_UP_MAX: u32 = 1000;
const FAILURES_MAX: u32 = 1000;
const COUNT_MAX: u32 = 1_000_000_000;
const WAIT_MAX: u64 = 30 * DAY;
/// A period is at most this.
const PERIOD_MAX: u64 = 365 * DAY;

/// Those that are set, each with where.
#[derive(Default)]
pub(crate) struct Rules(Vec<(Ident, &'static str, String)>);

impl Rules {
    /// False where it is no option of a schedule.
    pub(crate) fn set(&mut self, name: &Ident, value: &Lit) -> syn::Result<bool> {
        let Some(option) = OPTIONS.into_iter().find(|option| name == option) else { return Ok(false) };
        self.0.push((name.clone(), option, read(option, value.clone())?));
        Ok(true)
    }

    pub(crate) fn get(&self, option: &str) -> Option<(&Ident, &str)> {
        self.0.iter().find(|(_, set, _)| *set == option).map(|(name, _, value)| (name, value.as_str()))
    }

    /// One of them.
    pub(crate) fn any(&self) -> Option<&Ident> {
        self.0.first().map(|(name, _, _)| name)
    }

    /// In the order of [`OPTIONS`].
    pub(crate) fn options(&self) -> impl Iterator<Item = (&'static str, String)> {
        OPTIONS.into_iter().filter_map(|option| Some((option, self.get(option)?.1.to_owned())))
    }
}

fn read(option: &str, value: Lit) -> syn::Result<String> {
    match option {
        "day_rule" => word(text(value)?, &DAY_RULES),
        "phase" => span(text(value)?, PERIOD_MAX),
        "jitter" => span(text(value)?, DAY),
        "missed_within" => span(text(value)?, WAIT_MAX),
        "count" => number(value, 1, COUNT_MAX).map(|number| number.to_string()),
        "pause_after" => number(value, 1, FAILURES_MAX).map(|number| number.to_string()),
        "overlap" => {
            let words = ["skip", "buffer-one", "buffer-all", "allow", "cancel-running"];
            capped(&text(value)?, &words, "buffer-all", BUFFER_MAX)
        }
        "missed" => capped(&text(value)?, &["none", "latest", "all"], "all", CATCH_UP_MAX),
        _ => time(&text(value)?),
    }
}

fn span(literal: LitStr, most: u64) -> syn::Result<String> {
    duration::millis_or_none(&literal, most)?;
    Ok(literal.value())
}

/// One of the words; the word `with` may have a number behind a colon.
fn capped(literal: &LitStr, words: &[&str], with: &str, most: u32) -> syn::Result<String> {
    let text = literal.value();
    let digits = |cap: &str| !cap.is_empty() && cap.bytes().all(|b| b.is_ascii_digit());
    let good = match text.split_once(':') {
        None => words.contains(&text.as_str()),
        Some((word, cap)) => {
            word == with && digits(cap) && cap.parse::<u32>().is_ok_and(|cap| (1..=most).contains(&cap))
        }
    };
    if good {
        return Ok(text);
    }
    let known: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    let message =
        format!("must be one of {}, or \"{with}:5\" for at most 5 (1 to {most}), got {text:?}", known.join(", "));
    Err(syn::Error::new(literal.span(), message))
}

/// The shape of RFC 3339; whether the day exists is the host's to say.
fn time(literal: &LitStr) -> syn::Result<String> {
    let text = literal.value();
    if is_time(&text) {
        return Ok(text);
    }
    let message =
        format!("{text:?} is no time; write one in RFC 3339 with its offset, such as \"2026-11-20T09:00:00Z\"");
    Err(syn::Error::new(literal.span(), message))
}

fn is_time(text: &str) -> bool {
    let shape = |text: &str, shape: &str| {
        let fits = |(byte, wanted): (u8, u8)| if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
        text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
    };
    let Some((moment, rest)) = text.split_at_checked(19) else { return false };
    let offset = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if offset.len() == fraction.len() {
                return false;
            }
            offset
        }
    };
    shape(moment, "0000-00-00T00:00:00") && (offset == "Z" || shape(offset, "+00:00") || shape(offset, "-00:00"))
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    fn set(rules: &mut Rules, option: &str, value: &str) -> Result<bool, String> {
        let value: Lit = syn::parse_str(value).unwrap();
        rules.set(&Ident::new(option, Span::call_site()), &value).map_err(|error| error.to_string())
    }

    #[test]
    fn every_rule_is_told_as_the_host_reads_it() {
        let written = [
            ("pause_after", "1000", "1000"),
            ("missed_within", "\"30d\"", "30d"),
            ("missed", "\"all:1000\"", "all:1000"),
            ("overlap", "\"buffer-all:100\"", "buffer-all:100"),
            ("jitter", "\"0s\"", "0s"),
            ("count", "3", "3"),
            ("end", "\"2026-12-24T18:00:00.5+01:00\"", "2026-12-24T18:00:00.5+01:00"),
            ("start", "\"2026-12-01T00:00:00Z\"", "2026-12-01T00:00:00Z"),
            ("phase", "\"5m\"", "5m"),
            ("day_rule", "\"and\"", "and"),
        ];
        let mut rules = Rules::default();
        for (option, value, _) in written {
            assert_eq!(set(&mut rules, option, value), Ok(true), "{option}");
        }
        let expected: Vec<_> = written.iter().rev().map(|(option, _, told)| (*option, (*told).to_owned())).collect();
        assert_eq!(rules.options().collect::<Vec<_>>(), expected);
        assert_eq!(set(&mut rules, "attempts", "1"), Ok(false));
        for words in ["skip", "buffer-one", "buffer-all", "allow", "cancel-running"] {
            assert_eq!(set(&mut rules, "overlap", &format!("{words:?}")), Ok(true));
        }
    }

    #[test]
    fn what_the_host_would_refuse_is_refused_with_the_cure() {
        for (option, value, cure) in [
            ("day_rule", "\"xor\"", "\"or\", \"and\""),
            ("phase", "\"soon\"", "is no duration"),
            ("jitter", "\"25h\"", "at most 1d"),
            ("missed_within", "\"31d\"", "at most 30d"),
            ("count", "0", "1 to 1000000000"),
            ("pause_after", "\"3\"", "without quotes"),
            ("overlap", "\"queue\"", "\"skip\", \"buffer-one\""),
            ("overlap", "\"skip:5\"", "\"buffer-all:5\""),
            ("overlap", "\"buffer-all:101\"", "1 to 100"),
            ("overlap", "\"buffer-all:+5\"", "\"buffer-all:5\""),
            ("missed", "\"some\"", "\"none\", \"latest\", \"all\""),
            ("missed", "\"all:0\"", "1 to 1000"),
            ("start", "\"2026-12-01\"", "RFC 3339"),
            ("start", "\"2026-12-01T00:00:00\"", "RFC 3339"),
            ("end", "\"2026-12-01T00:00:00.Z\"", "RFC 3339"),
            ("end", "\"tomorrow\"", "RFC 3339"),
        ] {
            let refusal = set(&mut Rules::default(), option, value).unwrap_err();
            assert!(refusal.contains(cure), "{option} {value}: {refusal}");
        }
    }
}
