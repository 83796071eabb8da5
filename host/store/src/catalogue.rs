//! The plugins and the routes to their handlers.

mod row;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookbox_core::event::Event;
use hookbox_core::name::{HandlerRef, PluginName};
use hookbox_core::plugin::{Handler, Trigger};
use hookbox_core::policy::Terms;
use hookbox_core::route::Pattern;
use hookbox_core::route::filter::{Fault, Filter, Subject};

pub use row::{
    ActiveVersion, By, COMMANDS_MAX, CommandAnswer, CommandRefused, Ended, Ending, HISTORY_MAX, PastVersion,
    PluginCommand, PluginRow, REJECTED_MAX, RefusedVersion, RejectedVersion, Rollbacks, SignedBy, Standing, Trusted,
    Wish,
};

/// All plugins and where events go; a snapshot that does not change.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    plugins: BTreeMap<PluginName, PluginRow>,
    /// The last command for each plugin, known or not.
    commands: Arc<BTreeMap<PluginName, PluginCommand>>,
    /// Handlers that take events.
    routes: Vec<Route>,
    /// Patterns without a star, by topic.
    exact: HashMap<String, Vec<usize>>,
    starred: Vec<(Pattern, usize)>,
}

/// A handler that takes events.
#[derive(Debug, Clone)]
pub struct Route {
    pub target: HandlerRef,
    pub patterns: Vec<Pattern>,
    pub filter: Option<Filter>,
    tally: Arc<Tally>,
}

/// What a filter made of the events that its patterns matched, since the start of the host.
#[derive(Debug, Default)]
struct Tally {
    passed_over: AtomicU64,
    faults: AtomicU64,
}

/// What a handler makes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It gets a run.
    Reached,
    /// No pattern of its matches.
    NoPattern,
    /// Its filter is false.
    FilteredOut,
    /// Its filter has no answer, which counts as false.
    Fault(Fault),
}

impl Route {
    /// Events that the filter passed over, and events that it had no answer for, since the start of the host.
    pub fn tally(&self) -> (u64, u64) {
        (self.tally.passed_over.load(Ordering::Relaxed), self.tally.faults.load(Ordering::Relaxed))
    }

    fn judge(&self, subject: &Subject<'_>) -> Verdict {
        match self.filter.as_ref().map(|filter| filter.matches(subject)) {
            None | Some(Ok(true)) => Verdict::Reached,
            Some(Ok(false)) => Verdict::FilteredOut,
            Some(Err(fault)) => Verdict::Fault(fault),
        }
    }
}

impl Catalogue {
    pub fn new(rows: impl IntoIterator<Item = PluginRow>) -> Catalogue {
        let plugins: BTreeMap<_, _> = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
        let mut catalogue = Catalogue { plugins, ..Catalogue::default() };
        for row in catalogue.plugins.values() {
            for handler in row.active.iter().flat_map(|active| &active.info.handlers) {
                if let Trigger::Events(patterns) = &handler.trigger {
                    catalogue.routes.push(Route {
                        target: HandlerRef { plugin: row.name.clone(), handler: handler.name.clone() },
                        patterns: patterns.clone(),
                        filter: handler.filter.clone(),
                        tally: Arc::default(),
                    });
                }
            }
        }
        for (at, route) in catalogue.routes.iter().enumerate() {
            for pattern in &route.patterns {
                let topic = pattern.to_string();
                if topic.contains('*') {
                    catalogue.starred.push((pattern.clone(), at));
                } else {
                    catalogue.exact.entry(topic).or_default().push(at);
                }
            }
        }
        catalogue
    }

    /// With one row put in or exchanged.
    #[must_use]
    pub fn with(&self, row: PluginRow) -> Catalogue {
        let others = self.plugins.values().filter(|other| other.name != row.name).cloned();
        let mut catalogue = Catalogue::new(others.chain([row.clone()]));
        catalogue.commands = Arc::clone(&self.commands);
        for route in &mut catalogue.routes {
            let same = |old: &&Route| old.target == route.target && old.filter == route.filter;
            if let Some(old) = self.routes.iter().find(same) {
                route.tally = Arc::clone(&old.tally);
            }
        }
        catalogue
    }

