use hookbox_core::alert::{Alert, History};
use schemars::JsonSchema;
use serde::Serialize;

use crate::alerts::Shown;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct AlertsView {
    /// Those that began last come first.
    pub(crate) firing: Vec<AlertView>,
    /// Those that ended last come first.
    pub(crate) history: Vec<AlertView>,
    pub(crate) channels: Vec<ChannelView>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct AlertView {
    pub(crate) rule: &'static str,
    /// A handler, provider, schedule or plugin; empty where it is the host.
    pub(crate) about: String,
    pub(crate) text: String,
    pub(crate) since: String,
    pub(crate) resolved: Option<String>,
    /// Channels that were told of it, or are about to be; null once it has ended.
    pub(crate) told: Option<Vec<String>>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ChannelView {
    pub(crate) name: String,
    /// `slack`, `webhook`, `mail` or `handler`
    pub(crate) kind: &'static str,
    /// Messages since the start of the host.
    pub(crate) delivered: u64,
    /// Given up.
    pub(crate) lost: u64,
    /// Messages that are still to be delivered.
    pub(crate) waiting: usize,
    /// Why the last try failed.
    pub(crate) failure: Option<String>,
}

impl AlertsView {
    pub(crate) fn of(shown: &Shown) -> AlertsView {
        let book = &shown.book;
        let channels = shown.channels.iter().map(|(name, told)| ChannelView {
            name: name.clone(),
            kind: told.kind,
            delivered: told.delivered,
            lost: told.lost,
            waiting: book.messages.iter().filter(|message| message.channel == *name).count(),
            failure: told.failure.clone(),
        });
        AlertsView {
            firing: book.alerts.iter().rev().map(AlertView::of).collect(),
            history: book.history.iter().map(AlertView::of_past).collect(),
            channels: channels.collect(),
        }
    }
}

impl AlertView {
    fn of(alert: &Alert) -> AlertView {
        AlertView {
            rule: alert.rule.code(),
            about: alert.about.clone(),
            text: alert.text.clone(),
            since: alert.since.to_string(),
            resolved: alert.resolved.map(|at| at.to_string()),
            told: Some(alert.told.iter().cloned().collect()),
        }
    }

    fn of_past(past: &History) -> AlertView {
        AlertView {
            rule: past.rule.code(),
            about: past.about.clone(),
            text: past.text.clone(),
            since: past.since.to_string(),
            resolved: Some(past.resolved.to_string()),
            told: None,
        }
    }
}
