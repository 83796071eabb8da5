//! Whoever watches: reads the numbers, keeps the book of alerts, and delivers its messages.
//!
//! The book is on disk before a message goes out, and again once it was taken. So after a crash nothing is
//! forgotten; a message that was just taken then comes a second time, with the same id.

mod channels;
mod file;
mod mail;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use arc_swap::ArcSwap;
use futures::future::join_all;
use hookbox_core::alert::{Book, Judged, Message, Seen, Step, Watch};
use hookbox_core::clock::Clock;
use hookbox_core::config::Alerts as Config;
use hookbox_core::id::Mint;
use hookbox_core::spending::Spending;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_http::alerts::{Alerts, Shown, Test, Told};
use hookbox_http::providers::Providers;
use hookbox_http::readings::Sources;
use hookbox_http::tally::Tally;
use hookbox_store::{Store, StoreError};
use tokio::sync::{mpsc, watch};

pub(crate) use channels::Channels;

use crate::project::Project;
use channels::{Jobs, Sent};

/// What was seen is kept at least so often, for the next start.
const KEEP_EVERY: Millis = Millis(5 * Millis::MINUTE.0);

/// What hooks.yaml says, with the secrets of its channels.
pub(crate) struct Settled {
    pub(crate) config: Config,
    pub(crate) channels: Channels,
}

impl Settled {
    pub(crate) fn of(project: &Project) -> Result<Settled> {
        Ok(Settled { config: project.config.alerts.clone(), channels: Channels::of(project)? })
    }
}

pub(crate) struct Watcher {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) spending: Arc<Spending>,
    pub(crate) providers: Arc<ArcSwap<Providers>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) mint: Arc<Mint>,
    pub(crate) queue_max: u64,
    pub(crate) data: PathBuf,
    pub(crate) alerts: Arc<Alerts>,
    /// Exchanged whole when hooks.yaml changes, which is a reason to look.
    pub(crate) settings: watch::Receiver<Arc<Settled>>,
}

/// Between two looks.
struct State {
    book: Book,
    watch: Watch,
    told: BTreeMap<String, Told>,
    kept: Timestamp,
}

impl Watcher {
    /// Until it is stopped. A message that is under way is delivered before: else it would come twice.
    pub(crate) async fn watch(self, mut tests: mpsc::Receiver<Test>, mut stopped: watch::Receiver<bool>) {
        let book = file::read(&self.data).unwrap_or_else(|error| {
            tracing::error!(%error, "alerts are told anew, since the old ones do not read: {error:#}");
            Book::default()
        });
        let (watch, told) = (Watch::default(), BTreeMap::new());
        // The first look is kept: what a crash after it buries is counted from there.
        let mut state = State { book, watch, told, kept: Timestamp::default() };
        let mut settings = self.settings.clone();
        loop {
            let settled = settings.borrow_and_update().clone();
            self.look(&mut state, &settled).await;
            let wait = tokio::time::sleep(settled.config.every.as_duration());
            tokio::pin!(wait);
            loop {
                tokio::select! {
                    biased;
                    () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => return self.leave(state).await,
                    // Whoever changed something tries it next, and does not wait for a look.
                    Ok(()) = settings.changed() => {
                        self.show(&mut state, &self.settings.borrow().clone().channels);
                        break;
                    }
                    () = &mut wait => break,
                    Some(test) = tests.recv() => self.test(&mut state, test).await,
                }
            }
        }
    }

    async fn look(&self, state: &mut State, settled: &Settled) {
        let now = self.clock.now();
        match self.judge(state, settled, now).await {
            Ok(judged) => {
                let step = state.book.step(judged, &settled.config.terms, now);
                // Kept later than now is kept before the clock was set back.
                if step == Step::Changed || now.since(state.kept) >= KEEP_EVERY || state.kept > now {
                    self.keep(state).await;
                }
            }
            // It says so itself; what is known stays as it is.
            Err(error) => tracing::warn!(%error, "alerts were not looked at: {error}"),
        }
        self.show(state, &settled.channels);
        self.deliver(state, &settled.channels, now).await;
        self.show(state, &settled.channels);
    }

