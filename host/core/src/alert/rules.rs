//! What is wrong, by the numbers of the operator.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{ProviderName, ScheduleName};
use crate::time::Millis;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    HandlerFailing,
    DeadLetters,
    QueueAge,
    ScheduleLate,
    ScheduleQuiet,
    ScheduleAttention,
    ProviderRefusals,
    ProviderSilent,
    DiskLow,
    Rollback,
}

impl Rule {
    pub const ALL: [Rule; 10] = [
        Rule::HandlerFailing,
        Rule::DeadLetters,
        Rule::QueueAge,
        Rule::ScheduleLate,
        Rule::ScheduleQuiet,
        Rule::ScheduleAttention,
        Rule::ProviderRefusals,
        Rule::ProviderSilent,
        Rule::DiskLow,
        Rule::Rollback,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Rule::HandlerFailing => "handler-failing",
            Rule::DeadLetters => "dead-letters",
            Rule::QueueAge => "queue-age",
            Rule::ScheduleLate => "schedule-late",
            Rule::ScheduleQuiet => "schedule-quiet",
            Rule::ScheduleAttention => "schedule-attention",
            Rule::ProviderRefusals => "provider-refusals",
            Rule::ProviderSilent => "provider-silent",
            Rule::DiskLow => "disk-low",
            Rule::Rollback => "rollback",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// So many in a hundred, of at least so many, within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub percent: u64,
    pub over: u64,
    pub within: Millis,
}

/// What is not there is not watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Of the attempts of one handler that ended, those that failed.
    pub handler_failing: Option<Share>,
    /// More dead letters, and within how long.
    pub dead_letters: Option<(u64, Millis)>,
    /// How long a run that could begin may wait.
    pub queue_age: Option<Millis>,
    /// How late a slot may be.
    pub schedule_late: Option<Millis>,
    /// How long a schedule may not fire.
    pub schedule_quiet: BTreeMap<ScheduleName, Millis>,
    /// Schedules that are paused after failures, have no next slot, or wait for the clock.
    pub schedule_attention: bool,
    /// Of what came for one provider, what was refused.
    pub provider_refusals: Option<Share>,
    /// How long nothing may be taken of a provider.
    pub provider_silent: BTreeMap<ProviderName, Millis>,
    /// Percent of the disk.
    pub disk_low: Option<u64>,
    /// How long it is told that the host has rolled a plugin back.
    pub rollback: Option<Millis>,
}

impl Default for Rules {
    fn default() -> Rules {
        let within = Millis(10 * Millis::MINUTE.0);
        Rules {
            handler_failing: Some(Share { percent: 50, over: 5, within }),
            dead_letters: Some((1, within)),
            queue_age: Some(Millis(5 * Millis::MINUTE.0)),
            schedule_late: Some(Millis(5 * Millis::MINUTE.0)),
            schedule_quiet: BTreeMap::new(),
            schedule_attention: true,
            provider_refusals: Some(Share { percent: 50, over: 10, within }),
            provider_silent: BTreeMap::new(),
            disk_low: Some(10),
            rollback: Some(Millis::HOUR),
        }
    }
}

impl Rules {
    /// How far back readings are looked at.
    pub(super) fn longest(&self) -> Millis {
        let shares = [self.handler_failing, self.provider_refusals].map(|share| share.map(|share| share.within));
        shares.into_iter().flatten().max().unwrap_or(Millis(0))
    }
}
