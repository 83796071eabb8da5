//! How the runs of a handler are treated: tries, time, turns and keys.
//!
//! A policy is put together from what the plugin declares, what hooks.yaml says
//! of the plugin, and what it says of the handler; the later word counts.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::bounded::{number, span};
use crate::gate::{Gate, Order};
use crate::rate::Rate;
use crate::retry::{ATTEMPTS, ATTEMPTS_MAX, BACKOFF, BACKOFF_MAX, Backoff, TIMEOUT, TIMEOUT_MAX};
use crate::route::filter::Subject;
use crate::route::key::Key;
use crate::run::RunPolicy;
use crate::time::Millis;

/// Attempts of one handler at one time: no more than a host has slots.
pub const CONCURRENCY_MAX: u32 = 512;
/// A run may be put off, and may wait to be executed, for so long at most.
pub const WAIT_MAX: Millis = Millis(30 * Millis::DAY.0);

/// What stands in place of a value where there is to be none.
const NONE: &str = "none";

/// How the runs of a handler are treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Wall time of an attempt.
    pub timeout: Millis,
    pub attempts: u32,
    pub backoff: Backoff,
    pub priority: Priority,
    /// Attempts of the handler at one time.
    pub concurrency: Option<u32>,
    /// Runs with the same key wait for one another, in this order.
    pub key: Option<(Key, Order)>,
    /// Attempts that begin, over time.
    pub rate: Option<Rate>,
    /// While a run with the same key is alive, another is not executed.
    pub unique_per: Option<Key>,
    /// From acceptance to the first attempt.
    pub delay: Millis,
    /// No attempt begins later than this after acceptance.
    pub expires: Option<Millis>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            timeout: TIMEOUT,
            attempts: ATTEMPTS,
            backoff: Backoff::default(),
            priority: Priority::default(),
            concurrency: None,
            key: None,
            rate: None,
            unique_per: None,
            delay: Millis(0),
            expires: None,
        }
    }
}

/// How one run waits: what a policy makes of its payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// From acceptance to the first attempt, where no other time is asked for.
    pub delay: Millis,
    /// No attempt begins later than this after the run is due for the first time.
    pub expires: Option<Millis>,
    pub gate: Option<Gate>,
    /// While a run of the handler with the same one is alive, this one is not executed.
    pub unique: Option<String>,
    /// What comes before the handler's policy.
    pub own: RunPolicy,
    /// In place of the run's id.
    pub idempotency_key: Option<String>,
}

/// How often a handler has its turn, beside others that wait, too. Each step is twice as often; none is for ever last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    Lowest,
    Low,
    #[default]
    Normal,
    High,
    Highest,
}

impl Priority {
    pub const ALL: [Priority; 5] =
        [Priority::Lowest, Priority::Low, Priority::Normal, Priority::High, Priority::Highest];

    pub fn code(self) -> &'static str {
        match self {
            Priority::Lowest => "lowest",
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
            Priority::Highest => "highest",
        }
    }

    /// Runs that it is handed in one turn.
    pub fn weight(self) -> usize {
        match self {
            Priority::Lowest => 1,
            Priority::Low => 2,
            Priority::Normal => 4,
            Priority::High => 8,
            Priority::Highest => 16,
        }
    }
}

impl FromStr for Priority {
    type Err = String;

    fn from_str(text: &str) -> Result<Priority, String> {
        Priority::ALL.into_iter().find(|priority| priority.code() == text).ok_or_else(|| {
            let known = Priority::ALL.map(Priority::code).join(", ");
            format!("must be one of {known}, got {text:?}")
        })
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// How the waits between attempts grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curve {
    /// Each is twice as long as the last.
    #[default]
    Exponential,
    /// The n-th is n times as long as the first.
    Linear,
    /// All are as long as the first.
    Constant,
}

impl Curve {
    pub const ALL: [Curve; 3] = [Curve::Exponential, Curve::Linear, Curve::Constant];

    pub fn code(self) -> &'static str {
        match self {
            Curve::Exponential => "exponential",
            Curve::Linear => "linear",
            Curve::Constant => "constant",
        }
    }
}

impl FromStr for Curve {
    type Err = String;

    fn from_str(text: &str) -> Result<Curve, String> {
        Curve::ALL.into_iter().find(|curve| curve.code() == text).ok_or_else(|| {
            let known = Curve::ALL.map(Curve::code).join(", ");
            format!("must be one of {known}, got {text:?}")
        })
    }
}

/// The parts of a policy that a plugin or hooks.yaml sets; the others keep what they were.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PolicyPatch {
    pub timeout: Option<Millis>,
    pub attempts: Option<u32>,
    /// The wait after the first failure.
    pub backoff: Option<Millis>,
    pub backoff_curve: Option<Curve>,
    pub backoff_max: Option<Millis>,
    pub priority: Option<Priority>,
    pub concurrency: Option<u32>,
    pub concurrency_per: Option<Key>,
    pub order_per: Option<Key>,
    pub rate: Option<Rate>,
    pub unique_per: Option<Key>,
    pub delay: Option<Millis>,
    pub expires: Option<Millis>,
    /// Of [`PolicyPatch::SWITCHES`], those that are off, whatever is below. A patch that is stored has nothing below it.
    #[serde(skip)]
    pub off: BTreeSet<&'static str>,
}

