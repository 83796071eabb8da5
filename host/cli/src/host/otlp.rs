//! Spans on their way to a collector: OTLP over HTTP, from a thread of its own behind a bounded queue. Where the collector
//! is slow or away, spans are dropped, and nobody waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use async_trait::async_trait;
use bytes::Bytes;
use hookbox_core::clock::Clock;
use hookbox_core::id::Mint;
use hookbox_core::trace::{Collect, Kind, Rules, Span, TraceContext, Tracing, Value};
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use percent_encoding::percent_decode_str;
use ureq::Agent;
use ureq::http::{Request, Response};

use crate::client;
use crate::project::Project;

/// Spans that wait for their turn; more are dropped.
const QUEUE_MAX: usize = 8192;
/// Spans of one request.
const BATCH_MAX: usize = 512;
/// The longest wait of a span.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// What is left at a stop has so long.
const FINISH: Duration = Duration::from_secs(3);
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const TRACES_HEADERS: &str = "OTEL_EXPORTER_OTLP_TRACES_HEADERS";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

pub(crate) struct Exporter(Arc<Queue>);

struct Queue {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
}

impl Exporter {
    /// Nothing where no endpoint is named.
    pub(crate) fn of(project: &Project) -> Result<Option<Exporter>> {
        let Some(endpoint) = endpoint(project) else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender(client::agent()?))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&endpoint)
            .with_headers(headers(project))
            .build()
            .with_context(|| format!("tracing.endpoint: {} is no place for spans", shown(&endpoint)))?;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come before.
        let named = project.environment.get("OTEL_SERVICE_NAME").unwrap_or("hookbox").to_owned();
        let resource = Resource::builder().with_service_name(named).with_attribute(version).build();
        processor.set_resource(&resource);
        let scope = InstrumentationScope::builder("hookbox").with_version(env!("CARGO_PKG_VERSION")).build();
        tracing::info!("spans go to {}", shown(&endpoint));
        Ok(Some(Exporter(Arc::new(Queue { processor, scope }))))
    }

    pub(crate) fn tracing(&self, project: &Project, clock: &Arc<dyn Clock>, mint: &Arc<Mint>) -> Tracing {
        let config = &project.config.tracing;
        let rules = Rules { sample_percent: config.sample_percent, continued: config.continued.clone() };
        Tracing::to(self.0.clone(), clock.clone(), mint.clone(), rules)
    }

    /// Sends what waits. It blocks for a while.
    pub(crate) fn finish(self) {
        if let Err(error) = self.0.processor.shutdown_with_timeout(FINISH) {
            tracing::warn!(%error, "some spans were not sent: {error}");
        }
    }
}

/// hooks.yaml comes before the environment.
fn endpoint(project: &Project) -> Option<String> {
    let below = |origin: &str| format!("{}/v1/traces", origin.trim_end_matches('/'));
    let of = |name: &str| project.environment.get(name).filter(|value| !value.is_empty());
    let named = project.config.tracing.endpoint.as_deref().map(below);
    named.or_else(|| of(TRACES_ENDPOINT).map(str::to_owned)).or_else(|| of(ENDPOINT).map(below))
}

/// Without a name and a password: in the environment there may be some.
fn shown(endpoint: &str) -> String {
    let Some((scheme, rest)) = endpoint.split_once("://") else { return "what is set".to_owned() };
    let (authority, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{}", path.split(['?', '#']).next().unwrap_or_default())
}

/// `name=value` with commas between, as in the environment, and in `.env` too.
fn headers(project: &Project) -> HashMap<String, String> {
    let all = [TRACES_HEADERS, HEADERS].into_iter().find_map(|name| project.environment.get(name)).unwrap_or_default();
    let parts = all.split(',').filter_map(|pair| pair.split_once('='));
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
    parts.map(|(name, value)| (name.trim().to_owned(), decoded(value))).collect()
}

impl Collect for Queue {
    fn take(&self, span: Span) {
        self.processor.on_end(data(span, self.scope.clone()));
    }
}

fn data(span: Span, scope: InstrumentationScope) -> SpanData {
    let began = UNIX_EPOCH + Duration::from_micros(span.began_us);
    let links = span.link.map(|link| Link::with_context(context(link, true)));
    let mut told = SpanLinks::default();
    told.links.extend(links);
    SpanData {
        span_context: context(span.context, false),
        parent_span_id: span.parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_bytes())),
        parent_span_is_remote: span.parent_is_remote,
        span_kind: match span.kind {
            Kind::Server => SpanKind::Server,
            Kind::Internal => SpanKind::Internal,
            Kind::Consumer => SpanKind::Consumer,
            Kind::Client => SpanKind::Client,
        },
        name: span.name.into(),
        start_time: began,
        end_time: later(began, span.took_us),
        attributes: span.attributes.into_iter().map(|(name, value)| attribute(name, value)).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: told,
        status: span.failure.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope,
    }
}

fn later(began: SystemTime, took_us: u64) -> SystemTime {
    began + Duration::from_micros(took_us)
}

fn context(context: TraceContext, is_remote: bool) -> SpanContext {
    let flags = if context.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, span) = (TraceId::from_bytes(context.trace.to_bytes()), SpanId::from_bytes(context.span.to_bytes()));
    SpanContext::new(trace, span, flags, is_remote, TraceState::default())
}

fn attribute(name: &'static str, value: Value) -> KeyValue {
    match value {
        Value::Text(text) => KeyValue::new(name, text),
        Value::Number(number) => KeyValue::new(name, number),
    }
}

/// Blocks: only the exporter's own thread sends.
#[derive(Debug)]
struct Sender(Agent);

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.0.run(request.map(|body| body.to_vec()))?;
        let (head, mut body) = answer.into_parts();
        Ok(Response::from_parts(head, body.read_to_vec()?.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_shown_without_what_logs_in_there() {
        for (endpoint, told) in [
            ("http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/v1/traces"),
            ("https://me:hush@id@collector.example.com/v1/traces?key=hush", "https://collector.example.com/v1/traces"),
            ("https://me:hush@collector.example.com", "https://collector.example.com"),
            ("me:hush@collector", "what is set"),
        ] {
            assert_eq!(shown(endpoint), told);
        }
    }
}
