//! Names of a module that stand for one value, wherever they are read.

use std::collections::{HashMap, HashSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Alias, ExceptHandler, Expr, ExprContext, Parameter, Pattern, Stmt};

use super::assigned;

/// What changes a list, a set or a dict.
const CHANGES: [&str; 13] = [
    "append",
    "extend",
    "insert",
    "remove",
    "discard",
    "add",
    "pop",
    "popitem",
    "clear",
    "sort",
    "reverse",
    "update",
    "setdefault",
];

/// Which value a name has that is given several depends on what runs before it is read. Such a name is no constant.
pub(super) fn constants(module: &[Stmt]) -> HashMap<&str, &Expr> {
    let mut names = Names::default();
    names.visit_body(module);
    let mut constants = HashMap::new();
    for (target, value) in module.iter().flat_map(assigned) {
        if let Expr::Name(name) = target
            && names.given.get(name.id.as_str()) == Some(&1)
            && !names.changed.contains(name.id.as_str())
            && !mentions(value, name.id.as_str())
        {
            constants.insert(name.id.as_str(), value);
        }
    }
    constants
}

#[derive(Default)]
struct Names<'a> {
    /// How often each is given a value, anywhere.
    given: HashMap<&'a str, usize>,
    changed: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    fn give(&mut self, name: &'a str) {
        *self.given.entry(name).or_default() += 1;
    }
}

impl<'a> Visitor<'a> for Names<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.give(function.name.as_str()),
            Stmt::ClassDef(class) => self.give(class.name.as_str()),
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) if matches!(name.ctx, ExprContext::Store | ExprContext::Del) => {
                self.give(name.id.as_str())
            }
            Expr::Subscript(subscript) if matches!(subscript.ctx, ExprContext::Store | ExprContext::Del) => {
                self.changed.extend(root(&subscript.value));
            }
            Expr::Call(call) => {
                if let Expr::Attribute(function) = &*call.func
                    && CHANGES.contains(&function.attr.as_str())
                {
                    self.changed.extend(root(&function.value));
                }
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }

    fn visit_parameter(&mut self, parameter: &'a Parameter) {
        self.give(parameter.name.as_str());
        visitor::walk_parameter(self, parameter);
    }

    fn visit_alias(&mut self, alias: &'a Alias) {
        let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
        self.give(name.split('.').next().unwrap_or(name));
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(named) = handler;
        if let Some(name) = &named.name {
            self.give(name.as_str());
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            Pattern::MatchStar(pattern) => pattern.name.as_ref(),
            Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.give(name.as_str());
        }
        visitor::walk_pattern(self, pattern);
    }
}

/// `x` of `x["a"].b`
fn root(expression: &Expr) -> Option<&str> {
    let mut expression = expression;
    loop {
        expression = match expression {
            Expr::Name(name) => return Some(name.id.as_str()),
            Expr::Subscript(subscript) => &subscript.value,
            Expr::Attribute(attribute) => &attribute.value,
            _ => return None,
        };
    }
}

fn mentions(value: &Expr, name: &str) -> bool {
    struct Mentions<'n> {
        name: &'n str,
        found: bool,
    }
    impl<'a> Visitor<'a> for Mentions<'_> {
        fn visit_expr(&mut self, expression: &'a Expr) {
            self.found |= matches!(expression, Expr::Name(name) if name.id == self.name);
            visitor::walk_expr(self, expression);
        }
    }
    let mut mentions = Mentions { name, found: false };
    mentions.visit_expr(value);
    mentions.found
}
