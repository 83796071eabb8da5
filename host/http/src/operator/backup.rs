//! `POST /api/v1/backup`: everything that a host needs to go on elsewhere, as one file.
//!
//! It is a write, though it changes nothing: whoever may have it has every payload.

use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use hookbox_store::backup::Backup;

use super::query::Query;
use super::{Api, Operator, audited, nothing_in};
use crate::problem::Problem;

/// The file is made as it is read; what breaks off has no end, and is refused by whoever reads it.
pub(super) async fn make(State(operator): Api, uri: Uri, body: Body) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let backup = audited("back up", "the host", begin(&operator).await)?;
    let file = stream::try_unfold(backup, |mut backup| async move {
        let next = backup.next().await;
        let next = next.inspect_err(|error| tracing::error!(%error, "a backup broke off: {error}"))?;
        Ok::<_, hookbox_store::StoreError>(next.map(|bytes| (Bytes::from(bytes), backup)))
    });
    let headers =
        [(CONTENT_TYPE, "application/octet-stream"), (CONTENT_DISPOSITION, "attachment; filename=\"hookbox.backup\"")];
    Ok((headers, Body::from_stream(file)).into_response())
}

async fn begin(operator: &Operator) -> Result<Backup, Problem> {
    let snapshot = operator.store.snapshot().await?;
    let (folders, now) = (operator.backed_up.clone(), operator.clock.now());
    Ok(Backup::begin(snapshot, folders, env!("CARGO_PKG_VERSION"), now)?)
}
