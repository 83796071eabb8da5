use std::collections::BTreeMap;

use hookbox_core::name::ProviderName;
use hookbox_core::verify::Integrity;
use schemars::JsonSchema;
use serde::Serialize;

use crate::providers::LiveProvider;
use crate::tally::{Counted, Turned};

/// All live providers, and what came for names that none has.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ProvidersView {
    pub(crate) providers: Vec<ProviderView>,
    pub(crate) strangers: CountsView,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ProviderView {
    pub(crate) name: String,
    pub(crate) scheme: String,
    /// How much of a delivery its signature vouches for: full, partial or none.
    pub(crate) integrity: &'static str,
    /// In milliseconds; `null` where no time is signed.
    pub(crate) tolerance_ms: Option<u64>,
    /// How often each secret matched, by the place that it is in: one at 0 can be taken out after a rotation.
    pub(crate) secrets_matched: BTreeMap<String, u64>,
    /// When each was written, by its place; null where that is not known, as of the environment.
    pub(crate) secrets_written: BTreeMap<String, Option<String>>,
    #[serde(flatten)]
    pub(crate) counts: CountsView,
}

/// Since the start of the host.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "ProviderCounts")]
pub(crate) struct CountsView {
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    /// Of those: with another body than the first.
    pub(crate) duplicates_that_differ: u64,
    /// By cause.
    pub(crate) refused: BTreeMap<&'static str, u64>,
    pub(crate) last_accepted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recent_refusals: Option<Vec<RefusalView>>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RefusalView {
    pub(crate) at: String,
    pub(crate) cause: &'static str,
    pub(crate) message: String,
    pub(crate) source: String,
}

impl ProviderView {
    pub(crate) fn of(
        name: &ProviderName,
        live: &LiveProvider,
        counted: Counted,
        view: impl FnOnce(Counted) -> CountsView,
    ) -> ProviderView {
        let scheme = live.verifier.scheme();
        let integrity = match scheme.integrity() {
            Integrity::Full => "full",
            Integrity::Partial => "partial",
            Integrity::None => "none",
        };
        let tolerance_ms = scheme.tolerance().map(|tolerance| tolerance.0);
        let matched = |place: &String| (place.clone(), counted.secrets.get(place).copied().unwrap_or_default());
        let written = |at: usize| live.secrets_written.get(at).copied().flatten().map(|written| written.to_string());
        let written = live.secret_places.iter().enumerate().map(|(at, place)| (place.clone(), written(at)));
        ProviderView {
            name: name.to_string(),
            scheme: scheme.name().to_owned(),
            integrity,
            tolerance_ms,
            secrets_matched: live.secret_places.iter().map(matched).collect(),
            secrets_written: written.collect(),
            counts: view(counted),
        }
    }
}

impl CountsView {
    /// The numbers alone.
    pub(crate) fn brief(counted: Counted) -> CountsView {
        CountsView { recent_refusals: None, ..CountsView::full(counted) }
    }

    /// With the refusals that are kept, the latest first.
    pub(crate) fn full(counted: Counted) -> CountsView {
        CountsView {
            accepted: counted.accepted,
            duplicates: counted.duplicates,
            duplicates_that_differ: counted.differing,
            refused: counted.refused,
            last_accepted: counted.last_accepted.map(|at| at.to_string()),
            recent_refusals: Some(counted.recent.into_iter().map(RefusalView::of).collect()),
        }
    }
}

impl RefusalView {
    fn of(turned: Turned) -> RefusalView {
        RefusalView {
            at: turned.at.to_string(),
            cause: turned.cause,
            message: turned.message,
            source: turned.source.to_string(),
        }
    }
}
