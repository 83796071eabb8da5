//! What a schedule does besides its times: bounds, jitter, overlaps, missed slots, failures.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::bounded::{number, span};
use crate::policy::{Curve, PolicyPatch, WAIT_MAX};
use crate::run::RunPolicy;
use crate::time::{Millis, NotATime, Timestamp};

/// Runs of one schedule that wait for one another at most.
pub const BUFFER_MAX: u32 = 100;
/// Missed slots that are made up for at most.
pub const CATCH_UP_MAX: u32 = 1000;
/// A slot that is missed for longer than this is not made up for, unless the schedule says otherwise.
pub const MISSED_WITHIN: Millis = Millis::DAY;
/// A slot that is decided later than this is a missed one.
pub const ON_TIME: Millis = Millis(10_000);
/// Failures in a row that may be asked for before a schedule is paused.
pub const FAILURES_MAX: u32 = 1000;

/// What a schedule does besides its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rules {
    /// No slot is before it.
    pub start: Option<Timestamp>,
    /// No slot is at it or later.
    pub end: Option<Timestamp>,
    /// It ends after so many slots that made a run.
    pub count: Option<u64>,
    /// Each slot is put off by up to this; by how much is the schedule's own, and always the same.
    pub jitter: Millis,
    pub overlap: Overlap,
    pub missed: Missed,
    /// [`MISSED_WITHIN`] unless set.
    pub missed_within: Option<Millis>,
    /// It is paused after so many runs in a row that failed for good.
    pub pause_after: Option<u32>,
    /// Comes before the handler's policy.
    pub policy: RunPolicy,
}

/// What becomes of a slot while runs of earlier ones are alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Skip,
    /// One waits until the earlier run has ended; more are dropped.
    BufferOne,
    /// So many wait, in order; more are dropped.
    BufferAll(u32),
    /// It runs beside them, and is dropped while there is no room on the queue.
    Allow,
    /// They are cancelled.
    CancelRunning,
}

/// What becomes of slots that came while nobody could decide them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    /// None is made up for.
    None,
    /// The latest is.
    #[default]
    Latest,
    /// The latest so many are, in order.
    All(u32),
}

impl Rules {
    /// By these names plugins, hooks.yaml and operators set the parts.
    pub const OPTIONS: [&'static str; 13] = [
        "start",
        "end",
        "count",
        "jitter",
        "overlap",
        "missed",
        "missed_within",
        "pause_after",
        "timeout",
        "attempts",
        "backoff",
        "backoff_curve",
        "backoff_max",
    ];

    /// The parts that are not what they are by themselves, by their names, as [`Rules::set`] takes them.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let usual = Rules::default();
        let text = |value: Option<&dyn fmt::Display>| value.map(ToString::to_string);
        fn shown<T: fmt::Display>(value: &Option<T>) -> Option<&dyn fmt::Display> {
            value.as_ref().map(|value| value as &dyn fmt::Display)
        }
        let own = &self.policy;
        let curve = own.backoff_curve.map(Curve::code);
        let parts = [
            text(shown(&self.start)),
            text(shown(&self.end)),
            text(shown(&self.count)),
            (self.jitter != usual.jitter).then(|| self.jitter.to_string()),
            (self.overlap != usual.overlap).then(|| self.overlap.to_string()),
            (self.missed != usual.missed).then(|| self.missed.to_string()),
            text(shown(&self.missed_within)),
            text(shown(&self.pause_after)),
            text(shown(&own.timeout)),
            text(shown(&own.attempts)),
            text(shown(&own.backoff)),
            text(shown(&curve)),
            text(shown(&own.backoff_max)),
        ];
        Self::OPTIONS.into_iter().zip(parts).filter_map(|(option, part)| Some((option, part?))).collect()
    }

    /// Sets the part with this name, one of [`Rules::OPTIONS`]. The mistake says what to write.
    pub fn set(&mut self, option: &str, text: &str) -> Result<(), String> {
        match option {
            "start" => self.start = Some(time(text)?),
            "end" => self.end = Some(time(text)?),
            "count" => self.count = Some(number(text, 1_000_000_000)?.into()),
            "jitter" => self.jitter = span(text, Millis(0), Millis::DAY)?,
            "overlap" => self.overlap = text.parse()?,
            "missed" => self.missed = text.parse()?,
            "missed_within" => self.missed_within = Some(span(text, Millis(0), WAIT_MAX)?),
            "pause_after" => self.pause_after = Some(number(text, FAILURES_MAX)?),
            "timeout" | "attempts" | "backoff" | "backoff_curve" | "backoff_max" => {
                let mut patch = PolicyPatch::default();
                patch.set(option, text)?;
                let own = &mut self.policy;
                own.timeout = patch.timeout.or(own.timeout);
                own.attempts = patch.attempts.or(own.attempts);
                own.backoff = patch.backoff.or(own.backoff);
                own.backoff_curve = patch.backoff_curve.or(own.backoff_curve);
                own.backoff_max = patch.backoff_max.or(own.backoff_max);
            }
            unknown => return Err(format!("unknown option {unknown:?}; known: {}", Self::OPTIONS.join(", "))),
        }
        match (self.start, self.end) {
            (Some(start), Some(end)) if start >= end => Err(format!("the end {end} is not after the start {start}")),
            _ => Ok(()),
        }
    }
}