impl PolicyPatch {
    /// Parts that a handler may be without: `none` switches them off.
    pub const SWITCHES: [&'static str; 6] =
        ["concurrency", "concurrency_per", "order_per", "rate", "unique_per", "expires"];

    /// By these names plugins and hooks.yaml set the parts.
    pub const OPTIONS: [&'static str; 13] = [
        "timeout",
        "attempts",
        "backoff",
        "backoff_curve",
        "backoff_max",
        "priority",
        "concurrency",
        "concurrency_per",
        "order_per",
        "rate",
        "unique_per",
        "delay",
        "expires",
    ];

    /// Sets the part with this name, one of [`PolicyPatch::OPTIONS`]. The mistake says what to write.
    pub fn set(&mut self, option: &str, text: &str) -> Result<(), String> {
        if let Some(switch) = Self::SWITCHES.into_iter().find(|switch| *switch == option && text.trim() == NONE) {
            self.off.insert(switch);
            return Ok(());
        }
        match option {
            "timeout" => self.timeout = Some(span(text, Millis(1), TIMEOUT_MAX)?),
            "attempts" => self.attempts = Some(number(text, ATTEMPTS_MAX)?),
            "backoff" => self.backoff = Some(span(text, Millis(0), BACKOFF_MAX)?),
            "backoff_curve" => self.backoff_curve = Some(text.parse()?),
            "backoff_max" => self.backoff_max = Some(span(text, Millis(1), BACKOFF_MAX)?),
            "priority" => self.priority = Some(text.parse()?),
            "concurrency" => self.concurrency = Some(number(text, CONCURRENCY_MAX)?),
            "concurrency_per" if self.order_per.is_none() => self.concurrency_per = Some(key(text)?),
            "order_per" if self.concurrency_per.is_none() => self.order_per = Some(key(text)?),
            "concurrency_per" | "order_per" => {
                return Err("runs in order are one at a time already: write order_per or concurrency_per".to_owned());
            }
            "rate" => self.rate = Some(text.parse()?),
            "unique_per" => self.unique_per = Some(key(text)?),
            "delay" => self.delay = Some(span(text, Millis(0), WAIT_MAX)?),
            "expires" => self.expires = Some(span(text, Millis(1), WAIT_MAX)?),
            unknown => return Err(format!("unknown option {unknown:?}; known: {}", Self::OPTIONS.join(", "))),
        }
        Ok(())
    }

    /// With what is missing here as it is in `below`.
    #[must_use]
    pub fn over(self, below: PolicyPatch) -> PolicyPatch {
        let is_off = |switch| self.off.contains(switch);
        // One word on keys takes the place of the other.
        let keyed = [&self.concurrency_per, &self.order_per].into_iter().any(Option::is_some);
        let keyed = keyed || is_off("concurrency_per") || is_off("order_per");
        let below_key = |key: Option<Key>| if keyed { None } else { key };
        PolicyPatch {
            timeout: self.timeout.or(below.timeout),
            attempts: self.attempts.or(below.attempts),
            backoff: self.backoff.or(below.backoff),
            backoff_curve: self.backoff_curve.or(below.backoff_curve),
            backoff_max: self.backoff_max.or(below.backoff_max),
            priority: self.priority.or(below.priority),
            concurrency: self.concurrency.or(below.concurrency.filter(|_| !is_off("concurrency"))),
            concurrency_per: self.concurrency_per.or(below_key(below.concurrency_per)),
            order_per: self.order_per.or(below_key(below.order_per)),
            rate: self.rate.or(below.rate.filter(|_| !is_off("rate"))),
            unique_per: self.unique_per.or(below.unique_per.filter(|_| !is_off("unique_per"))),
            delay: self.delay.or(below.delay),
            expires: self.expires.or(below.expires.filter(|_| !is_off("expires"))),
            off: &self.off | &below.off,
        }
    }

    /// How a run of this event or job waits.
    pub fn terms(&self, subject: &Subject<'_>) -> Terms {
        let gate = |key: &Option<Key>, order| Some(Gate::new(&key.as_ref()?.of(subject)?, order));
        Terms {
            delay: self.delay.unwrap_or(Millis(0)),
            expires: self.expires,
            gate: gate(&self.order_per, Order::Accepted).or_else(|| gate(&self.concurrency_per, Order::Due)),
            unique: self.unique_per.as_ref().and_then(|key| key.of(subject)),
            own: RunPolicy::default(),
            idempotency_key: None,
        }
    }

    /// The policy, with the defaults for what is missing.
    pub fn policy(self) -> Policy {
        let usual = Policy::default();
        let ordered = self.order_per.map(|key| (key, Order::Accepted));
        Policy {
            timeout: self.timeout.unwrap_or(usual.timeout),
            attempts: self.attempts.unwrap_or(usual.attempts),
            backoff: Backoff {
                first: self.backoff.unwrap_or(BACKOFF),
                curve: self.backoff_curve.unwrap_or_default(),
                longest: self.backoff_max.unwrap_or(BACKOFF_MAX),
            },
            priority: self.priority.unwrap_or_default(),
            concurrency: self.concurrency,
            key: ordered.or(self.concurrency_per.map(|key| (key, Order::Due))),
            rate: self.rate,
            unique_per: self.unique_per,
            delay: self.delay.unwrap_or(usual.delay),
            expires: self.expires,
        }
    }
}

fn key(text: &str) -> Result<Key, String> {
    Key::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
