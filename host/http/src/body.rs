//! Reading a request's body, bounded in bytes and in time.

use axum::body::{Body, HttpBody};
use bytes::Bytes;
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
    let (mut first, mut more) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Cut)?.into_data() else { continue };
        if data.len() > bytes_max - first.len() - more.len() {
            return Err(Unread::TooLarge);
        }
        let needed = first.len() + more.len() + data.len();
        if first.is_empty() && more.is_empty() {
            held.grow(needed).map_err(Unread::NoRoom)?;
            first = data;
            continue;
        }
        if needed > more.capacity() {
            let room = twice(needed, declared, bytes_max);
            held.resize(room).map_err(Unread::NoRoom)?;
            more.reserve_exact(room - more.len());
        }
        more.extend_from_slice(&std::mem::take(&mut first));
        more.extend_from_slice(&data);
    }
    Ok((if more.is_empty() { first } else { more.into() }, held))
}

/// The room for a body of which so much has come: not all that it declares or may have, of which nothing may ever come.
fn twice(come: usize, declared: usize, bytes_max: usize) -> usize {
    let most = if come <= declared { declared } else { bytes_max };
    come.saturating_mul(2).min(most).max(come)
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::net::{IpAddr, Ipv4Addr};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::{Frame, SizeHint};

    use super::*;
    use crate::bodies::Bodies;

    const MIB: usize = 1 << 20;

    /// Declares a length, and brings what it has.
    struct Declared {
        length: Option<u64>,
        frames: VecDeque<Bytes>,
    }

    impl HttpBody for Declared {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.frames.pop_front().map(|data| Ok(Frame::data(data))))
        }

        fn size_hint(&self) -> SizeHint {
            self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    fn body(length: Option<usize>, frames: &[usize]) -> Body {
        let length = length.map(|length| length as u64);
        Body::new(Declared { length, frames: frames.iter().map(|bytes| vec![b'x'; *bytes].into()).collect() })
    }

    /// How long it is, and how much memory it takes, with a budget of so many bytes.
    async fn held_of(body: Body, budget: usize) -> Result<(usize, usize), Unread> {
        let bodies = Bodies::new(budget);
        let held = bodies.of(IpAddr::V4(Ipv4Addr::LOCALHOST), 32 * MIB);
        let (bytes, held) = read(body, 32 * MIB, DISCARD_TIMEOUT, held).await?;
        let (length, room) = (bytes.len(), Vec::from(bytes).capacity());
        assert!(room <= held.bytes(), "{room} bytes are kept and {} are counted", held.bytes());
        Ok((length, held.bytes()))
    }

    #[tokio::test]
    async fn room_is_made_for_what_comes_not_for_what_is_declared() {
        assert_eq!(held_of(body(Some(32 * MIB), &[1, 1]), 64 * MIB).await, Ok((2, 4)));
        assert_eq!(held_of(body(None, &[1, 1]), 64 * MIB).await, Ok((2, 4)));
        assert_eq!(held_of(body(Some(32 * MIB), &[1, 1, 2, 1]), 64 * MIB).await, Ok((5, 10)));
    }

    #[tokio::test]
    async fn a_whole_body_takes_no_more_than_it_declares() {
        let frames = [64 << 10; 16];
        assert_eq!(held_of(body(Some(MIB), &frames), MIB).await, Ok((MIB, MIB)));
        assert_eq!(held_of(body(Some(MIB), &[MIB]), MIB).await, Ok((MIB, MIB)));
    }

    #[tokio::test]
    async fn room_that_is_not_there_is_not_made() {
        assert!(matches!(held_of(body(None, &[600, 1]), 1000).await, Err(Unread::NoRoom(_))));
        assert_eq!(held_of(body(Some(601), &[600, 1]), 1000).await, Ok((601, 601)));
    }
}
