//! What a handler wants of the events that its patterns match: a condition in CEL, the Common
//! Expression Language, such as `data.amount > 1000 && headers['x-shop'] == 'eu'`.
//!
//! | name | is |
//! |---|---|
//! | `body` | the body, where it is JSON |
//! | `provider`, `type` | the two parts that patterns are matched against |
//! | `headers` | the headers that were kept, by names in lower case |
//! | `attributes` | the event's other attributes, such as `delivery-id` |
//! | any other | the member of the body with this name: `data` is `body.data` |
//!
//! A filter gives true, gives false, or fails: a member that is missing, a type that does not fit.
//! One that fails does not match, and the fault says why. There are no loops and no regular
//! expressions, sums are few, and text, nesting and the body are bounded, so that the cost of one
//! evaluation is at most a few passes over the body.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use cel::common::ast::operators;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, SelectExpr};
use cel::{Context, Env, ExecutionError, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::{Event, Job};

/// Longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 512;
/// Brackets in brackets. The crate parses and evaluates by recursion.
const NESTING_MAX: usize = 16;
/// Signs of operators, dots and commas among them: each may be one more level to go down.
const SIGNS_MAX: usize = 64;
/// Each may copy a text or a list of the body.
const SUMS_MAX: usize = 4;
/// A longer body is not looked into.
pub const FILTERED_BODY_BYTES_MAX: usize = 1 << 20;
/// Of a name in a fault, in characters.
const NAME_CHARS_MAX: usize = 63;

const BODY: &str = "body";
const NAMES: [&str; 5] = [BODY, "type", "provider", "headers", "attributes"];
const FUNCTIONS: [&str; 8] = ["size", "contains", "startsWith", "endsWith", "string", "int", "double", "bool"];
const OPERATORS: [&str; 17] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::SUBSTRACT,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
];

/// A condition on events, compiled once.
#[derive(Clone)]
pub struct Filter {
    text: Arc<str>,
    /// Nothing where it was stored by a release that took it, and this one does not.
    program: Option<Arc<IdedExpr>>,
}

/// Why a text is no filter, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    #[error("is empty: leave it out, or write true to take every event")]
    Empty,
    #[error(
        "must be at most {FILTER_BYTES_MAX} bytes, {NESTING_MAX} nested brackets, {SIGNS_MAX} operators and {SUMS_MAX} sums"
    )]
    TooLarge,
    #[error("{0}: write a condition in CEL, such as data.amount > 1000 && type == 'charge.succeeded'")]
    Syntax(String),
    #[error("{0:?} is not known here; known functions: {known}", known = FUNCTIONS.join(", "))]
    UnknownFunction(String),
    #[error("loops are not taken: in place of all, exists, map and filter use 'x' in list, size(list) or list[0]")]
    Loop,
    #[error("values are compared, not made: structs have no place in a filter")]
    Struct,
}

/// Why a filter had no answer for an event. Says names, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("there is no {0:?} in the event")]
    Missing(String),
    #[error("a value is of another type than the filter takes")]
    Mismatch,
    #[error("it gives neither true nor false")]
    NoCondition,
    #[error("the body is no JSON, so that the filter cannot look into it")]
    BodyNotJson,
    #[error("the body is longer than {FILTERED_BODY_BYTES_MAX} bytes, and not looked into")]
    BodyTooLarge,
    #[error("it cannot be evaluated for this event")]
    Unanswerable,
    #[error("this release does not take the filter: build or configure the handler anew")]
    NotTaken,
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Filter {
    pub fn parse(text: &str) -> Result<Filter, BadFilter> {
        let text = text.trim();
        let program = compile(text)?;
        Ok(Filter { text: text.into(), program: Some(Arc::new(program)) })
    }

    /// Whether the handler wants the event.
    pub fn matches(&self, subject: &Subject<'_>) -> Result<bool, Fault> {
        let program = self.program.as_deref().ok_or(Fault::NotTaken)?;
        match subject.evaluate(program)? {
            Value::Bool(wanted) => Ok(wanted),
            _ => Err(Fault::NoCondition),
        }
    }
}

