//! Settings of Celery, and which of those that have their names are its own.

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::Ranged;

use super::{Finder, is_schedule, last_name};
use crate::import::value::Value;
use crate::import::{Found, zone};

/// What names another scheduler than Beat's own.
const SCHEDULERS: [&str; 3] = ["beat_scheduler", "CELERY_BEAT_SCHEDULER", "CELERYBEAT_SCHEDULER"];

/// Where a setting stands. A time zone counts with the app, and beside a schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Home {
    App,
    /// A dict or a call: its offset in the file.
    Literal(usize),
    /// What has attributes or members: its text.
    Object(String),
}

pub(super) struct Setting {
    name: String,
    value: Value,
    place: String,
    home: Home,
    only_if: Option<String>,
}

pub(super) fn literal(expression: &impl Ranged) -> Home {
    Home::Literal(expression.range().start().into())
}

impl<'a> Finder<'a> {
    pub(super) fn object(&self, expression: &Expr) -> Home {
        if last_name(expression) == Some("conf") { Home::App } else { Home::Object(self.reader.code(expression)) }
    }

    pub(super) fn setting(&mut self, name: &str, value: &'a Expr, home: Option<Home>) {
        if is_schedule(name) {
            self.homes.extend(home);
            // Django has a zone of its own where its settings name none.
            if name.starts_with("CELERY") {
                self.found.zones.may_be_in("Django's settings".to_owned());
            }
            self.schedule(value);
        } else if let Some(home) = home.filter(|_| zone::is_setting(name)) {
            let (value, place) = (self.zone(value), format!("line {}", self.reader.line(value)));
            let only_if = self.within.last().cloned();
            self.settings.push(Setting { name: name.to_owned(), value, place, home, only_if });
        } else if SCHEDULERS.contains(&name) {
            let scheduler = self.reader.value(value, 0);
            self.found.notes.push(format!(
                "{name} is {scheduler}: schedules that it keeps elsewhere are not here; those of django-celery-beat are \
                 in what `manage.py dumpdata django_celery_beat` prints"
            ));
        }
    }

    /// A name, or `ZoneInfo("..")` and the like.
    fn zone(&self, value: &'a Expr) -> Value {
        match self.reader.known(value) {
            Expr::Call(call) if matches!(last_name(&call.func), Some("ZoneInfo" | "timezone" | "gettz")) => {
                match (&*call.arguments.args, &*call.arguments.keywords) {
                    ([name], []) => self.reader.value(name, 0),
                    _ => self.reader.value(value, 0),
                }
            }
            Expr::Attribute(attribute) if matches!(attribute.attr.as_str(), "utc" | "UTC") => {
                Value::Text("UTC".to_owned())
            }
            _ => self.reader.value(value, 0),
        }
    }

    pub(super) fn finish(mut self) -> Found {
        for Setting { name, value, place, home, only_if } in self.settings {
            if home == Home::App || self.homes.contains(&home) {
                self.found.zones.set(&name, value, &place);
                self.found.notes.extend(only_if.map(|why| {
                    format!("{name} ({place}) stands in {why}, which is not asked: look whether times are right")
                }));
            }
        }
        if self.lines.len() > 1 {
            let lines = self.lines.iter().map(|line| format!("line {line}")).collect::<Vec<_>>().join(", ");
            self.found.notes.push(format!(
                "the schedule is set in several places ({lines}): all of them are here; take out what does not count"
            ));
        }
        self.found
    }

    pub(super) fn all_given(&mut self, call: &'a ExprCall) {
        call.arguments.args.iter().for_each(|argument| self.given(argument));
    }

    pub(super) fn may_be_in(&mut self, code: &Expr) {
        self.found.zones.may_be_in(format!("`{}`", self.reader.code(code)));
    }

    /// Settings that the app is given as a whole.
    pub(super) fn given(&mut self, settings: &'a Expr) {
        match self.reader.known(settings) {
            dict @ Expr::Dict(_) => self.homes.extend([literal(dict)]),
            Expr::Call(call) if last_name(&call.func) == Some("dict") => self.homes.extend([literal(call)]),
            // Its assignments are looked at like those of the module.
            Expr::Name(name) if self.classes.contains(name.id.as_str()) || name.id == "__name__" => {}
            other => self.may_be_in(other),
        }
    }
}
