//! Where a schedule finds its time zone.

use std::collections::BTreeMap;

use super::zone::{UnknownZone, Zone};

/// The zones of the built-in IANA database, and tables that are laid over them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zones {
    /// By name in lower case.
    laid_over: BTreeMap<String, Zone>,
}

impl Zones {
    /// `zone` is found by its name from here on, in place of what had that name.
    #[must_use]
    pub fn with(mut self, zone: Zone) -> Zones {
        self.laid_over.insert(zone.name().to_ascii_lowercase(), zone);
        self
    }

    /// In any case, as [`Zone::parse`] does.
    pub fn find(&self, name: &str) -> Result<Zone, UnknownZone> {
        match self.laid_over.get(&name.to_ascii_lowercase()) {
            Some(zone) => Ok(zone.clone()),
            None => Zone::parse(name),
        }
    }
}