    async fn judge(&self, state: &mut State, settled: &Settled, now: Timestamp) -> Result<Judged, StoreError> {
        let providers = self.providers.load_full();
        let sources = Sources {
            store: &*self.store,
            tally: &self.tally,
            spending: &self.spending,
            providers: &providers,
            data: &self.data,
        };
        let rules = &settled.config.rules;
        let reading = sources.read(rules, now).await?;
        Ok(state.watch.judge(reading, rules, &mut state.book.seen, now))
    }

    /// Whom the host has heard is known after the next start. What else there is to see is left to that: nobody is told of it
    /// now, and it must not be old by then.
    async fn leave(&self, mut state: State) {
        let (settled, before) = (self.settings.borrow().clone(), state.book.seen.clone());
        if let Err(error) = self.judge(&mut state, &settled, self.clock.now()).await {
            tracing::warn!(%error, "alerts were not looked at for the last time: {error}");
        }
        let providers = std::mem::take(&mut state.book.seen.providers);
        state.book.seen = Seen { providers, ..before };
        self.keep(&mut state).await;
    }

    async fn deliver(&self, state: &mut State, channels: &Channels, now: Timestamp) {
        let due = state.book.due(now);
        if due.is_empty() {
            return;
        }
        let sent = due.iter().map(|message| self.send(channels, message));
        for (message, sent) in due.iter().zip(join_all(sent).await) {
            let channel = &message.channel;
            let told = state.told.entry(channel.clone()).or_default();
            match sent {
                Ok(failure) => {
                    state.book.delivered(&message.id);
                    told.delivered += 1;
                    tracing::info!(channel, alerts = message.parts.len(), "{channel} was told of alerts");
                    if let Some(failure) = &failure {
                        tracing::warn!(channel, failure, "{channel} was told of alerts in part: {failure}");
                    }
                    told.failure = failure;
                }
                Err(failure) => {
                    told.failure = Some(failure.clone());
                    let is_lost = state.book.failed(&message.id, failure.clone(), now);
                    told.lost += u64::from(is_lost);
                    match is_lost {
                        true => {
                            tracing::error!(
                                channel,
                                failure,
                                "{channel} was not told of alerts, and this message is lost: {failure}"
                            )
                        }
                        false => tracing::warn!(channel, failure, "{channel} was not told of alerts yet: {failure}"),
                    }
                }
            }
        }
        self.keep(state).await;
    }

    async fn send(&self, channels: &Channels, message: &Message) -> Sent {
        let jobs = Jobs { store: &*self.store, mint: &self.mint, queue_max: self.queue_max, now: self.clock.now() };
        channels.send(message, jobs).await
    }

    async fn test(&self, state: &mut State, test: Test) {
        let now = self.clock.now();
        let message = text::test(&test.channel, now, self.mint.random());
        let settled = self.settings.borrow().clone();
        // Who tries a channel wants to know of everyone that it misses.
        let sent = match self.send(&settled.channels, &message).await {
            Ok(None) => Ok(()),
            Ok(Some(failure)) | Err(failure) => Err(failure),
        };
        state.told.entry(test.channel).or_default().failure = sent.clone().err();
        self.show(state, &settled.channels);
        // Whoever asked may have gone.
        let _ = test.answer.send(sent);
    }

    async fn keep(&self, state: &mut State) {
        state.kept = self.clock.now();
        let (data, book) = (self.data.clone(), state.book.clone());
        let written = tokio::task::spawn_blocking(move || file::write(&data, &book)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "alerts were not kept: after a restart some may be told twice: {error:#}");
        }
    }

    fn show(&self, state: &mut State, channels: &Channels) {
        state.told.retain(|channel, _| channels.kinds().any(|(name, _)| name == channel));
        for (name, kind) in channels.kinds() {
            state.told.entry(name.clone()).or_default().kind = kind;
        }
        self.alerts.show(Shown { book: state.book.clone(), channels: state.told.clone() });
    }
}
