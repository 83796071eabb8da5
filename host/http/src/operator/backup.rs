//! `POST /api/v1/backup`: everything that a host needs to go on elsewhere, as one file.
//!
//! It is a write, though it changes nothing: whoever may have it has every payload.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use hookbox_store::StoreError;
use hookbox_store::backup::Backup;
use tokio::sync::mpsc;

use super::access::{self, Deed};
use super::query::Query;
use super::{Api, Operator, audited, nothing_in};
use crate::problem::Problem;

/// A reader takes the next part of a backup within this, or it is given up.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// The file is made as it is read; what breaks off has no end, and is refused by whoever reads it.
pub(super) async fn make(State(operator): Api, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    Query::read(&head.uri, &[])?;
    nothing_in(body).await?;
    let backup = audited("back up", "begun", begin(&operator).await)?;
    let (parts, made) = mpsc::channel(1);
    let (caller, address) = (access::caller(), operator.access.address(&head));
    tokio::spawn(async move {
        let outcome = write(backup, parts).await;
        let deed = Deed { what: "hand out backup", object: String::new(), address };
        match operator.begin(caller.as_ref(), &deed).await {
            Ok(number) => operator.end(number, outcome.as_str(), "").await,
            Err(_) => tracing::error!("it is not in the audit log how a backup ended: {}", outcome.as_str()),
        }
    });
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

/// How the audit log has it.
enum Outcome {
    Whole,
    /// The store could not give it to its end.
    BrokenOff,
    /// Whoever asked for it read no further.
    GivenUp,
}

impl Outcome {
    fn as_str(&self) -> &'static str {
        match self {
            Outcome::Whole => "done",
            Outcome::BrokenOff => "broken-off",
            Outcome::GivenUp => "given-up",
        }
    }
}

/// Ends when nobody reads on, so that the next backup finds its place free. Empty bytes are the end.
async fn write(mut backup: Backup, parts: mpsc::Sender<Result<Bytes, StoreError>>) -> Outcome {
    loop {
        let next = backup.next().await;
        let next = next.inspect_err(|error| tracing::error!(%error, "a backup broke off: {error}"));
        let outcome = match &next {
            Ok(Some(_)) => None,
            Ok(None) => Some(Outcome::Whole),
            Err(_) => Some(Outcome::BrokenOff),
        };
        let part = next.map(|bytes| bytes.map(Bytes::from).unwrap_or_default());
        match (tokio::time::timeout(READ_WITHIN, parts.send(part)).await, outcome) {
            (Ok(Ok(())), None) => {}
            (Ok(Ok(())), Some(outcome)) => return outcome,
            (Ok(Err(_)), _) => return Outcome::GivenUp,
            (Err(_), _) => {
                tracing::warn!("a backup was given up: nobody read on for {} s", READ_WITHIN.as_secs());
                return Outcome::GivenUp;
            }
        }
    }
}

async fn begin(operator: &Operator) -> Result<Backup, Problem> {
    let snapshot = operator.store.snapshot().await?;
    let (folders, now) = (operator.backed_up.clone(), operator.clock.now());
    Ok(Backup::begin(snapshot, folders, env!("CARGO_PKG_VERSION"), now)?)
}