pub(super) fn compile(text: &str) -> Result<IdedExpr, BadFilter> {
    if text.is_empty() {
        return Err(BadFilter::Empty);
    }
    if !is_small(text) {
        return Err(BadFilter::TooLarge);
    }
    // As above: nothing that an author writes may take the host down.
    let parsed = catch_unwind(|| ENVIRONMENT.compile(text).map(|program| program.expression().clone()));
    let mut expression = match parsed {
        Ok(Ok(expression)) => expression,
        Ok(Err(errors)) => {
            let first = errors.errors.first().map(|error| error.msg.as_str()).unwrap_or_default();
            return Err(BadFilter::Syntax(cause(first)));
        }
        Err(_) => return Err(BadFilter::Syntax("does not parse".to_owned())),
    };
    check(&mut expression)?;
    Ok(expression)
}

/// What the parser says, without the tokens that it would have taken.
fn cause(told: &str) -> String {
    let told = told.strip_prefix("Syntax error: ").unwrap_or(told);
    let told = told.split(" expecting ").next().unwrap_or_default();
    clipped(&told.replace("mismatched input", "unexpected").replace("'<EOF>'", "end"), 120)
}

/// Judged before the parser sees it, and without regard to quotes: too strict is good enough.
fn is_small(text: &str) -> bool {
    let (mut nesting, mut deepest, mut signs, mut sums) = (0usize, 0, 0, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => nesting += 1,
            b')' | b']' | b'}' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(nesting);
        signs += usize::from(b".,:?!<>=&|+-*/%".contains(&byte));
        sums += usize::from(byte == b'+');
    }
    text.len() <= FILTER_BYTES_MAX && deepest <= NESTING_MAX && signs <= SIGNS_MAX && sums <= SUMS_MAX
}

/// Refuses what has no bound, and makes `data` of the body out of a name that is not known.
fn check(expression: &mut IdedExpr) -> Result<(), BadFilter> {
    match &mut expression.expr {
        Expr::Literal(_) => Ok(()),
        Expr::Ident(name) => {
            if !NAMES.contains(&name.as_str()) {
                let field = std::mem::take(name).trim_start_matches('.').to_owned();
                let body = IdedExpr { id: expression.id, expr: Expr::Ident(BODY.to_owned()) };
                expression.expr = Expr::Select(SelectExpr { operand: Box::new(body), field, test: false });
            }
            Ok(())
        }
        Expr::Select(select) => check(&mut select.operand),
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            if !FUNCTIONS.contains(&name) && !OPERATORS.contains(&name) && name != operators::ADD {
                return Err(BadFilter::UnknownFunction(clipped(name, NAME_CHARS_MAX)));
            }
            call.target.iter_mut().try_for_each(|target| check(target))?;
            call.args.iter_mut().try_for_each(check)
        }
        Expr::List(list) => list.elements.iter_mut().try_for_each(check),
        Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
            EntryExpr::MapEntry(entry) => check(&mut entry.key).and_then(|()| check(&mut entry.value)),
            EntryExpr::StructField(_) => Err(BadFilter::Struct),
        }),
        Expr::Comprehension(_) => Err(BadFilter::Loop),
        Expr::Struct(_) | Expr::Unspecified => Err(BadFilter::Struct),
    }
}

/// An event or a job as filters and keys see it. Its body is read once, and only if there is one to ask.
pub struct Subject<'a> {
    work: Work<'a>,
    context: OnceCell<Context<'static, 'static>>,
}

