//! Slots in which attempts are executed, shared so that nobody waits for
//! others beyond their share.
//!
//! A slot that is free goes to the plugin that holds the fewest, within it to
//! the handler that holds the fewest, and among equals to the one that has
//! waited for its turn the longest. Whoever holds some takes one more only
//! while enough is left for others: a plugin leaves a quarter of the slots where
//! it is alone, and half as many as it holds beside others; so does a handler
//! with what its plugin may have. A newcomer finds a slot beside a few that never
//! let go; beside more, it is next when one of them does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_core::name::{HandlerName, HandlerRef, PluginName};
use tokio::sync::oneshot;

#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    free: usize,
    /// Counts turns.
    turn: u64,
    /// Those that hold a slot or wait for one.
    plugins: BTreeMap<PluginName, OfPlugin>,
}

#[derive(Debug, Default)]
struct OfPlugin {
    held: usize,
    /// Since when it waits for its turn.
    since: u64,
    handlers: BTreeMap<HandlerName, OfHandler>,
}

#[derive(Debug, Default)]
struct OfHandler {
    held: usize,
    since: u64,
    /// Whether it leaves something to others of its plugin.
    siblings: Siblings,
    waiting: VecDeque<oneshot::Sender<()>>,
}

/// Whether a plugin has other handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Siblings {
    #[default]
    None,
    Some,
}

/// Held while an attempt is executed.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    target: HandlerRef,
}

/// A place in the queue, which is given up where it is dropped.
struct Waiting<'a> {
    slots: &'a Slots,
    target: &'a HandlerRef,
    given: oneshot::Receiver<()>,
}

impl Slots {
    pub(crate) fn new(slots: usize) -> Slots {
        let shared = Shared { free: slots.max(1), turn: 0, plugins: BTreeMap::new() };
        Slots(Arc::new(Mutex::new(shared)))
    }

    /// Waits until it is the handler's turn.
    pub(crate) async fn take(&self, target: &HandlerRef, siblings: Siblings) -> Slot {
        let mut waiting = Waiting { slots: self, target, given: self.locked().queue(target, siblings) };
        // Its sender is in the queue until the slot is given.
        let _ = (&mut waiting.given).await;
        Slot { slots: self.clone(), target: target.clone() }
    }

    fn locked(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.locked().give_back(&self.target);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.given.close();
        let mut shared = self.slots.locked();
        match self.given.try_recv() {
            // It was given a moment ago, and nobody has it.
            Ok(()) => shared.give_back(self.target),
            Err(_) => shared.forget_idle(self.target),
        }
    }
}

impl Shared {
    fn queue(&mut self, target: &HandlerRef, siblings: Siblings) -> oneshot::Receiver<()> {
        self.turn += 1;
        let turn = self.turn;
        let plugin = self.plugins.entry(target.plugin.clone()).or_default();
        if !plugin.is_waiting() {
            plugin.since = turn;
        }
        let handler = plugin.handlers.entry(target.handler.clone()).or_default();
        if handler.waiting.is_empty() {
            handler.since = turn;
        }
        handler.siblings = siblings;
        let (give, given) = oneshot::channel();
        handler.waiting.push_back(give);
        self.give();
        given
    }

    fn give_back(&mut self, target: &HandlerRef) {
        self.free += 1;
        if let Some(plugin) = self.plugins.get_mut(&target.plugin) {
            plugin.held -= 1;
            if let Some(handler) = plugin.handlers.get_mut(&target.handler) {
                handler.held -= 1;
            }
        }
        self.forget_idle(target);
        self.give();
    }

    /// Gives what is free to whoever may have it, one after the other.
    fn give(&mut self) {
        while let Some((plugin, handler)) = self.next() {
            self.turn += 1;
            let (turn, target) = (self.turn, HandlerRef { plugin, handler });
            let Some(plugin) = self.plugins.get_mut(&target.plugin) else { return };
            let Some(handler) = plugin.handlers.get_mut(&target.handler) else { return };
            let given = handler.waiting.pop_front().is_some_and(|give| give.send(()).is_ok());
            if given {
                self.free -= 1;
                plugin.held += 1;
                handler.held += 1;
                (plugin.since, handler.since) = (turn, turn);
            } else {
                self.forget_idle(&target);
            }
        }
    }

    /// Whose turn it is.
    fn next(&self) -> Option<(PluginName, HandlerName)> {
        let plugins = self.plugins.iter().filter_map(|(name, plugin)| {
            let room = room(plugin.held, self.free, Company::of(self.plugins.len()))?;
            Some((plugin.held, plugin.since, name, plugin.next(room)?))
        });
        let (_, _, plugin, handler) = plugins.min_by_key(|(held, since, _, _)| (*held, *since))?;
        Some((plugin.clone(), handler.clone()))
    }

    fn forget_idle(&mut self, target: &HandlerRef) {
        let Some(plugin) = self.plugins.get_mut(&target.plugin) else { return };
        if plugin.handlers.get(&target.handler).is_some_and(|handler| handler.held == 0 && handler.is_idle()) {
            plugin.handlers.remove(&target.handler);
        }
        if plugin.handlers.is_empty() {
            self.plugins.remove(&target.plugin);
        }
    }
}

impl OfPlugin {
    fn is_waiting(&self) -> bool {
        self.handlers.values().any(|handler| !handler.is_idle())
    }

    /// The handler whose turn it is, where the plugin may take `room` more.
    fn next(&self, room: usize) -> Option<&HandlerName> {
        let may = |handler: &OfHandler| match handler.siblings {
            Siblings::None => true,
            Siblings::Some => self::room(handler.held, room, Company::of(self.handlers.len())).is_some(),
        };
        let handlers = self.handlers.iter().filter(|(_, handler)| !handler.is_idle() && may(handler));
        handlers.min_by_key(|(_, handler)| (handler.held, handler.since)).map(|(name, _)| name)
    }
}

impl OfHandler {
    /// Nobody waits any more.
    fn is_idle(&self) -> bool {
        self.waiting.iter().all(oneshot::Sender::is_closed)
    }
}

/// Whether others hold slots or wait for them, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    None,
    Some,
}

impl Company {
    fn of(all: usize) -> Company {
        if all > 1 { Company::Some } else { Company::None }
    }
}

/// How many more whoever holds `held` may take of those that are `free`: what it has then is at most this many times
/// what it leaves. The first may always be taken.
fn room(held: usize, free: usize, company: Company) -> Option<usize> {
    let times = match company {
        Company::None => 3,
        Company::Some => 2,
    };
    let more = (times * free).saturating_sub(held) / (times + 1);
    let first = usize::from(held == 0).min(free);
    Some(more.max(first)).filter(|room| *room > 0)
}

#[cfg(test)]
mod tests;
