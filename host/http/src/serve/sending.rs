//! An answer on its way: its connection is not silent until it is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hookbox_core::time::Millis;
use hyper::body::{Frame, SizeHint};

use super::connections::Activity;

/// A reader takes the next part of a long answer within this, or its connection may have to make room.
const TAKEN_WITHIN: Millis = Millis(30_000);

/// A body whose connection is busy while the host makes the next part, and for a while when its reader is to take one.
pub(super) struct Sending {
    body: Body,
    activity: Arc<Activity>,
}

impl Sending {
    pub(super) fn new(body: Body, activity: Arc<Activity>) -> Sending {
        activity.sends_within(TAKEN_WITHIN);
        Sending { body, activity }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.activity.end();
    }
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match polled {
            Poll::Pending => self.activity.begin(),
            Poll::Ready(_) => self.activity.sends_within(TAKEN_WITHIN),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use axum::body::to_bytes;
    use hyper::body::Body as _;

    use super::*;

    const SILENT_FOR: Millis = Millis(1000);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_silent_once_its_answer_is_sent_or_not_taken() {
        let activity = Activity::new();
        activity.begin();
        let (parts, made) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
        let made = futures::stream::unfold(made, |mut made| async { Some((made.recv().await?, made)) });
        let mut sending = Sending::new(Body::from_stream(made), activity.clone());
        // The host has nothing to say for an hour, and is asked for more.
        let mut asked = taken(&mut sending).await;
        assert!(asked.is_none());
        tokio::time::advance(Millis::HOUR.as_duration()).await;
        assert!(!activity.is_silent_for(SILENT_FOR));
        parts.send(Ok(Bytes::from_static(b"part"))).await.unwrap();
        asked = taken(&mut sending).await;
        assert!(asked.is_some());
        tokio::time::advance(TAKEN_WITHIN.as_duration()).await;
        assert!(!activity.is_silent_for(SILENT_FOR), "a reader may be slow");
        tokio::time::advance(SILENT_FOR.as_duration()).await;
        assert!(activity.is_silent_for(SILENT_FOR), "this one reads nothing");
        drop(parts);
        to_bytes(Body::new(sending), usize::MAX).await.unwrap();
        assert!(!activity.is_silent_for(SILENT_FOR));
        tokio::time::advance(SILENT_FOR.as_duration()).await;
        assert!(activity.is_silent_for(SILENT_FOR));
    }

    async fn taken(sending: &mut Sending) -> Option<Bytes> {
        poll_fn(|context| match Pin::new(&mut *sending).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(frame.and_then(Result::ok).and_then(|frame| frame.into_data().ok())),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}
