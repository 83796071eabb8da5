//! `add_periodic_task`, and the signature of a task that it is given.

use ruff_python_ast::{Arguments, Expr, ExprCall};

use super::data::Reader;
use super::{Finder, last_name};
use crate::import::Named;
use crate::import::value::Value;

/// Of `signature(..)`, beside options.
const OWN: [&str; 9] = ["task", "varies", "args", "kwargs", "options", "immutable", "type", "subtask_type", "app"];

type Members = Vec<(String, Value)>;

/// A task with arguments.
struct Signature {
    task: Value,
    args: Value,
    kwargs: Value,
    options: Members,
    /// It takes no more arguments.
    is_immutable: bool,
}

impl Signature {
    fn of(task: Value) -> Signature {
        Signature {
            task,
            args: Value::List(Vec::new()),
            kwargs: Value::Map(Vec::new()),
            options: Vec::new(),
            is_immutable: false,
        }
    }

    /// More arguments come before its own ones, and more named ones in their place.
    fn with(self, args: Option<Value>, kwargs: Option<Value>) -> Signature {
        if self.is_immutable {
            return self;
        }
        let args = match (args, self.args) {
            (None, own) => own,
            (Some(Value::List(mut first)), Value::List(own)) => {
                first.extend(own);
                Value::List(first)
            }
            (Some(Value::List(_)), code) | (Some(code), _) => code,
        };
        let kwargs = match (self.kwargs, kwargs) {
            (own, None) => own,
            (Value::Map(mut own), Some(Value::Map(more))) => {
                own.extend(more);
                Value::Map(own)
            }
            (Value::Map(_), Some(code)) | (code, _) => code,
        };
        Signature { args, kwargs, ..self }
    }
}

/// Arguments of a call, by their places and names.
struct Given<'r, 'a> {
    reader: &'r Reader<'a>,
    arguments: &'a Arguments,
}

impl<'a> Given<'_, 'a> {
    fn expression(&self, place: Option<usize>, name: &str) -> Option<&'a Expr> {
        let placed = place.and_then(|place| self.arguments.args.get(place));
        let named =
            || self.arguments.keywords.iter().find(|keyword| keyword.arg.as_ref().is_some_and(|arg| arg == name));
        placed.or_else(|| named().map(|keyword| &keyword.value))
    }

    fn value(&self, place: Option<usize>, name: &str) -> Option<Value> {
        self.expression(place, name).map(|value| self.reader.value(value, 0))
    }

    /// Those with other names; of `**code` its text.
    fn others(&self, own: &[&str]) -> Members {
        let mut members = Vec::new();
        for keyword in &self.arguments.keywords {
            match (&keyword.arg, self.reader.value(&keyword.value, 0)) {
                (Some(name), _) if own.contains(&name.as_str()) => {}
                (Some(name), value) => members.push((name.to_string(), value)),
                (None, Value::Map(more)) => {
                    members.extend(more.into_iter().filter(|(name, _)| !own.contains(&name.as_str())));
                }
                (None, other) => members.push(("**".to_owned(), other)),
            }
        }
        members
    }
}

impl<'a> Finder<'a> {
    /// `sender.add_periodic_task(schedule, signature, args, kwargs, name, **options)`
    pub(super) fn periodic(&mut self, call: &'a ExprCall) {
        let given = Given { reader: &self.reader, arguments: &call.arguments };
        let signature = match given.expression(Some(1), "sig") {
            Some(signature) => self.reader.signature(signature),
            None => Signature::of(Value::None),
        };
        let some = |place, name| given.value(Some(place), name).filter(|value| !value.is_nothing());
        let (args, kwargs) = (some(2, "args"), some(3, "kwargs"));
        let Signature { task, args, kwargs, mut options, .. } = signature.with(args, kwargs);
        options.extend(given.others(&["schedule", "sig", "args", "kwargs", "name"]));
        let shown = match &task {
            Value::None => "periodic".to_owned(),
            Value::Text(task) => task.clone(),
            other => other.to_string(),
        };
        let place = format!("line {}", self.reader.line(call));
        let (name, key) = match given.value(Some(4), "name") {
            Some(Value::Text(name)) => (name.clone(), name),
            None | Some(Value::None) if args.to_json().is_ok() && kwargs.to_json().is_ok() => {
                let key = format!("{shown}({args}, {kwargs})");
                (shown, key)
            }
            // What code makes may be another at each place.
            _ => (shown, place.clone()),
        };
        let mut members = vec![("schedule", given.value(Some(0), "schedule").unwrap_or(Value::None))];
        if task != Value::None {
            members.push(("task", task));
        }
        members.extend([("args", args), ("kwargs", kwargs)]);
        if !options.is_empty() {
            members.push(("options", Value::Map(options)));
        }
        let entry = Value::Map(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        self.add(Named { name, key, entry, place, only_if: None });
    }
}

impl Reader<'_> {
    /// `task.s(1)`, `task.si(1)`, `task.signature((1,))`, `signature("task", args=(1,))`, or the task's name.
    fn signature(&self, expression: &Expr) -> Signature {
        let code = || Signature::of(Value::Code(self.code(expression)));
        let call = match expression {
            Expr::StringLiteral(name) => return Signature::of(Value::Text(name.value.to_str().to_owned())),
            Expr::Call(call) => call,
            _ => return code(),
        };
        let given = Given { reader: self, arguments: &call.arguments };
        match &*call.func {
            Expr::Attribute(function) if matches!(function.attr.as_str(), "s" | "si") => {
                let kwargs = given.others(&[]);
                let is_code = kwargs.iter().any(|(name, _)| name == "**");
                let args = call.arguments.args.iter().map(|argument| self.value(argument, 0));
                Signature {
                    task: Value::Text(self.code(&function.value)),
                    args: Value::List(args.collect()),
                    kwargs: if is_code { Value::Code(self.code(expression)) } else { Value::Map(kwargs) },
                    options: Vec::new(),
                    is_immutable: function.attr.as_str() == "si",
                }
            }
            Expr::Attribute(function) if matches!(function.attr.as_str(), "signature" | "subtask") => {
                match given.value(Some(0), "task").or_else(|| given.value(None, "varies")) {
                    // app.signature("task"), and celery's own
                    Some(task @ Value::Text(_)) => given.signature(task, 1),
                    Some(Value::Code(_)) => code(),
                    _ => given.signature(Value::Text(self.code(&function.value)), 0),
                }
            }
            other if matches!(last_name(other), Some("signature" | "subtask" | "Signature")) => {
                let task = given.value(Some(0), "task").or_else(|| given.value(None, "varies"));
                given.signature(task.unwrap_or(Value::None), 1)
            }
            _ => code(),
        }
    }
}

impl Given<'_, '_> {
    /// `args, kwargs, options`, from a place on, and options by their names.
    fn signature(&self, task: Value, first: usize) -> Signature {
        let plain = Signature::of(task);
        let part = |place: usize, name: &str| self.value(Some(first + place), name).filter(|part| !part.is_nothing());
        let mut options = match part(2, "options") {
            None => Vec::new(),
            Some(Value::Map(options)) => options,
            Some(other) => vec![("**".to_owned(), other)],
        };
        options.extend(self.others(&OWN));
        let immutable = self.value(None, "immutable");
        if let Some(code @ Value::Code(_)) = &immutable {
            options.push(("immutable".to_owned(), code.clone()));
        }
        Signature {
            args: part(0, "args").unwrap_or(plain.args),
            kwargs: part(1, "kwargs").unwrap_or(plain.kwargs),
            options,
            is_immutable: immutable == Some(Value::Bool(true)),
            task: plain.task,
        }
    }
}
