//! How the host is.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hookbox_store::Store;

use crate::lifecycle::{Lifecycle, Phase};
use crate::providers::Providers;
use crate::view::health::{CountsView, HealthView, Queue};

/// How much of its health a listener tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Full,
    Status,
}

/// 200 where webhooks are taken, else 503.
pub(crate) fn report(store: &dyn Store, lifecycle: &Lifecycle, providers: &Providers, detail: Detail) -> Response {
    let reason = store.failure();
    let status = match (&reason, lifecycle.phase()) {
        (Some(_), _) => "degraded",
        (None, Phase::Starting) => "starting",
        (None, Phase::Serving) => "ok",
        (None, Phase::Draining) => "draining",
    };
    let view = match detail {
        Detail::Status => {
            HealthView { status, reason: None, providers: None, handlers: None, held: None, queue: None, counts: None }
        }
        Detail::Full => {
            let counts = store.counts();
            HealthView {
                status,
                reason,
                providers: Some(providers.names().map(ToString::to_string).collect()),
                handlers: Some(store.catalogue().handlers().map(|(target, _)| target.to_string()).collect()),
                held: Some(store.holds().0.keys().map(ToString::to_string).collect()),
                queue: Some(Queue { pending: counts.pending, leased: counts.leased, dead: counts.dead }),
                counts: Some(CountsView::of(&counts)),
            }
        }
    };
    let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(view)).into_response()
}
