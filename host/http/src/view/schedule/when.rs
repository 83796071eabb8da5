//! The rule by which a schedule fires.

use hookbox_core::cron::DayRule;
use hookbox_core::schedule::When;
use schemars::JsonSchema;
use serde::Serialize;

/// The rule, in words and in parts.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct WhenView {
    /// As it was written.
    pub(crate) text: String,
    /// In English, with the day rule and the zone.
    pub(crate) words: String,
    #[serde(flatten)]
    pub(crate) rule: RuleView,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum RuleView {
    Cron { expression: String, timezone: String, day_rule: &'static str },
    Every { period_ms: u64, phase_ms: Option<u64> },
    Once { at: String },
}

impl WhenView {
    pub(crate) fn of(when: &When) -> WhenView {
        let rule = match when {
            When::Cron { expression, timezone, day_rule } => RuleView::Cron {
                expression: expression.clone(),
                timezone: timezone.clone(),
                day_rule: match day_rule {
                    DayRule::Or => "or",
                    DayRule::And => "and",
                },
            },
            When::Every { period, phase } => {
                RuleView::Every { period_ms: period.0, phase_ms: phase.map(|phase| phase.0) }
            }
            When::Once { at } => RuleView::Once { at: at.to_string() },
        };
        WhenView { text: when.to_string(), words: when.describe(), rule }
    }
}
