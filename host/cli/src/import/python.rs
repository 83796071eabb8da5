//! Finds a beat_schedule in Python, and reads what of it is data. Nothing is run.

mod data;

use std::collections::HashMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Arguments, Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

use super::value::Value;
use super::{Found, Named};
use data::Reader;
pub(super) use data::span;

/// What the settings are called in the files of several releases.
const NAMES: [&str; 3] = ["beat_schedule", "celery_beat_schedule", "celerybeat_schedule"];
const ZONES: [&str; 2] = ["timezone", "celery_timezone"];
/// Names that stand for other names, and expressions within expressions.
const DEPTH_MAX: usize = 64;

/// Brackets within brackets; those in texts count, too.
const BRACKETS_MAX: usize = 500;
/// A sum of all that a file may hold is as deep as it is long.
const STACK_BYTES: usize = 256 << 20;

pub(super) fn read(source: &str) -> Result<Found, String> {
    let mut depth = 0usize;
    for byte in source.bytes() {
        depth = match byte {
            b'(' | b'[' | b'{' => depth + 1,
            b')' | b']' | b'}' => depth.saturating_sub(1),
            _ => depth,
        };
        if depth > BRACKETS_MAX {
            return Err("its brackets are too deep: give the schedule a file of its own".to_owned());
        }
    }
    let failed = || "it could not be read: give the schedule a file of its own".to_owned();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || parse(source));
        thread.map_err(|_| failed())?.join().map_err(|_| failed())?
    })
}

fn parse(source: &str) -> Result<Found, String> {
    let parsed = ruff_python_parser::parse_module(source).map_err(|error| {
        let line = line_of(source, error.location.start().into());
        format!("line {line} is no Python: {}", error.error)
    })?;
    let module = parsed.into_syntax();
    let mut constants = HashMap::new();
    for statement in &module.body {
        if let Some((Expr::Name(name), value)) = assigned(statement) {
            constants.insert(name.id.as_str(), value);
        }
    }
    let reader = Reader { source, constants };
    let mut finder = Finder { reader, found: Found::default() };
    finder.visit_body(&module.body);
    Ok(finder.found)
}

fn line_of(source: &str, offset: usize) -> usize {
    source.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

/// The target and the value of a plain assignment.
fn assigned(statement: &Stmt) -> Option<(&Expr, &Expr)> {
    match statement {
        Stmt::Assign(assign) => assign.targets.first().map(|target| (target, &*assign.value)),
        Stmt::AnnAssign(assign) => assign.value.as_ref().map(|value| (&*assign.target, &**value)),
        _ => None,
    }
}

struct Finder<'a> {
    reader: Reader<'a>,
    found: Found,
}

impl<'a> Visitor<'a> for Finder<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Some((target, value)) = assigned(statement) {
            self.assignment(target, value);
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(call) => self.call(call),
            Expr::Dict(dict) => {
                for item in &dict.items {
                    if let Some(Expr::StringLiteral(key)) = &item.key {
                        self.setting(key.value.to_str(), &item.value);
                    }
                }
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

/// The last of the names in `app.conf.beat_schedule` or `settings["beat_schedule"]`.
fn last_name(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        Expr::Subscript(subscript) => match &*subscript.slice {
            Expr::StringLiteral(text) => Some(text.value.to_str()),
            _ => None,
        },
        _ => None,
    }
}

fn is_schedule(name: &str) -> bool {
    NAMES.contains(&name.to_ascii_lowercase().as_str())
}

impl<'a> Finder<'a> {
    fn assignment(&mut self, target: &'a Expr, value: &'a Expr) {
        // beat_schedule["name"] = {..}
        if let Expr::Subscript(subscript) = target
            && last_name(&subscript.value).is_some_and(is_schedule)
            && let Expr::StringLiteral(name) = &*subscript.slice
        {
            return self.one(name.value.to_str().to_owned(), value);
        }
        if let Some(name) = last_name(target) {
            self.setting(name, value);
        }
    }

    fn setting(&mut self, name: &str, value: &'a Expr) {
        if is_schedule(name) {
            self.entries(value);
        } else if ZONES.contains(&name.to_ascii_lowercase().as_str()) {
            self.found.timezone = Some(self.reader.value(value, 0));
        }
    }

