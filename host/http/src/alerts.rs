//! What is wrong at this moment, for whoever looks, and the way to the one who tells it: a test of a channel.

use std::collections::BTreeMap;

use arc_swap::ArcSwap;
use hookbox_core::alert::Book;
use tokio::sync::{mpsc, oneshot};

/// Tests that wait for their turn.
const TESTS_MAX: usize = 8;

/// As of the last look.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    pub book: Book,
    pub channels: BTreeMap<String, Told>,
}

/// What became of the latest messages of a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    pub kind: &'static str,
    pub delivered: u64,
    /// Given up.
    pub lost: u64,
    /// Why the last try failed; nothing where it did not.
    pub failure: Option<String>,
}

/// Asked for by an operator.
#[derive(Debug)]
pub struct Test {
    pub channel: String,
    /// Why it was not delivered.
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// Shared by the operator's listener and whoever watches.
#[derive(Debug)]
pub struct Alerts {
    shown: ArcSwap<Shown>,
    tests: mpsc::Sender<Test>,
}

impl Alerts {
    pub fn new() -> (Alerts, mpsc::Receiver<Test>) {
        let (tests, asked) = mpsc::channel(TESTS_MAX);
        (Alerts { shown: ArcSwap::default(), tests }, asked)
    }

    pub fn show(&self, shown: Shown) {
        self.shown.store(shown.into());
    }

    pub(crate) fn shown(&self) -> std::sync::Arc<Shown> {
        self.shown.load_full()
    }

    /// Returns once the channel has taken the message, or has not.
    pub(crate) async fn test(&self, channel: &str) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let test = Test { channel: channel.to_owned(), answer };
        self.tests.try_send(test).map_err(|_| "other tests wait already: try again in a moment".to_owned())?;
        answered.await.unwrap_or_else(|_| Err("the host stops".to_owned()))
    }
}
