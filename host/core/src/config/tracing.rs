//! Where spans go.

use std::collections::BTreeSet;

use super::provider;
use super::reader::Section;
use crate::name::ProviderName;

/// Providers whose traces are continued.
const CONTINUED_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracing {
    /// Of a collector that takes OTLP over HTTP, without `/v1/traces`. Without it the environment may name one.
    pub endpoint: Option<String>,
    /// Of the traces that begin here, 0 to 100.
    pub sample_percent: u32,
    /// Whose traces are continued; those of others are linked.
    pub continued: BTreeSet<ProviderName>,
}

impl Default for Tracing {
    fn default() -> Tracing {
        Tracing { endpoint: None, sample_percent: 100, continued: BTreeSet::new() }
    }
}

impl Tracing {
    pub(super) fn read(mut section: Section<'_>) -> Tracing {
        let usual = Tracing::default();
        let endpoint = section.parsed("endpoint", provider::url);
        let sample_percent = section.parsed("sample", percent).unwrap_or(usual.sample_percent);
        let continued = section.list("continue", 0..=CONTINUED_MAX).unwrap_or_default();
        let continued = continued.iter().filter_map(|field| field.parsed(ProviderName::parse)).collect();
        section.finish();
        Tracing { endpoint, sample_percent, continued }
    }
}

fn percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').and_then(|number| number.parse().ok()).filter(|number| *number <= 100);
    number.ok_or_else(|| format!("must be 0%..=100%, got {text}"))
}
