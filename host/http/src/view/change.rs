use schemars::JsonSchema;
use serde::Serialize;

use crate::changes::{After, Change, What};

/// What happened to plugins.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ChangesView {
    /// Oldest first.
    pub(crate) items: Vec<ChangeView>,
    /// `after` of the next request.
    pub(crate) next: u64,
    /// Some were dropped before they were asked for.
    pub(crate) missed: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ChangeView {
    pub(crate) number: u64,
    pub(crate) at: String,
    pub(crate) plugin: String,
    pub(crate) digest: Option<String>,
    #[serde(flatten)]
    pub(crate) what: WhatView,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(crate) enum WhatView {
    Found,
    Compiled { took_ms: u64, cached: bool },
    Active,
    Refused { code: String, reason: String },
    RolledBack { to: String, reason: String },
    Stays { reason: String },
    Gone,
}

impl ChangesView {
    pub(crate) fn of(after: &After) -> ChangesView {
        ChangesView {
            items: after.changes.iter().map(ChangeView::of).collect(),
            next: after.last,
            missed: after.missed,
        }
    }
}

impl ChangeView {
    fn of(change: &Change) -> ChangeView {
        ChangeView {
            number: change.number,
            at: change.at.to_string(),
            plugin: change.plugin.to_string(),
            digest: change.digest.map(|digest| digest.to_string()),
            what: match &change.what {
                What::Found => WhatView::Found,
                What::Compiled { took, cached } => WhatView::Compiled { took_ms: took.0, cached: *cached },
                What::Active => WhatView::Active,
                What::Refused { code, reason } => WhatView::Refused { code: code.clone(), reason: reason.clone() },
                What::RolledBack { to, reason } => WhatView::RolledBack { to: to.to_string(), reason: reason.clone() },
                What::Stays { reason } => WhatView::Stays { reason: reason.clone() },
                What::Gone => WhatView::Gone,
            },
        }
    }
}
