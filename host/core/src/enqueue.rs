//! Handlers of other plugins that a plugin may make jobs for.

use std::fmt;

use crate::name::{HandlerName, HandlerRef, PluginName};

/// `reports/nightly`, or `reports/*` for all of its handlers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnqueueGrant {
    plugin: PluginName,
    /// All where there is none.
    handler: Option<HandlerName>,
}

impl EnqueueGrant {
    pub fn parse(text: &str) -> Result<EnqueueGrant, String> {
        let form = "write it as in reports/nightly, or reports/* for all handlers of the plugin reports";
        let (plugin, handler) = text.split_once('/').ok_or_else(|| format!("{text:?} has no slash: {form}"))?;
        let plugin = PluginName::parse(plugin).map_err(|error| format!("{error}: {form}"))?;
        let handler = match handler {
            "*" => None,
            name => Some(HandlerName::parse(name).map_err(|error| format!("{error}: {form}"))?),
        };
        Ok(EnqueueGrant { plugin, handler })
    }

    pub fn allows(&self, target: &HandlerRef) -> bool {
        self.plugin == target.plugin && self.handler.as_ref().is_none_or(|handler| *handler == target.handler)
    }
}

impl fmt::Display for EnqueueGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.handler {
            Some(handler) => write!(f, "{}/{handler}", self.plugin),
            None => write!(f, "{}/*", self.plugin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_for_one_handler_or_for_all_of_one_plugin() {
        let allows = |grant: &str, target: &str| EnqueueGrant::parse(grant).unwrap().allows(&target.parse().unwrap());
        assert!(allows("reports/nightly", "reports/nightly") && allows("reports/*", "reports/nightly"));
        assert!(!allows("reports/nightly", "reports/other") && !allows("reports/*", "report/nightly"));
        for grant in ["reports/nightly", "reports/*"] {
            assert_eq!(EnqueueGrant::parse(grant).unwrap().to_string(), grant);
        }
    }

    #[test]
    fn what_is_no_grant_is_refused_with_the_form_of_one() {
        for text in ["", "reports", "*/nightly", "*", "reports/", "reports/a/b", "Reports/x", "reports/ni*"] {
            let told = EnqueueGrant::parse(text).unwrap_err();
            assert!(told.contains("reports/nightly"), "{text}: {told}");
        }
    }
}