    /// With other commands.
    #[must_use]
    pub fn commanded(&self, commands: BTreeMap<PluginName, PluginCommand>) -> Catalogue {
        Catalogue { commands: Arc::new(commands), ..self.clone() }
    }

    /// What operators wanted last of each plugin.
    pub fn commands(&self) -> &BTreeMap<PluginName, PluginCommand> {
        &self.commands
    }

    /// The handlers whose patterns match, each once, whatever their filters say.
    pub fn route(&self, namespace: &str, event_type: &str) -> Vec<HandlerRef> {
        self.matching(namespace, event_type).into_iter().map(|route| route.target.clone()).collect()
    }

    /// The handlers that an event which is coming in reaches, each once, and how a run of each waits. Filters that passed
    /// it over are counted.
    pub fn reach(&self, event: &Event) -> Vec<(HandlerRef, Terms)> {
        let subject = Subject::new(event);
        let mut targets = Vec::new();
        for route in self.matching(&event.namespace, &event.event_type) {
            match route.judge(&subject) {
                Verdict::Reached => targets.push((route.target.clone(), self.terms(&route.target, &subject))),
                Verdict::Fault(_) => _ = route.tally.faults.fetch_add(1, Ordering::Relaxed),
                Verdict::FilteredOut | Verdict::NoPattern => {
                    route.tally.passed_over.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        targets
    }

    /// What every handler of an active version makes of an event. Nothing is counted.
    pub fn judge(&self, event: &Event) -> Vec<(&Route, Verdict)> {
        let subject = Subject::new(event);
        let matches = |route: &Route| route.patterns.iter().any(|p| p.matches(&event.namespace, &event.event_type));
        let judge = |route| if matches(route) { route.judge(&subject) } else { Verdict::NoPattern };
        self.routes.iter().map(|route| (route, judge(route))).collect()
    }

    /// All handlers that take events.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    fn matching(&self, namespace: &str, event_type: &str) -> Vec<&Route> {
        let exact = self.exact.get(&format!("{namespace}/{event_type}")).into_iter().flatten();
        let mut found: Vec<usize> = exact.copied().collect();
        let starred = self.starred.iter().filter(|(pattern, _)| pattern.matches(namespace, event_type));
        found.extend(starred.map(|(_, at)| at));
        let mut seen = BTreeSet::new();
        found.retain(|at| seen.insert(*at));
        found.into_iter().filter_map(|at| self.routes.get(at)).collect()
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
    use hookbox_core::event::Source;
    use hookbox_core::id::EventId;
    use hookbox_core::name::HandlerName;
    use hookbox_core::plugin::{Digest, PluginInfo, PolicyPatch};
    use hookbox_core::time::Timestamp;
    use proptest::prelude::*;

    fn row(plugin: &str, patterns: &[&str]) -> PluginRow {
        let name = PluginName::parse(plugin).unwrap();
        let handler = Handler {
            name: HandlerName::parse("on-event").unwrap(),
            trigger: Trigger::Events(patterns.iter().map(|p| Pattern::parse(p).unwrap()).collect()),
            description: None,
            policy: PolicyPatch::default(),
            filter: None,
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

    fn filtered(plugin: &str, patterns: &[&str], filter: &str) -> PluginRow {
        let mut row = row(plugin, patterns);
        let handlers = row.active.as_mut().map(|active| &mut active.info.handlers);
        handlers.unwrap()[0].filter = Some(Filter::parse(filter).unwrap());
        row
    }

    fn event(namespace: &str, event_type: &str, data: &str) -> Event {
        Event {
            id: EventId::new(Timestamp(1), 1),
            source: Source::Plugin(PluginName::parse("a").unwrap()),
            namespace: namespace.to_owned(),
            event_type: event_type.to_owned(),
            subject: None,
            time: Timestamp(1),
            content_type: "application/json".to_owned(),
            data: data.as_bytes().to_vec(),
            attributes: Vec::new(),
            hops: 0,
        }
    }

    fn reached(catalogue: &Catalogue, event: &Event) -> Vec<String> {
        catalogue.reach(event).iter().map(|(target, _)| target.plugin.to_string()).collect()
    }

    #[test]
    fn an_event_reaches_the_handlers_whose_filters_want_it() {
        let catalogue = Catalogue::new([
            filtered("big", &["shop/order"], "data.amount > 1000"),
            filtered("small", &["shop/*"], "data.amount <= 1000"),
            row("all", &["shop/order"]),
            filtered("other", &["bank/*"], "true"),
        ]);
        let order = |amount: &str| event("shop", "order", &format!(r#"{{"data":{{"amount":{amount}}}}}"#));
        assert_eq!(reached(&catalogue, &order("1500")), ["all", "big"]);
        assert_eq!(reached(&catalogue, &order("1000")), ["all", "small"]);
        assert_eq!(reached(&catalogue, &order("\"1500\"")), ["all"]);
        assert_eq!(catalogue.route("shop", "order").len(), 3);
        let told: Vec<_> = catalogue.judge(&order("\"1500\"")).into_iter().map(|(_, verdict)| verdict).collect();
        assert_eq!(
            told,
            [Verdict::Reached, Verdict::Fault(Fault::Mismatch), Verdict::NoPattern, Verdict::Fault(Fault::Mismatch)]
        );
    }

    #[test]
    fn what_filters_pass_over_is_counted_until_they_change() {
        let catalogue = Catalogue::new([filtered("big", &["shop/*"], "data.amount > 1000")]);
        for data in [r#"{"data":{"amount":1}}"#, r#"{"data":{"amount":1001}}"#, "{}", "no json"] {
            catalogue.reach(&event("shop", "order", data));
            catalogue.judge(&event("shop", "order", data));
        }
        assert_eq!(catalogue.routes()[0].tally(), (1, 2));
        assert_eq!(catalogue.with(row("other", &["shop/x"])).routes()[0].tally(), (1, 2));
        let changed = catalogue.with(filtered("big", &["shop/*"], "data.amount > 1"));
        assert_eq!(changed.routes()[0].tally(), (0, 0));
    }

    #[test]
    fn the_same_version_with_another_filter_is_no_new_version() {
        let mut row = row("a", &["shop/*"]);
        let info = filtered("a", &["shop/*"], "true").active.unwrap().info;
        row.activated(Digest([1; 32]), info.clone(), Timestamp(2));
        let active = row.active.unwrap();
        assert_eq!((active.info, active.since, row.history.len()), (info, Timestamp(1), 1));
    }

    proptest! {
        /// Each handler by itself, by its patterns and its filter.
        #[test]
        fn routing_agrees_with_the_plain_definition(
            handlers in prop::collection::vec((prop::collection::vec("[ab*]/[ab*]{1,3}", 1..4), prop::option::of(0u8..4)), 1..6),
            namespace in "[ab]", event_type in "[ab]{1,3}", amount in 0u8..4,
        ) {
            let named = |n: usize| format!("p{n}");
            let rows = handlers.iter().enumerate().map(|(n, (patterns, limit))| {
                let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
                match limit {
                    None => row(&named(n), &patterns),
                    Some(limit) => filtered(&named(n), &patterns, &format!("amount > {limit}")),
                }
            });
            let catalogue = Catalogue::new(rows);
            let event = event(&namespace, &event_type, &format!(r#"{{"amount":{amount}}}"#));
            let wanted = handlers.iter().enumerate().filter(|(_, (patterns, limit))| {
                let matches = |p: &String| Pattern::parse(p).unwrap().matches(&namespace, &event_type);
                patterns.iter().any(matches) && limit.is_none_or(|limit| amount > limit)
            });
            let wanted: Vec<String> = wanted.map(|(n, _)| named(n)).collect();
            let mut got = reached(&catalogue, &event);
            got.sort();
            prop_assert_eq!(&got, &wanted);
            let told = catalogue.judge(&event).into_iter().filter(|(_, verdict)| *verdict == Verdict::Reached);
            let told: Vec<String> = told.map(|(route, _)| route.target.plugin.to_string()).collect();
            prop_assert_eq!(told, wanted);
        }
    }
}
