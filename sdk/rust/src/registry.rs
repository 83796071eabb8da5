//! The handlers that the attributes registered, and the way to them.

use std::time::Duration;

use crate::{Context, Error, Event, Job, Outcome, Result};

/// One handler, as its attribute left it.
pub struct Registration {
    pub package: Package,
    pub handler: Handler,
    pub run: Run,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub description: &'static str,
}

/// A handler as the host is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handler {
    pub name: &'static str,
    pub trigger: Trigger,
    /// Those of the policy, `filter` and `description`.
    pub options: &'static [(&'static str, &'static str)],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Patterns `provider/type`.
    Events(&'static [&'static str]),
    Schedule(Schedule),
    /// Runs only when enqueued.
    Manual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    pub when: When,
    /// `timezone`.
    pub options: &'static [(&'static str, &'static str)],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Cron(&'static str),
    Every(Duration),
}

/// The function, with the extraction of its arguments in front.
pub enum Run {
    Event(fn(&Context, &Event) -> Result<Outcome>),
    Job(fn(&Context, &Job) -> Result<Outcome>),
}

/// Where the attribute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub file: &'static str,
    pub line: u32,
}

/// What the plugin says it is, handlers sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    pub name: &'static str,
    pub version: &'static str,
    /// `None` where `Cargo.toml` has none.
    pub description: Option<&'static str>,
    pub handlers: Vec<Handler>,
}

inventory::collect!(Registration);

impl Handler {
    pub fn option(&self, name: &str) -> Option<&'static str> {
        self.options.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

impl PluginInfo {
    pub fn handler(&self, name: &str) -> Option<&Handler> {
        self.handlers.iter().find(|handler| handler.name == name)
    }
}

/// The plugin, or what is wrong with it.
pub(crate) fn describe() -> Result<PluginInfo, String> {
    plugin_info(inventory::iter::<Registration>.into_iter().collect())
}

fn plugin_info(mut all: Vec<&Registration>) -> Result<PluginInfo, String> {
    all.sort_by_key(|registration| (registration.handler.name, registration.place.file, registration.place.line));
    let Some(first) = all.first() else {
        return Err(
            "this plugin has no handler: put an attribute such as #[on(\"shop/user.created\")] on a function".into()
        );
    };
    for (one, other) in all.iter().zip(all.iter().skip(1)) {
        let (name, here, there) = (one.handler.name, one.place, other.place);
        if name == other.handler.name {
            return Err(format!(
                "two handlers are named `{name}`, at {}:{} and {}:{}: give one of them another name with `name = \"...\"`",
                here.file, here.line, there.file, there.line
            ));
        }
        if one.package != other.package {
            let (one, other) = (one.package.name, other.package.name);
            return Err(format!("handlers of two packages, `{one}` and `{other}`: a plugin is one package"));
        }
    }
    let Package { name, version, description } = first.package;
    let handlers = all.iter().map(|registration| registration.handler).collect();
    Ok(PluginInfo { name, version, description: (!description.is_empty()).then_some(description), handlers })
}

pub(crate) fn find(name: &str) -> Option<&'static Registration> {
    inventory::iter::<Registration>.into_iter().find(|registration| registration.handler.name == name)
}

pub(crate) fn handle_event(context: &Context, event: &Event) -> Result<Outcome> {
    match find(&context.handler).map(|registration| &registration.run) {
        Some(Run::Event(run)) => run(context, event),
        Some(Run::Job(_)) => Err(Error::permanent(format_args!("`{}` runs jobs, not events", context.handler))),
        None => Err(unknown(&context.handler)),
    }
}

pub(crate) fn run_job(context: &Context, job: &Job) -> Result<Outcome> {
    match find(&context.handler).map(|registration| &registration.run) {
        Some(Run::Job(run)) => run(context, job),
        Some(Run::Event(_)) => Err(Error::permanent(format_args!("`{}` runs for events, not jobs", context.handler))),
        None => Err(unknown(&context.handler)),
    }
}

fn unknown(name: &str) -> Error {
    Error::permanent(format_args!("this plugin has no handler `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(package: &'static str, name: &'static str, line: u32) -> Registration {
        Registration {
            package: Package { name: package, version: "0.1.0", description: "" },
            handler: Handler { name, trigger: Trigger::Manual, options: &[] },
            run: Run::Job(|_, _| Ok(Outcome::completed())),
            place: Place { file: "src/lib.rs", line },
        }
    }

    #[test]
    fn handlers_are_sorted_by_name() {
        let (b, a) = (registration("p", "b", 1), registration("p", "a", 2));
        let info = plugin_info(vec![&b, &a]).unwrap();
        assert_eq!((info.name, info.description), ("p", None));
        assert_eq!(info.handlers.iter().map(|handler| handler.name).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn two_handlers_of_one_name_are_refused_with_both_places() {
        let (one, other) = (registration("p", "a", 7), registration("p", "a", 3));
        let refusal = plugin_info(vec![&one, &other]).unwrap_err();
        assert!(refusal.contains("named `a`, at src/lib.rs:3 and src/lib.rs:7"), "{refusal}");
    }

    #[test]
    fn handlers_of_two_packages_are_refused() {
        let (one, other) = (registration("p", "a", 1), registration("q", "b", 1));
        assert!(plugin_info(vec![&one, &other]).unwrap_err().contains("`p` and `q`"));
    }

    #[test]
    fn a_plugin_without_a_handler_is_refused() {
        assert!(plugin_info(vec![]).unwrap_err().contains("no handler"));
    }
}
