//! The span of a delivery.

use std::sync::{Arc, Mutex};

use hookbox_core::id::Mint;
use hookbox_core::trace::{self, Collect, Rules, Span, Tracing, Value};
use hookbox_store::types::PageRequest;
use hookbox_store::{Store, StoreError};
use tokio::sync::Semaphore;

use crate::faulty::{Faulty, Webhooks};
use crate::harness::{Host, ask, shop};

#[derive(Default)]
struct Kept(Mutex<Vec<Span>>);

impl Collect for Kept {
    fn take(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }
}

impl Kept {
    fn named(&self, name: &str) -> Option<Span> {
        self.0.lock().unwrap().iter().find(|span| span.name == name).cloned()
    }
}

fn outcome(span: &Span) -> Option<Value> {
    let told = span.attributes.iter().find(|(name, _)| *name == "hookbox.outcome");
    told.map(|(_, value)| value.clone())
}

/// A host whose store takes webhooks in as it is told to, and its spans.
fn traced(webhooks: Webhooks) -> (Host, Arc<Faulty>, Arc<Kept>) {
    let store = Arc::new(Faulty::with(StoreError::Unavailable("no disk".into())));
    store.webhooks(webhooks);
    let mut host = Host::over(store.clone());
    let (kept, mint) = (Arc::<Kept>::default(), Arc::new(Mint::new([9; 32])));
    let rules = Rules { sample_percent: 100, continued: Default::default() };
    host.tracing = Tracing::to(kept.clone(), host.clock.clone(), mint, rules);
    (host, store, kept)
}

#[tokio::test]
async fn a_delivery_whose_sender_goes_away_has_its_span() {
    let permits = Arc::new(Semaphore::new(0));
    let (host, store, kept) = traced(Webhooks::Wait(permits.clone()));
    let mut delivered = Box::pin(ask(host.ingress(), shop(r#"{"type":"user.created","event_id":"e-1"}"#)));
    // From here on it is the store's turn.
    while kept.named("verify").is_none() {
        assert!(futures::poll!(&mut delivered).is_pending());
        tokio::task::yield_now().await;
    }
    assert!(kept.named("webhook my-shop").is_none());
    drop(delivered);
    let span = kept.named("webhook my-shop").unwrap();
    assert_eq!((outcome(&span), &span.failure), (Some(Value::Text("gone".into())), &None));
    assert_eq!(kept.named("verify").unwrap().parent, Some(span.context.span));

    permits.add_permits(1);
    while store.inner().counts().events == 0 {
        tokio::task::yield_now().await;
    }
    let page = PageRequest { before: None, limit: 1 };
    let event = store.inner().events(page).await.unwrap().events.remove(0).event;
    assert_eq!(trace::of_event(&event), Some(span.context), "the event names it");
}

#[tokio::test]
async fn one_that_is_answered_has_it_once() {
    for (webhooks, told) in [(Webhooks::Work, "accepted"), (Webhooks::Fail, "store")] {
        let (host, _, kept) = traced(webhooks);
        host.deliver(shop(r#"{"type":"user.created","event_id":"e-1"}"#)).await;
        let spans = kept.0.lock().unwrap().clone();
        let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(names, ["verify", "accept", "webhook my-shop"]);
        assert_eq!(outcome(&spans[2]), Some(Value::Text(told.into())));
    }
}
