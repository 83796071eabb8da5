//! Reading a request's body, bounded in bytes and in time.

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use hookbox_core::time::Millis;
use http_body_util::BodyExt;

use crate::bodies::{Full, Held};

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    TooLarge,
    TooSlow,
    /// The sender went away or broke the framing.
    Cut,
    /// There was no room for it.
    NoRoom(Full),
}

/// Of a body that is too large, so much is read on and thrown away: a sender that still writes would not see the answer.
const DISCARDED_BYTES_MAX: usize = 4 << 20;
/// And for so long at most.
const DISCARD_TIMEOUT: Millis = Millis(2000);

/// The whole body, and the room that it takes. Nothing of one that declares a greater length is kept, and of one that
/// turns out to be longer no more than `bytes_max`. Room is taken as the body comes: to declare a length costs a sender
/// nothing.
pub(crate) async fn read(
    mut body: Body,
    bytes_max: usize,
    within: Millis,
    held: Held,
) -> Result<(Bytes, Held), Unread> {
    let declared = body.size_hint().lower();
    let read = match usize::try_from(declared) {
        Ok(declared) if declared <= bytes_max => {
            let whole = whole(&mut body, declared, bytes_max, held);
            tokio::time::timeout(within.as_duration(), whole).await.unwrap_or(Err(Unread::TooSlow))
        }
        _ => Err(Unread::TooLarge),
    };
    // What was read of one that is not kept is let go before the rest is.
    if let Err(Unread::TooLarge | Unread::NoRoom(_)) = read {
        discard(&mut body).await;
    }
    read
}

async fn whole(body: &mut Body, declared: usize, bytes_max: usize, mut held: Held) -> Result<(Bytes, Held), Unread> {
    // Most come in one piece. Where there are more, they are put together at once: each for itself would take more than
    // its bytes, and a sender can make them small.
    let (mut first, mut more) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Cut)?.into_data() else { continue };
        if data.len() > bytes_max - first.len() - more.len() {
            return Err(Unread::TooLarge);
        }
        held.grow(data.len()).map_err(Unread::NoRoom)?;
        if first.is_empty() && more.is_empty() {
            first = data;
            continue;
        }
        if more.is_empty() {
            more.reserve(declared.max(first.len() + data.len()));
            more.extend_from_slice(&std::mem::take(&mut first));
        }
        more.extend_from_slice(&data);
    }
    Ok((if more.is_empty() { first } else { more.freeze() }, held))
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
