//! Reading a request's body, bounded in bytes and in time.

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hookbox_core::time::Millis;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    TooLarge,
    TooSlow,
    /// The sender went away or broke the framing.
    Cut,
}

/// The whole body. One that declares a greater length is refused before a byte of it is read, one that turns out to
/// be longer as soon as it is.
pub(crate) async fn read(body: Body, bytes_max: usize, within: Millis) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        return Err(Unread::TooLarge);
    }
    match tokio::time::timeout(within.as_duration(), Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Cut),
        Err(_) => Err(Unread::TooSlow),
    }
}
