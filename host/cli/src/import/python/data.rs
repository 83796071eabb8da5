//! Expressions that are data.

use std::collections::HashMap;

use ruff_python_ast::{Expr, ExprCall, Number, Operator, UnaryOp};
use ruff_text_size::Ranged;

use super::{DEPTH_MAX, last_name, line_of};
use crate::import::kinds;
use crate::import::value::{Call, Value};

/// Of a range.
const ITEMS_MAX: usize = 1000;
/// Characters of code that a comment shows.
const SHOWN_MAX: usize = 80;

pub(super) struct Reader<'a> {
    pub(super) source: &'a str,
    /// What names of the module stand for.
    pub(super) constants: HashMap<&'a str, &'a Expr>,
}

impl<'a> Reader<'a> {
    /// What a name stands for; anything else is itself.
    pub(super) fn known(&self, expression: &'a Expr) -> &'a Expr {
        let mut expression = expression;
        for _ in 0..DEPTH_MAX {
            match expression {
                Expr::Name(name) => match self.constants.get(name.id.as_str()) {
                    Some(known) => expression = known,
                    None => break,
                },
                _ => break,
            }
        }
        expression
    }

    pub(super) fn line(&self, what: &impl Ranged) -> usize {
        line_of(self.source, what.range().start().into())
    }

    pub(super) fn code(&self, expression: &Expr) -> String {
        let range = expression.range();
        let text = self.source.get(range.start().into()..range.end().into()).unwrap_or_default();
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = line.chars().take(SHOWN_MAX).collect();
        if shown.len() < line.len() {
            shown.push_str("..");
        }
        shown
    }

    pub(super) fn value(&self, expression: &Expr, depth: usize) -> Value {
        let known = if depth > DEPTH_MAX { None } else { self.data(expression, depth + 1) };
        known.unwrap_or_else(|| Value::Code(self.code(expression)))
    }

    /// Nothing where it is code.
    fn data(&self, expression: &Expr, depth: usize) -> Option<Value> {
        let all = |items: &[Expr]| Value::List(items.iter().map(|item| self.value(item, depth)).collect());
        Some(match expression {
            Expr::NoneLiteral(_) => Value::None,
            Expr::BooleanLiteral(literal) => Value::Bool(literal.value),
            Expr::StringLiteral(literal) => Value::Text(literal.value.to_str().to_owned()),
            Expr::NumberLiteral(literal) => match &literal.value {
                Number::Int(number) => number.as_i64().map(Value::Int)?,
                Number::Float(number) => Value::Float(*number),
                Number::Complex { .. } => return None,
            },
            Expr::List(list) => all(&list.elts),
            Expr::Tuple(tuple) => all(&tuple.elts),
            Expr::Set(set) => all(&set.elts),
            Expr::Dict(dict) => {
                let mut members = Vec::new();
                for item in &dict.items {
                    match (&item.key, self.value(&item.value, depth)) {
                        (Some(key), value) => match self.value(key, depth) {
                            Value::Text(name) => members.push((name, value)),
                            Value::Int(number) => members.push((number.to_string(), value)),
                            _ => return None,
                        },
                        (None, Value::Map(others)) => members.extend(others),
                        (None, _) => return None,
                    }
                }
                Value::Map(members)
            }
            Expr::Name(name) => {
                let known = self.constants.get(name.id.as_str())?;
                match self.value(known, depth) {
                    // What a name stands for is told by the name.
                    Value::Code(_) => return None,
                    value => value,
                }
            }
            Expr::UnaryOp(unary) => match (unary.op, self.value(&unary.operand, depth)) {
                (UnaryOp::USub, Value::Int(number)) => Value::Int(number.checked_neg()?),
                (UnaryOp::USub, Value::Float(number)) => Value::Float(-number),
                (UnaryOp::UAdd, value) => value,
                _ => return None,
            },
            Expr::BinOp(binary) => {
                let (left, right) = (self.value(&binary.left, depth), self.value(&binary.right, depth));
                reckon(binary.op, left, right)?
            }
            Expr::Call(call) => self.call(call, depth)?,
            _ => return None,
        })
    }

    fn call(&self, call: &ExprCall, depth: usize) -> Option<Value> {
        let mut name = last_name(&call.func)?.to_owned();
        if let Expr::Attribute(function) = &*call.func {
            // timedelta(..).total_seconds(), crontab.from_string(..)
            if name == "total_seconds"
                && let Value::Span(seconds) = self.value(&function.value, depth)
            {
                return Some(Value::Float(seconds));
            }
            if name == "from_string" {
                name = format!("{}.from_string", last_name(&function.value)?);
            }
        }
        let args: Vec<Value> = call.arguments.args.iter().map(|argument| self.value(argument, depth)).collect();
        let mut named = Vec::new();
        for keyword in &call.arguments.keywords {
            match (&keyword.arg, self.value(&keyword.value, depth)) {
                (Some(name), value) => named.push((name.to_string(), value)),
                (None, Value::Map(members)) => named.extend(members),
                (None, _) => return None,
            }
        }
        let call = Call { name, args, named };
        match call.name.as_str() {
            "timedelta" => span(&call),
            "dict" if call.args.is_empty() => Some(Value::Map(call.named)),
            "list" | "tuple" | "set" | "frozenset" => match call.args.into_iter().next() {
                Some(list @ Value::List(_)) => Some(list),
                _ => None,
            },
            "range" => range(&call),
            "crontab" | "crontab.from_string" | "schedule" | "solar" => Some(Value::Call(call)),
            name if kinds::of_name(name).is_some() => Some(Value::Call(call)),
            _ => None,
        }
    }
}

fn reckon(operator: Operator, left: Value, right: Value) -> Option<Value> {
    if let (Value::Int(left), Value::Int(right)) = (&left, &right) {
        let whole = match operator {
            Operator::Add => left.checked_add(*right),
            Operator::Sub => left.checked_sub(*right),
            Operator::Mult => left.checked_mul(*right),
            // Below zero Python rounds another way.
            Operator::FloorDiv if *right > 0 => left.checked_div_euclid(*right),
            Operator::Mod if *right > 0 => left.checked_rem_euclid(*right),
            Operator::Pow => left.checked_pow(u32::try_from(*right).ok()?),
            Operator::Div => return Some(Value::Float(*left as f64 / *right as f64)),
            _ => None,
        };
        return whole.map(Value::Int);
    }
    if let (Operator::Add, Value::Text(left), Value::Text(right)) = (operator, &left, &right) {
        return Some(Value::Text(format!("{left}{right}")));
    }
    let is_span = matches!((&left, &right), (Value::Span(_), _) | (_, Value::Span(_)));
    let (left, right) = (left.number()?, right.number()?);
    let number = match operator {
        Operator::Add => left + right,
        Operator::Sub => left - right,
        Operator::Mult => left * right,
        Operator::Div => left / right,
        _ => return None,
    };
    Some(if is_span { Value::Span(number) } else { Value::Float(number) })
}

/// In the order of timedelta's own arguments.
const UNITS: [(&str, f64); 7] = [
    ("days", 86_400.0),
    ("seconds", 1.0),
    ("microseconds", 1e-6),
    ("milliseconds", 1e-3),
    ("minutes", 60.0),
    ("hours", 3600.0),
    ("weeks", 604_800.0),
];

pub(in crate::import) fn span(call: &Call) -> Option<Value> {
    let mut seconds = 0.0;
    for (place, (name, unit)) in UNITS.iter().enumerate() {
        if let Some(value) = call.argument(place, name) {
            seconds += value.number()? * unit;
        }
    }
    let known = call.named.iter().all(|(name, _)| UNITS.iter().any(|(unit, _)| unit == name));
    known.then_some(Value::Span(seconds))
}

fn range(call: &Call) -> Option<Value> {
    let whole = |value: &Value| if let Value::Int(number) = value { Some(*number) } else { None };
    let numbers: Option<Vec<i64>> = call.args.iter().map(whole).collect();
    let (first, end, step) = match numbers?.as_slice() {
        [end] => (0, *end, 1),
        [first, end] => (*first, *end, 1),
        [first, end, step] if *step > 0 => (*first, *end, *step),
        _ => return None,
    };
    let items = (first..end).step_by(usize::try_from(step).ok()?).take(ITEMS_MAX + 1);
    let items: Vec<_> = items.map(Value::Int).collect();
    (items.len() <= ITEMS_MAX).then_some(Value::List(items))
}
