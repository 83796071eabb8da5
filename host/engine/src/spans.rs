//! The span of a whole run. Whatever ends a run without an attempt that ends it, such as a cancel, a crash or the end of
//! its time, leaves attempts whose spans name it: it is sent for those as well.

use std::sync::Arc;

use hookbox_core::attempt::Input;
use hookbox_core::id::RunId;
use hookbox_core::run::{Run, RunState, RunStatus, Work};
use hookbox_core::trace::{Kind, SpanId, TraceContext, Tracing, Unended};
use hookbox_store::{Store, StoreError};

use crate::Parts;
use crate::pace::{Phase, Stop};

/// What a run that ends now is told as.
pub(crate) fn whole(run: &Run, own: TraceContext, above: Option<SpanId>, status: RunStatus) -> Unended {
    Unended::new(own, above, format!("run {}", run.target), Kind::Internal)
        .with("hookbox.run.id", run.id.to_string())
        .with("hookbox.handler", run.target.to_string())
        .with("hookbox.state", status.code())
}

/// Reads what a run works on.
pub(crate) async fn input(store: &dyn Store, work: Work) -> Result<Input, StoreError> {
    match work {
        Work::Event(id) => store.event_input(id).await.map(|event| Input::Event(Arc::new(event))),
        Work::Job(id) => store.job(id).await.map(|job| Input::Job(Arc::new(job))),
    }
}

/// Sends the spans of runs that no attempt has ended. It works from memory: what ends as the host stops may go without.
pub(crate) struct CutShort {
    store: Arc<dyn Store>,
    tracing: Tracing,
    /// The number of the last one that was looked at.
    seen: u64,
}

impl CutShort {
    /// Of the runs that are cut short from here on. Nothing where nobody traces.
    pub(crate) fn from_here(parts: &Parts) -> Option<CutShort> {
        let (store, tracing) = (parts.store.clone(), parts.tracing.clone());
        let seen = store.signals().cut_short.last();
        tracing.is_on().then_some(CutShort { store, tracing, seen })
    }

    /// Until nothing runs any more.
    pub(crate) async fn run(mut self, stop: Stop) {
        while stop.phase() < Phase::Abandoning {
            tokio::select! {
                biased;
                () = self.store.signals().cut_short.beyond(self.seen) => {}
                () = stop.reached(Phase::Abandoning) => {}
            }
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let since = self.store.signals().cut_short.since(self.seen);
        self.seen = since.last;
        if since.missed {
            tracing::warn!("more runs were cancelled or buried at once than spans are sent for: some have none");
        }
        for id in since.runs {
            match self.send(id).await {
                // Pruned by now.
                Ok(()) | Err(StoreError::NotFound(_)) => {}
                Err(error) => tracing::warn!(run.id = %id, %error, "the span of run {id} is not sent"),
            }
        }
    }

    async fn send(&self, id: RunId) -> Result<(), StoreError> {
        let run = self.store.run(id).await?;
        let input = input(&*self.store, run.work).await?;
        if let Some((own, above)) = self.tracing.of_run(id, &input) {
            let mut span = whole(&run, own, above, run.status());
            if let RunState::Dead { cause, .. } = run.state {
                span.failure = Some(cause.told().to_owned());
            }
            self.tracing.ended_since(run.created, span);
        }
        Ok(())
    }
}