    fn call(&mut self, call: &'a ExprCall) {
        for keyword in &call.arguments.keywords {
            if let Some(name) = &keyword.arg {
                self.setting(name.as_str(), &keyword.value);
            }
        }
        let Expr::Attribute(function) = &*call.func else { return };
        match function.attr.as_str() {
            "update" if last_name(&function.value).is_some_and(is_schedule) => {
                call.arguments.args.iter().for_each(|argument| self.entries(argument));
            }
            "add_periodic_task" => self.periodic(call),
            _ => {}
        }
    }

    fn entries(&mut self, value: &'a Expr) {
        let mut value = value;
        for _ in 0..DEPTH_MAX {
            match value {
                Expr::Name(name) => match self.reader.constants.get(name.id.as_str()) {
                    Some(known) => value = known,
                    None => break,
                },
                _ => break,
            }
        }
        match value {
            Expr::Dict(dict) => {
                for item in &dict.items {
                    match &item.key {
                        Some(key) => match self.reader.value(key, 0) {
                            Value::Text(name) => self.one(name, &item.value),
                            other => self.left(key, &format!("the entry {other} has no name that is plain text")),
                        },
                        // {**other, ..}
                        None => self.entries(&item.value),
                    }
                }
            }
            Expr::Call(call) if last_name(&call.func) == Some("dict") => {
                call.arguments.args.iter().for_each(|argument| self.entries(argument));
                for keyword in &call.arguments.keywords {
                    match &keyword.arg {
                        Some(name) => self.one(name.to_string(), &keyword.value),
                        None => self.entries(&keyword.value),
                    }
                }
            }
            other => self.left(other, "a part of the schedule is made by code, which is not run"),
        }
    }

    fn left(&mut self, what: &Expr, why: &str) {
        let (line, code) = (self.reader.line(what), self.reader.code(what));
        self.found.unread.push(format!("line {line}: {why} ({code}): write the entries out, and import them again"));
    }

    fn one(&mut self, name: String, value: &'a Expr) {
        let place = format!("line {}", self.reader.line(value));
        let entry = self.reader.value(value, 0);
        // The last of a name counts, as in Python.
        self.found.entries.retain(|known| known.name != name);
        self.found.entries.push(Named { name, entry, place });
    }

    /// `sender.add_periodic_task(schedule, signature, args, kwargs, name=..., **options)`
    fn periodic(&mut self, call: &'a ExprCall) {
        let Arguments { args, keywords, .. } = &call.arguments;
        let by_name = |wanted: &str| {
            let keyword = keywords.iter().find(|keyword| keyword.arg.as_ref().is_some_and(|name| name == wanted));
            keyword.map(|keyword| &keyword.value)
        };
        let argument = |place: usize, name: &str| args.get(place).or_else(|| by_name(name));
        let schedule = argument(0, "schedule").map_or(Value::None, |value| self.reader.value(value, 0));
        let mut members = vec![("schedule".to_owned(), schedule)];
        if let Some(signature) = argument(1, "sig") {
            members.extend(self.reader.signature(signature));
        }
        for (place, name) in [(2, "args"), (3, "kwargs")] {
            members.extend(argument(place, name).map(|value| (name.to_owned(), self.reader.value(value, 0))));
        }
        let own = ["schedule", "sig", "args", "kwargs", "name"];
        let options = keywords.iter().filter_map(|keyword| {
            let name =
                keyword.arg.as_ref().map(|name| name.to_string()).filter(|name| !own.contains(&name.as_str()))?;
            Some((name, self.reader.value(&keyword.value, 0)))
        });
        let options: Vec<_> = options.collect();
        if !options.is_empty() {
            members.push(("options".to_owned(), Value::Map(options)));
        }
        let entry = Value::Map(members);
        let task = entry.get("task").map(|task| match task {
            Value::Text(text) => text.clone(),
            other => other.to_string(),
        });
        let name = match by_name("name").map(|name| self.reader.value(name, 0)) {
            Some(Value::Text(name)) => name,
            _ => task.unwrap_or_else(|| "periodic".to_owned()),
        };
        let place = format!("line {}", line_of(self.reader.source, call.range().start().into()));
        self.found.entries.push(Named { name, entry, place });
    }
}
