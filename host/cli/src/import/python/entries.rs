//! Entries of a beat_schedule, and what else is done to it.

use ruff_python_ast::{Expr, ExprCall, Operator, StmtAugAssign};

use super::settings::Home;
use super::{DEPTH_MAX, Finder, READS, Scope, is_part, is_schedule, last_name};
use crate::import::Named;
use crate::import::value::Value;

impl<'a> Finder<'a> {
    pub(super) fn assignment(&mut self, target: &'a Expr, value: &'a Expr) {
        if let Expr::Subscript(subscript) = target {
            // beat_schedule["name"] = {..}
            if last_name(&subscript.value).is_some_and(is_schedule) {
                return self.named(&subscript.slice, value);
            }
            if is_part(target) {
                return self.left(target, "a part of an entry is changed by code");
            }
        }
        let home = match target {
            Expr::Name(_) => (self.scope == Scope::Module).then_some(Home::App),
            Expr::Attribute(attribute) => Some(self.object(&attribute.value)),
            Expr::Subscript(subscript) => Some(self.object(&subscript.value)),
            _ => None,
        };
        if let Some(name) = last_name(target) {
            self.setting(name, value, home);
        }
    }

    /// `beat_schedule |= {..}`
    pub(super) fn augmented(&mut self, assign: &'a StmtAugAssign) {
        match (last_name(&assign.target).is_some_and(is_schedule), assign.op) {
            (true, Operator::BitOr) => self.part(&assign.value, 0),
            (true, _) => self.left(&assign.target, "the schedule is changed by code"),
            _ if is_part(&assign.target) => self.left(&assign.target, "a part of an entry is changed by code"),
            _ => {}
        }
    }

    /// By a method of its own.
    pub(super) fn changed(&mut self, expression: &'a Expr, method: &str, call: &'a ExprCall) {
        match method {
            "update" => self.members(call, 0),
            method if READS.contains(&method) => {}
            _ => self.left(expression, "the schedule is changed by code"),
        }
    }

    /// The whole of a schedule.
    pub(super) fn schedule(&mut self, value: &'a Expr) {
        match value {
            // That is read where it is assigned.
            Expr::Name(name) if self.schedules.contains(name.id.as_str()) => {}
            value => {
                self.lines.insert(self.reader.line(value));
                self.part(value, 0);
            }
        }
    }

    fn part(&mut self, value: &'a Expr, depth: usize) {
        if depth > DEPTH_MAX {
            return self.left(value, "a part of the schedule is too deep");
        }
        match self.reader.known(value) {
            Expr::Dict(dict) => {
                for item in &dict.items {
                    match &item.key {
                        Some(key) => self.named(key, &item.value),
                        // {**other, ..}
                        None => self.part(&item.value, depth + 1),
                    }
                }
            }
            Expr::BinOp(both) if both.op == Operator::BitOr => {
                self.part(&both.left, depth + 1);
                self.part(&both.right, depth + 1);
            }
            Expr::Call(call) if last_name(&call.func) == Some("dict") => self.members(call, depth + 1),
            other => self.left(other, "a part of the schedule is made by code, which is not run"),
        }
    }

    /// Of `dict(..)` and `.update(..)`.
    fn members(&mut self, call: &'a ExprCall, depth: usize) {
        call.arguments.args.iter().for_each(|argument| self.part(argument, depth));
        for keyword in &call.arguments.keywords {
            match &keyword.arg {
                Some(name) => self.one(name.to_string(), &keyword.value),
                None => self.part(&keyword.value, depth),
            }
        }
    }

    pub(super) fn left(&mut self, what: &Expr, why: &str) {
        let (line, code) = (self.reader.line(what), self.reader.code(what));
        self.found.unread.push(format!("line {line}: {why} ({code}): write the entries out, and import them again"));
    }

    fn named(&mut self, name: &'a Expr, value: &'a Expr) {
        match self.reader.value(name, 0) {
            Value::Text(name) => self.one(name, value),
            other => self.left(name, &format!("the entry {other} has no name that is plain text")),
        }
    }

    fn one(&mut self, name: String, value: &'a Expr) {
        let place = format!("line {}", self.reader.line(value));
        let entry = self.reader.value(value, 0);
        self.add(Named { key: name.clone(), name, entry, place, only_if: None });
    }

    /// The last of a key counts, as in Python.
    pub(super) fn add(&mut self, named: Named) {
        let only_if = self.within.last().cloned();
        self.found.entries.retain(|known| known.key != named.key);
        self.found.entries.push(Named { only_if, ..named });
    }
}
