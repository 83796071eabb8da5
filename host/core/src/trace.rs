//! Distributed traces: what a webhook led to, as spans that name each other.
//!
//! A span is plain data, handed over once it has ended. Which trace work belongs to is read from the work itself: an event
//! carries it in its attribute `traceparent`, and what has none is a trace of its own, named by its id. So an attempt
//! after a restart is in the same trace as the webhook.

mod context;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use context::{NotATraceparent, SpanId, TraceContext, TraceId};

use crate::attempt::Input;
use crate::clock::Clock;
use crate::event::Event;
use crate::id::{Mint, RunId};
use crate::name::ProviderName;
use crate::time::Timestamp;

/// The attribute of an event that says in which trace it is, and the header of a request.
pub const TRACEPARENT: &str = "traceparent";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whoever asked waits for it.
    Server,
    Internal,
    /// It works on what somebody else has left.
    Consumer,
    /// It asks somebody else.
    Client,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Number(i64),
}

/// Something that took a while, and has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub context: TraceContext,
    pub parent: Option<SpanId>,
    /// The parent was told by somebody else.
    pub parent_is_remote: bool,
    /// Another trace that has to do with it, told by somebody else.
    pub link: Option<TraceContext>,
    pub name: String,
    pub kind: Kind,
    /// Since 1970.
    pub began_us: u64,
    pub took_us: u64,
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Whoever takes spans further. Returns at once: where there are too many, some are dropped.
pub trait Collect: Send + Sync + 'static {
    fn take(&self, span: Span);
}

/// When something began.
#[derive(Debug, Clone, Copy)]
pub struct Began {
    at: Timestamp,
    micros: u64,
}

/// How traces are made.
pub struct Rules {
    /// Of the traces that begin here, 0 to 100.
    pub sample_percent: u32,
    /// Providers whose traces are continued. Those of others are linked.
    pub continued: BTreeSet<ProviderName>,
}

/// What makes spans. Off, nothing does.
#[derive(Clone, Default)]
pub struct Tracing(Option<Arc<Tracer>>);

struct Tracer {
    collect: Arc<dyn Collect>,
    clock: Arc<dyn Clock>,
    mint: Arc<Mint>,
    rules: Rules,
}

/// The trace that an attempt is in, for whatever it asks others for.
#[derive(Debug, Clone)]
pub struct CallTrace {
    /// The attempt's own span.
    pub context: TraceContext,
    pub tracing: Tracing,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entered {
    pub context: TraceContext,
    /// What the sender told, where it is continued.
    pub parent: Option<SpanId>,
    /// What it told, where it is not.
    pub link: Option<TraceContext>,
}

impl Tracing {
    pub fn to(collect: Arc<dyn Collect>, clock: Arc<dyn Clock>, mint: Arc<Mint>, rules: Rules) -> Tracing {
        Tracing(Some(Arc::new(Tracer { collect, clock, mint, rules })))
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Nothing where spans are not made.
    pub fn began(&self) -> Option<Began> {
        let tracer = self.0.as_ref()?;
        Some(Began { at: tracer.clock.now(), micros: tracer.clock.micros() })
    }

    /// Of a delivery whose sender told `told`, in the header `traceparent`. Only for one that was verified.
    pub fn enter(&self, provider: &ProviderName, told: Option<&str>) -> Option<Entered> {
        let tracer = self.0.as_ref()?;
        let told = told.and_then(|told| told.parse::<TraceContext>().ok());
        Some(match told {
            Some(told) if tracer.rules.continued.contains(provider) => {
                Entered { context: TraceContext { span: tracer.span(), ..told }, parent: Some(told.span), link: None }
            }
            link => {
                let trace = TraceId::random(tracer.mint.random(), tracer.mint.random());
                Entered { context: tracer.root(trace, tracer.span()), parent: None, link }
            }
        })
    }

    /// A span below this one.
    pub fn below(&self, parent: TraceContext) -> Option<TraceContext> {
        self.0.as_ref().map(|tracer| TraceContext { span: tracer.span(), ..parent })
    }

    /// The trace of what a run works on: its span, and the one above it.
    pub fn of_run(&self, run: RunId, input: &Input) -> Option<(TraceContext, Option<SpanId>)> {
        let tracer = self.0.as_ref()?;
        let span = SpanId::of_run(run);
        let told = match input {
            Input::Event(event) => of_event(event),
            Input::Job(job) => job.trace,
        };
        Some(match told {
            Some(told) => (TraceContext { span, ..told }, Some(told.span)),
            None => {
                let trace = match input {
                    Input::Event(event) => TraceId::of(event.id.to_bytes()),
                    Input::Job(job) => TraceId::of(job.id.to_bytes()),
                };
                (tracer.root(trace, span), None)
            }
        })
    }

    /// Hands a span over that ends now.
    pub fn ended(&self, began: Began, span: Unended) {
        if let Some(tracer) = &self.0 {
            tracer.hand_over(began.at, tracer.clock.micros().saturating_sub(began.micros), span);
        }
    }

    /// One that began at some time of the wall clock, as a run does that may have waited for days.
    pub fn ended_since(&self, since: Timestamp, span: Unended) {
        if let Some(tracer) = &self.0 {
            tracer.hand_over(since, tracer.clock.now().since(since).0.saturating_mul(1000), span);
        }
    }
}

/// A span without its times.
#[derive(Debug, Clone)]
pub struct Unended {
    pub context: TraceContext,
    pub parent: Option<SpanId>,
    pub parent_is_remote: bool,
    pub link: Option<TraceContext>,
    pub name: String,
    pub kind: Kind,
    pub attributes: Vec<(&'static str, Value)>,
    pub failure: Option<String>,
}

impl Unended {
    pub fn new(context: TraceContext, parent: Option<SpanId>, name: impl Into<String>, kind: Kind) -> Unended {
        Unended {
            context,
            parent,
            parent_is_remote: false,
            link: None,
            name: name.into(),
            kind,
            attributes: Vec::new(),
            failure: None,
        }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Unended {
        self.attributes.push((name, value.into()));
        self
    }
}

/// The trace that an event is in, as it says itself.
pub fn of_event(event: &Event) -> Option<TraceContext> {
    let told = event.attributes.iter().find(|(name, _)| name == TRACEPARENT);
    told.and_then(|(_, value)| value.parse().ok())
}

impl Tracer {
    fn hand_over(&self, at: Timestamp, took_us: u64, span: Unended) {
        let Unended { context, parent, parent_is_remote, link, name, kind, attributes, failure } = span;
        if context.sampled {
            let began_us = at.0.saturating_mul(1000);
            self.collect.take(Span {
                context,
                parent,
                parent_is_remote,
                link,
                name,
                kind,
                began_us,
                took_us,
                attributes,
                failure,
            });
        }
    }

    fn span(&self) -> SpanId {
        SpanId::random(self.mint.random())
    }

    /// Whether a trace is sampled is read from its id, so that everybody says the same of it.
    fn root(&self, trace: TraceId, span: SpanId) -> TraceContext {
        let sampled = trace.part_in_a_hundred() < self.rules.sample_percent;
        TraceContext { trace, span, sampled }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl fmt::Debug for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "Tracing(on)" } else { "Tracing(off)" })
    }
}

#[cfg(test)]
mod tests;
