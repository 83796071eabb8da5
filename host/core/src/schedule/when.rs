//! The rule by which a schedule fires, as it is stored and shown.

use serde::{Deserialize, Serialize};

use super::ZoneName;
use super::slots::Times;
use crate::cron::{Calendar, CronExpr, DayRule, Every, TooRare, Zones};
use crate::time::{Millis, Timestamp};

/// The rule by which a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    Cron {
        expression: String,
        timezone: String,
        day_rule: DayRule,
    },
    /// In step with its first registration, or off whole periods since 1970 by `phase`.
    Every {
        period: Millis,
        phase: Option<Millis>,
    },
    Once {
        at: Timestamp,
    },
}

/// A rule that is refused, with its cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWhen {
    #[error("{0}")]
    Cron(String),
    #[error("cron expression {0:?} can never fire: no such day exists")]
    Never(String),
    /// It can fire, but not within ten years of the day on which it was to be made.
    #[error("{0} {1}")]
    TooRare(When, TooRare),
    #[error("every: {0}")]
    Every(String),
    #[error("{0} is past: write a time to come")]
    Past(Timestamp),
    #[error("no slot lies between its start and its end: write others, or leave them out")]
    OutOfBounds,
}

impl When {
    pub fn cron(expression: &str, zone: Option<ZoneName>) -> Result<When, BadWhen> {
        When::cron_with(expression, zone.unwrap_or_default(), DayRule::default())
    }

    /// Refuses what no day fits, whatever the zone and the year; what is too rare is told by [`When::first_after`].
    pub fn cron_with(expression: &str, zone: ZoneName, day_rule: DayRule) -> Result<When, BadWhen> {
        let parsed = CronExpr::parse(expression).map_err(|e| BadWhen::Cron(e.to_string()))?.with_day_rule(day_rule);
        if !parsed.names_a_day() {
            return Err(BadWhen::Never(expression.to_owned()));
        }
        Ok(When::Cron { expression: expression.trim().to_owned(), timezone: zone.to_string(), day_rule })
    }

    pub fn every(period: Millis) -> Result<When, BadWhen> {
        Every::new(period, Timestamp(0)).map_err(|e| BadWhen::Every(e.to_string()))?;
        Ok(When::Every { period, phase: None })
    }

    /// An interval that does not depend on when it was made.
    pub fn every_with(period: Millis, phase: Millis) -> Result<When, BadWhen> {
        if phase >= period {
            return Err(BadWhen::Every(format!("its phase must be less than the period {period}, got {phase}")));
        }
        When::every(period).map(|_| When::Every { period, phase: Some(phase) })
    }

    /// `anchor` gives an interval without a phase of its own its phase. Fails only where a row was written by a release
    /// with another grammar or other zones.
    pub(super) fn times(&self, anchor: Timestamp, zones: &Zones) -> Result<Times, BadWhen> {
        match self {
            When::Cron { expression, timezone, day_rule } => {
                let expr = CronExpr::parse(expression).map_err(|e| BadWhen::Cron(e.to_string()))?;
                let zone = zones.find(timezone).map_err(|e| BadWhen::Cron(e.to_string()))?;
                Ok(Times::Calendar(Calendar::Cron { expr: expr.with_day_rule(*day_rule), zone }))
            }
            When::Every { period, phase } => {
                let anchor = phase.map_or(anchor, |phase| Timestamp(phase.0));
                let every = Every::new(*period, anchor).map_err(|e| BadWhen::Every(e.to_string()))?;
                Ok(Times::Calendar(Calendar::Every(every)))
            }
            When::Once { at } => Ok(Times::Once(*at)),
        }
    }
}

impl When {
    /// The first time of a schedule that is made at `now`: a rule without one in the ten years ahead is refused, as
    /// [`Calendar::first_after`] tells. To be asked where a schedule is new or its rule is another, and only there.
    pub fn first_after(&self, now: Timestamp, zones: &Zones) -> Result<Timestamp, BadWhen> {
        match self.times(now, zones)? {
            Times::Calendar(calendar) => calendar.first_after(now).map_err(|rare| BadWhen::TooRare(self.clone(), rare)),
            Times::Once(at) if at > now => Ok(at),
            Times::Once(at) => Err(BadWhen::Past(at)),
        }
    }

    /// In English, with the zone and the day rule.
    pub fn describe(&self) -> String {
        match self.times(Timestamp(0), &Zones::default()) {
            Ok(Times::Calendar(calendar @ Calendar::Cron { .. })) => calendar.describe(),
            _ => self.to_string(),
        }
    }
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            When::Cron { expression, timezone, .. } => write!(f, "{expression} ({timezone})"),
            When::Every { period, phase: None } => write!(f, "every {period}"),
            When::Every { period, phase: Some(phase) } => write!(f, "every {period}, {phase} later"),
            When::Once { at } => write!(f, "once at {at}"),
        }
    }
}
