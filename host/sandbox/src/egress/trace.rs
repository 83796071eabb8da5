//! A request in the trace of its attempt.

use hookbox_core::trace::{Began, CallTrace, Kind, TRACEPARENT, TraceContext, Unended};
use http::{HeaderValue, Method, Request, StatusCode};

/// From the moment that the guest asks to the head of the answer.
pub(super) struct RequestSpan {
    trace: CallTrace,
    own: TraceContext,
    began: Began,
    method: Method,
}

impl RequestSpan {
    pub(super) fn begin<B>(trace: &CallTrace, request: &Request<B>) -> Option<RequestSpan> {
        let (own, began) = (trace.tracing.below(trace.context)?, trace.tracing.began()?);
        Some(RequestSpan { trace: trace.clone(), own, began, method: request.method().clone() })
    }

    /// Sets `traceparent` where the guest has set none: then it is the guest who says which trace it is.
    pub(super) fn tell<B>(&self, request: &mut Request<B>) {
        if !request.headers().contains_key(TRACEPARENT)
            && let Ok(value) = HeaderValue::from_str(&self.own.to_string())
        {
            request.headers_mut().insert(TRACEPARENT, value);
        }
    }

    /// `shown` is the request as it may be shown: its method, and its URL without what may be secret.
    pub(super) fn end(self, shown: &str, answered: Result<StatusCode, String>) {
        let url = shown.split_once(' ').map_or(shown, |(_, url)| url);
        let span = Unended::new(self.own, Some(self.trace.context.span), self.method.as_str(), Kind::Client)
            .with("http.request.method", self.method.as_str())
            .with("url.full", url);
        let span = match answered {
            Ok(status) => {
                let failure = status.is_server_error().then(|| format!("answered with {status}"));
                Unended { failure, ..span.with("http.response.status_code", u64::from(status.as_u16())) }
            }
            Err(reason) => Unended { failure: Some(reason), ..span },
        };
        self.trace.tracing.ended(self.began, span);
    }
}
