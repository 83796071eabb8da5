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

/// Of a body that is too large, so much is read on and thrown away: a sender that still writes would not see the answer.
const DISCARDED_BYTES_MAX: usize = 4 << 20;
/// And for so long at most.
const DISCARD_TIMEOUT: Millis = Millis(2000);

/// The whole body. Nothing of one that declares a greater length is kept, and of one that turns out to be longer no more
/// than `bytes_max`.
pub(crate) async fn read(mut body: Body, bytes_max: usize, within: Millis) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        discard(&mut body).await;
        return Err(Unread::TooLarge);
    }
    match tokio::time::timeout(within.as_duration(), Limited::new(&mut body, bytes_max).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(&mut body).await;
            Err(Unread::TooLarge)
        }
        Ok(Err(_)) => Err(Unread::Cut),
        Err(_) => Err(Unread::TooSlow),
    }
}

/// Reads on, within bounds, what nobody wants.
pub(crate) async fn discard(body: &mut Body) {
    let read = async {
        let mut discarded = 0;
        while let Some(Ok(frame)) = body.frame().await {
            discarded += frame.data_ref().map_or(0, Bytes::len);
            if discarded > DISCARDED_BYTES_MAX {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARD_TIMEOUT.as_duration(), read).await;
}
