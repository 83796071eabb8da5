//! The plugins and the routes to their handlers.

use std::collections::{BTreeMap, HashMap};

use hookbox_core::name::{HandlerRef, PluginName};
use hookbox_core::plugin::{Digest, Handler, PluginInfo, Trigger};
use hookbox_core::route::Pattern;
use hookbox_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Versions that are remembered for each plugin.
pub const HISTORY_MAX: usize = 10;

/// What is known of one plugin. The folder proposes; this row decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRow {
    pub name: PluginName,
    /// The version that serves.
    pub active: Option<ActiveVersion>,
    /// The latest version that was refused, and why; gone once a good one is active.
    pub refused: Option<RefusedVersion>,
    /// The file is gone from the folder; its runs wait for a while.
    pub missing_since: Option<Timestamp>,
    /// Versions that served, latest last.
    pub history: Vec<PastVersion>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveVersion {
    pub digest: Digest,
    pub since: Timestamp,
    pub info: PluginInfo,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedVersion {
    pub digest: Option<Digest>,
    pub at: Timestamp,
    /// Kebab-case code of the cause.
    pub code: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastVersion {
    pub digest: Digest,
    pub since: Timestamp,
}

impl PluginRow {
    pub fn new(name: PluginName) -> PluginRow {
        PluginRow { name, active: None, refused: None, missing_since: None, history: Vec::new() }
    }

    /// `version` serves from now on.
    pub fn activated(&mut self, digest: Digest, info: PluginInfo, at: Timestamp) {
        self.missing_since = None;
        self.refused = None;
        if self.active.as_ref().is_some_and(|active| active.digest == digest && active.info == info) {
            return;
        }
        self.history.push(PastVersion { digest, since: at });
        let surplus = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..surplus);
        self.active = Some(ActiveVersion { digest, since: at, info });
    }
}

/// All plugins and where events go; a snapshot that does not change.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    plugins: BTreeMap<PluginName, PluginRow>,
    /// Patterns without a star, by topic.
    exact: HashMap<String, Vec<HandlerRef>>,
    starred: Vec<(Pattern, HandlerRef)>,
}

impl Catalogue {
    pub fn new(rows: impl IntoIterator<Item = PluginRow>) -> Catalogue {
        let plugins: BTreeMap<_, _> = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
        let mut catalogue = Catalogue { plugins, ..Catalogue::default() };
        let mut routes = Vec::new();
        for row in catalogue.plugins.values() {
            for handler in row.active.iter().flat_map(|active| &active.info.handlers) {
                if let Trigger::Events(patterns) = &handler.trigger {
                    let target = HandlerRef { plugin: row.name.clone(), handler: handler.name.clone() };
                    routes.extend(patterns.iter().map(|pattern| (pattern.clone(), target.clone())));
                }
            }
        }
        for (pattern, target) in routes {
            let topic = pattern.to_string();
            if topic.contains('*') {
                catalogue.starred.push((pattern, target));
            } else {
                catalogue.exact.entry(topic).or_default().push(target);
            }
        }
        catalogue
    }

    /// With one row put in or exchanged.
    #[must_use]
    pub fn with(&self, row: PluginRow) -> Catalogue {
        let others = self.plugins.values().filter(|other| other.name != row.name).cloned();
        Catalogue::new(others.chain([row.clone()]))
    }

    /// The handlers that an event reaches, each once.
    pub fn route(&self, namespace: &str, event_type: &str) -> Vec<HandlerRef> {
        let exact = self.exact.get(&format!("{namespace}/{event_type}")).into_iter().flatten();
        let mut targets: Vec<HandlerRef> = exact.cloned().collect();
        for (pattern, target) in &self.starred {
            if pattern.matches(namespace, event_type) && !targets.contains(target) {
                targets.push(target.clone());
            }
        }
        targets.dedup();
        targets
    }

    pub fn plugins(&self) -> impl Iterator<Item = &PluginRow> {
        self.plugins.values()
    }

    pub fn plugin(&self, name: &PluginName) -> Option<&PluginRow> {
        self.plugins.get(name)
    }

    /// The handler as its plugin's active version declares it.
    pub fn handler(&self, target: &HandlerRef) -> Option<&Handler> {
        self.plugins.get(&target.plugin)?.active.as_ref()?.info.handler(&target.handler)
    }

    /// All handlers of active versions.
    pub fn handlers(&self) -> impl Iterator<Item = (HandlerRef, &Handler)> {
        self.plugins.values().flat_map(|row| {
            row.active
                .iter()
                .flat_map(|active| &active.info.handlers)
                .map(|handler| (HandlerRef { plugin: row.name.clone(), handler: handler.name.clone() }, handler))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookbox_core::name::HandlerName;
    use hookbox_core::plugin::PolicyPatch;

    fn row(plugin: &str, patterns: &[&str]) -> PluginRow {
        let name = PluginName::parse(plugin).unwrap();
        let handler = Handler {
            name: HandlerName::parse("on-event").unwrap(),
            trigger: Trigger::Events(patterns.iter().map(|p| Pattern::parse(p).unwrap()).collect()),
            description: None,
            policy: PolicyPatch::default(),
        };
        let info = PluginInfo { name: name.clone(), version: "1".into(), description: None, handlers: vec![handler] };
        let mut row = PluginRow::new(name);
        row.activated(Digest([1; 32]), info, Timestamp(1));
        row
    }

    #[test]
    fn an_event_reaches_each_handler_once() {
        let rows = [row("a", &["shop/user.created", "shop/*"]), row("b", &["*/user.created"]), row("c", &["shop/x"])];
        let catalogue = Catalogue::new(rows);
        let reached: Vec<String> = catalogue.route("shop", "user.created").iter().map(ToString::to_string).collect();
        assert_eq!(reached, ["a/on-event", "b/on-event"]);
        assert!(catalogue.route("evil", "x").is_empty());
    }

    #[test]
    fn a_new_version_takes_over_the_routes_of_the_old_one() {
        let catalogue = Catalogue::new([row("a", &["shop/old"])]).with(row("a", &["shop/new"]));
        assert!(catalogue.route("shop", "old").is_empty());
        assert_eq!(catalogue.route("shop", "new").len(), 1);
    }
}
