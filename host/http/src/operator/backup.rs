//! `POST /api/v1/backup`: everything that a host needs to go on elsewhere, as one file.
//!
//! It is a write, though it changes nothing: whoever may have it has every payload.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use hookbox_store::StoreError;
use hookbox_store::backup::Backup;
use tokio::sync::mpsc;

use super::query::Query;
use super::{Api, Operator, audited, nothing_in};
use crate::problem::Problem;

/// A reader takes the next part of a backup within this, or it is given up.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// The file is made as it is read; what breaks off has no end, and is refused by whoever reads it.
pub(super) async fn make(State(operator): Api, uri: Uri, body: Body) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let backup = audited("back up", "the host", begin(&operator).await)?;
    let (parts, made) = mpsc::channel(1);
    tokio::spawn(write(backup, parts));
    let file = stream::try_unfold(made, |mut made| async move {
        match made.recv().await {
            Some(Ok(bytes)) => Ok((!bytes.is_empty()).then_some((bytes, made))),
            Some(Err(error)) => Err(io::Error::other(error)),
            None => Err(io::Error::other("the backup was given up")),
        }
    });
    let headers =
        [(CONTENT_TYPE, "application/octet-stream"), (CONTENT_DISPOSITION, "attachment; filename=\"hookbox.backup\"")];
    Ok((headers, Body::from_stream(file)).into_response())
}

/// Ends when nobody reads on, so that the next backup finds its place free. Empty bytes are the end.
async fn write(mut backup: Backup, parts: mpsc::Sender<Result<Bytes, StoreError>>) {
    loop {
        let next = backup.next().await;
        let next = next.inspect_err(|error| tracing::error!(%error, "a backup broke off: {error}"));
        let is_last = !matches!(next, Ok(Some(_)));
        let part = next.map(|bytes| bytes.map(Bytes::from).unwrap_or_default());
        match tokio::time::timeout(READ_WITHIN, parts.send(part)).await {
            Ok(Ok(())) if !is_last => {}
            Ok(_) => return,
            Err(_) => {
                tracing::warn!("a backup was given up: nobody read on for {} s", READ_WITHIN.as_secs());
                return;
            }
        }
    }
}

async fn begin(operator: &Operator) -> Result<Backup, Problem> {
    let snapshot = operator.store.snapshot().await?;
    let (folders, now) = (operator.backed_up.clone(), operator.clock.now());
    Ok(Backup::begin(snapshot, folders, env!("CARGO_PKG_VERSION"), now)?)
}