enum Work<'a> {
    Event(&'a Event),
    Job(&'a Job),
}

impl<'a> Subject<'a> {
    pub fn new(event: &'a Event) -> Subject<'a> {
        Subject { work: Work::Event(event), context: OnceCell::new() }
    }

    /// Without headers and attributes.
    pub fn of_job(job: &'a Job) -> Subject<'a> {
        Subject { work: Work::Job(job), context: OnceCell::new() }
    }

    pub(super) fn evaluate(&self, program: &IdedExpr) -> Result<Value, Fault> {
        // The crate has been seen to panic; whatever it does, the event is kept.
        match catch_unwind(AssertUnwindSafe(|| Value::resolve(program, self.context()))) {
            Ok(answer) => answer.map_err(|error| self.fault(&error)),
            Err(_) => Err(Fault::Unanswerable),
        }
    }

    fn context(&self) -> &Context<'static, 'static> {
        self.context.get_or_init(|| {
            let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
            let header = |name: &'a str| name.strip_prefix("header.");
            let attributes: &'a [(String, String)] = match self.work {
                Work::Event(event) => &event.attributes,
                Work::Job(_) => &[],
            };
            let headers = attributes.iter().filter_map(|(name, value)| Some((header(name)?, value)));
            let others = attributes.iter().filter(|(name, _)| header(name).is_none());
            if let Work::Event(event) = self.work {
                context.add_variable_from_value("provider", text(&event.namespace));
                context.add_variable_from_value("type", text(&event.event_type));
            }
            context.add_variable_from_value("headers", map(headers.map(|(name, value)| (name, text(value)))));
            context
                .add_variable_from_value("attributes", map(others.map(|(name, value)| (name.as_str(), text(value)))));
            if let Ok(body) = self.body() {
                context.add_variable_from_value(BODY, value(body));
            }
            context
        })
    }

    fn body(&self) -> Result<serde_json::Value, Fault> {
        let payload = match self.work {
            Work::Event(event) => event.payload(),
            Work::Job(job) => Cow::Borrowed(job.data.as_slice()),
        };
        match payload.len() {
            0..=FILTERED_BODY_BYTES_MAX => serde_json::from_slice(&payload).map_err(|_| Fault::BodyNotJson),
            _ => Err(Fault::BodyTooLarge),
        }
    }

    fn fault(&self, error: &ExecutionError) -> Fault {
        match error {
            ExecutionError::NoSuchKey(name) => Fault::Missing(clipped(name, NAME_CHARS_MAX)),
            ExecutionError::UndeclaredReference(name) if name.as_str() == BODY => {
                self.body().err().unwrap_or(Fault::Unanswerable)
            }
            ExecutionError::UndeclaredReference(name) => Fault::Missing(clipped(name, NAME_CHARS_MAX)),
            ExecutionError::IndexOutOfBounds(_) => Fault::Missing("index".to_owned()),
            ExecutionError::NoSuchOverload(_)
            | ExecutionError::ValuesNotComparable(..)
            | ExecutionError::UnexpectedType { .. }
            | ExecutionError::UnsupportedBinaryOperator(..)
            | ExecutionError::UnsupportedIndex(..)
            | ExecutionError::UnsupportedKeyType(_)
            | ExecutionError::UnsupportedTargetType { .. }
            | ExecutionError::NotSupportedAsMethod { .. } => Fault::Mismatch,
            _ => Fault::Unanswerable,
        }
    }
}

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

fn map<'k>(entries: impl Iterator<Item = (&'k str, Value)>) -> Value {
    let entries = entries.map(|(name, value)| (cel::objects::Key::String(Arc::new(name.to_owned())), value));
    Value::Map(cel::objects::Map { map: Arc::new(entries.collect()) })
}

/// Whole numbers are integers, so that a filter's `1000` and a body's are of one type.
fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(whole)) => Value::UInt(whole),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text)),
        serde_json::Value::Array(items) => Value::List(Arc::new(items.into_iter().map(value).collect())),
        serde_json::Value::Object(members) => {
            let members =
                members.into_iter().map(|(name, member)| (cel::objects::Key::String(Arc::new(name)), value(member)));
            Value::Map(cel::objects::Map { map: Arc::new(members.collect()) })
        }
    }
}

fn clipped(text: &str, chars: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(chars).collect()
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Filter) -> bool {
        self.text == other.text
    }
}

impl Eq for Filter {}

impl FromStr for Filter {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Filter, BadFilter> {
        Filter::parse(text)
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// What was stored reads back always: a release that takes less must still open the store.
impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Filter, D::Error> {
        let text = String::deserialize(deserializer)?;
        let program = compile(&text).ok().map(Arc::new);
        Ok(Filter { text: text.into(), program })
    }
}

#[cfg(test)]
mod tests;