impl FromStr for Overlap {
    type Err = String;

    fn from_str(text: &str) -> Result<Overlap, String> {
        let (word, most) = capped(text, BUFFER_MAX)?;
        match (word, most) {
            ("skip", None) => Ok(Overlap::Skip),
            ("buffer-one", None) => Ok(Overlap::BufferOne),
            ("buffer-all", most) => Ok(Overlap::BufferAll(most.unwrap_or(BUFFER_MAX))),
            ("allow", None) => Ok(Overlap::Allow),
            ("cancel-running", None) => Ok(Overlap::CancelRunning),
            _ => Err(format!(
                "must be skip, buffer-one, buffer-all (or buffer-all:5 for at most 5), allow or cancel-running, got {text:?}"
            )),
        }
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Overlap::Skip => f.write_str("skip"),
            Overlap::BufferOne => f.write_str("buffer-one"),
            Overlap::BufferAll(most) => write!(f, "buffer-all:{most}"),
            Overlap::Allow => f.write_str("allow"),
            Overlap::CancelRunning => f.write_str("cancel-running"),
        }
    }
}

impl FromStr for Missed {
    type Err = String;

    fn from_str(text: &str) -> Result<Missed, String> {
        match capped(text, CATCH_UP_MAX)? {
            ("none", None) => Ok(Missed::None),
            ("latest", None) => Ok(Missed::Latest),
            ("all", most) => Ok(Missed::All(most.unwrap_or(CATCH_UP_MAX))),
            _ => Err(format!("must be none, latest or all (or all:5 for the latest 5), got {text:?}")),
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missed::None => f.write_str("none"),
            Missed::Latest => f.write_str("latest"),
            Missed::All(most) => write!(f, "all:{most}"),
        }
    }
}

/// `word` or `word:number`
fn capped(text: &str, most: u32) -> Result<(&str, Option<u32>), String> {
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((word, cap)) => number(cap, most).map(|cap| (word, Some(cap))),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|error: NotATime| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_that_is_named_can_be_set() {
        let time = "2026-11-20T09:00:00Z";
        let good = [time, time, "3", "1m", "allow", "none", "1h", "5", "1s", "2", "3s", "linear", "1m"];
        for (option, text) in Rules::OPTIONS.into_iter().zip(good) {
            let mut rules = Rules::default();
            rules.set(option, text).unwrap();
            assert_ne!(rules, Rules::default(), "{option}");
            let mut again = Rules::default();
            rules.written().iter().for_each(|(option, text)| again.set(option, text).unwrap());
            assert_eq!(again, rules, "{option}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_cure() {
        let refused = [
            ("start", "tomorrow", "RFC 3339"),
            ("count", "0", "1..="),
            ("jitter", "2d", "0ms..=1d"),
            ("overlap", "queue", "buffer-one"),
            ("overlap", "skip:5", "buffer-one"),
            ("overlap", "buffer-all:101", "1..=100"),
            ("missed", "some", "latest"),
            ("missed", "all:0", "1..=1000"),
            ("pause_after", "-1", "1..=1000"),
            ("timeout", "5", "duration"),
            ("colour", "red", "known: start"),
        ];
        for (option, text, cure) in refused {
            let refusal = Rules::default().set(option, text).unwrap_err();
            assert!(refusal.contains(cure), "{option} {text}: {refusal}");
        }
        let mut rules = Rules::default();
        rules.set("start", "2026-11-20T09:00:00Z").unwrap();
        assert!(rules.set("end", "2026-11-20T09:00:00Z").unwrap_err().contains("not after the start"));
    }

    #[test]
    fn rules_read_back_as_they_are_written() {
        for text in ["skip", "buffer-one", "buffer-all:7", "allow", "cancel-running"] {
            assert_eq!(text.parse::<Overlap>().unwrap().to_string(), text);
        }
        for text in ["none", "latest", "all:7"] {
            assert_eq!(text.parse::<Missed>().unwrap().to_string(), text);
        }
    }
}
