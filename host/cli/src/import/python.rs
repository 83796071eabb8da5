//! Finds a beat_schedule in Python, and reads what of it is data. Nothing is run.

mod constants;
mod data;
mod entries;
mod periodic;
mod settings;

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Stmt};

use super::Found;
use constants::constants;
use data::Reader;
pub(super) use data::span;
use settings::{Home, Setting, literal};

/// What the settings are called in the files of several releases.
const NAMES: [&str; 3] = ["beat_schedule", "celery_beat_schedule", "celerybeat_schedule"];
/// What a method of a dict does that only reads.
const READS: [&str; 5] = ["get", "items", "keys", "values", "copy"];
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
    let classes = module.body.iter().filter_map(|statement| match statement {
        Stmt::ClassDef(class) => Some(class.name.as_str()),
        _ => None,
    });
    let schedules = module.body.iter().flat_map(assigned).filter_map(|(target, _)| match target {
        Expr::Name(name) if is_schedule(&name.id) => Some(name.id.as_str()),
        _ => None,
    });
    let reader = Reader { source, constants: constants(&module.body) };
    let mut finder = Finder {
        reader,
        classes: classes.collect(),
        found: Found::default(),
        settings: Vec::new(),
        homes: BTreeSet::new(),
        scope: Scope::Module,
        within: Vec::new(),
        schedules: schedules.collect(),
        lines: BTreeSet::new(),
    };
    finder.visit_body(&module.body);
    Ok(finder.finish())
}

fn line_of(source: &str, offset: usize) -> usize {
    source.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

/// The targets of a plain assignment, each with the value.
fn assigned(statement: &Stmt) -> Vec<(&Expr, &Expr)> {
    match statement {
        Stmt::Assign(assign) => assign.targets.iter().map(|target| (target, &*assign.value)).collect(),
        Stmt::AnnAssign(assign) => assign.value.iter().map(|value| (&*assign.target, &**value)).collect(),
        _ => Vec::new(),
    }
}

struct Finder<'a> {
    reader: Reader<'a>,
    /// Of the module.
    classes: BTreeSet<&'a str>,
    found: Found,
    /// Which of them count is known at the end.
    settings: Vec<Setting>,
    /// What has a schedule in it, or is given to the app.
    homes: BTreeSet<Home>,
    scope: Scope,
    /// What decides whether that runs which is looked at.
    within: Vec<String>,
    /// Names of the module that are given a schedule, and the lines where one is.
    schedules: BTreeSet<&'a str>,
    lines: BTreeSet<usize>,
}

/// A name in a function is no setting.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scope {
    Module,
    Function,
}

impl<'a> Visitor<'a> for Finder<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        for (target, value) in assigned(statement) {
            self.assignment(target, value);
        }
        let (outer, depth) = (self.scope, self.within.len());
        self.within.extend(condition(statement).map(|word| format!("`{word}` (line {})", self.reader.line(statement))));
        match statement {
            Stmt::AugAssign(assign) => self.augmented(assign),
            Stmt::Delete(delete) => {
                for target in delete.targets.iter().filter(|target| is_part(target)) {
                    self.left(target, "a part of the schedule is taken out by code");
                }
            }
            Stmt::FunctionDef(_) => self.scope = Scope::Function,
            Stmt::ClassDef(_) => self.scope = Scope::Module,
            Stmt::ImportFrom(import) if import.names.iter().any(|name| name.name.as_str() == "*") => {
                let module = import.module.as_ref().map(ToString::to_string).unwrap_or_default();
                let is_celerys = import.level == 0 && module.split('.').next() == Some("celery");
                if !is_celerys {
                    self.found.zones.may_be_in(format!("`from {module} import *`"));
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
        self.scope = outer;
        self.within.truncate(depth);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(call) => self.call(expression, call),
            Expr::Dict(dict) => {
                for item in &dict.items {
                    if let Some(Expr::StringLiteral(key)) = &item.key {
                        self.setting(key.value.to_str(), &item.value, Some(literal(expression)));
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

/// `beat_schedule["x"]`, or a part of that.
fn is_part(expression: &Expr) -> bool {
    match expression {
        Expr::Subscript(part) => last_name(&part.value).is_some_and(is_schedule) || is_part(&part.value),
        Expr::Attribute(part) => is_part(&part.value),
        _ => false,
    }
}

/// The word of a statement whose parts may not run, or not once.
fn condition(statement: &Stmt) -> Option<&'static str> {
    match statement {
        Stmt::If(_) => Some("if"),
        Stmt::For(_) => Some("for"),
        Stmt::While(_) => Some("while"),
        Stmt::Try(_) => Some("try"),
        Stmt::Match(_) => Some("match"),
        _ => None,
    }
}

impl<'a> Finder<'a> {
    fn call(&mut self, expression: &'a Expr, call: &'a ExprCall) {
        let method = match &*call.func {
            Expr::Attribute(function) => Some((&*function.value, function.attr.as_str())),
            _ => None,
        };
        let home = match method {
            Some((conf, "update")) if last_name(conf) == Some("conf") => Home::App,
            _ if last_name(&call.func) == Some("Celery") => Home::App,
            _ => literal(call),
        };
        match method {
            Some((_, "config_from_object" | "add_defaults")) => self.all_given(call),
            Some((conf, "update")) if last_name(conf) == Some("conf") => self.all_given(call),
            Some((_, "config_from_envvar")) => self.may_be_in(&call.func),
            _ => {}
        }
        for keyword in &call.arguments.keywords {
            match &keyword.arg {
                Some(name) => self.setting(name.as_str(), &keyword.value, Some(home.clone())),
                // Celery(**{..}), conf.update(**{..})
                None if home == Home::App => self.given(&keyword.value),
                None => {}
            }
        }
        match method {
            Some((schedule, method)) if last_name(schedule).is_some_and(is_schedule) => {
                self.changed(expression, method, call);
            }
            Some((part, method)) if is_part(part) && !READS.contains(&method) => {
                self.left(expression, "a part of an entry is changed by code");
            }
            Some((_, "add_periodic_task")) => self.periodic(call),
            _ if last_name(&call.func) == Some("periodic_task") => {
                self.left(expression, "a task with its schedule beside it is not read");
            }
            _ => {}
        }
    }
}
