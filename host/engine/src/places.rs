//! Places for claimed runs, shared so that no plugin takes them all.
//!
//! A plugin is handed runs while it holds fewer places than are free. One
//! plugin alone has most of them, several bad ones have fewer each, and there
//! is always one left for a plugin that holds none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_core::name::{HandlerName, HandlerRef, PluginName};
use hookbox_store::types::Claimable;
use tokio::sync::Notify;

#[derive(Debug)]
pub(crate) struct Places {
    places_max: usize,
    held: Mutex<HashMap<PluginName, OfPlugin>>,
    given_back: Notify,
}

/// Places that a plugin holds, for all of its handlers and for each.
#[derive(Debug, Default)]
struct OfPlugin {
    all: usize,
    handlers: HashMap<HandlerName, usize>,
}

/// What one claim may hand out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Without those of plugins that hold their share.
    pub(crate) handlers: Arc<[Claimable]>,
    pub(crate) limit: usize,
    pub(crate) per_plugin_max: usize,
}

impl Places {
    pub(crate) fn new(places_max: usize) -> Arc<Places> {
        Arc::new(Places { places_max, held: Mutex::default(), given_back: Notify::new() })
    }

    /// Half of what is free for one plugin, three quarters for all. Where a plugin holds its share, those of its handlers
    /// that hold none may have one each.
    pub(crate) fn share(&self, handlers: &Arc<[Claimable]>) -> Share {
        let held = self.locked();
        let free = self.places_max.saturating_sub(held.values().map(|plugin| plugin.all).sum());
        let most = |claimable: &Claimable| match held.get(&claimable.handler.plugin) {
            None if free == 0 => 0,
            None => usize::MAX,
            Some(plugin) if plugin.all < free => usize::MAX,
            // Its siblings hold the share of their plugin.
            Some(plugin) if !plugin.handlers.contains_key(&claimable.handler.handler) => {
                usize::from(free > self.places_max / 4)
            }
            Some(_) => 0,
        };
        let handlers = match handlers.iter().all(|claimable| most(claimable) == usize::MAX) {
            true => handlers.clone(),
            false => {
                let with_most = handlers.iter().map(|claimable| (claimable, most(claimable)));
                let served = with_most.filter(|(_, most)| *most > 0);
                served.map(|(claimable, most)| claimable.clone().with_at_most(most)).collect()
            }
        };
        Share { handlers, limit: (free * 3).div_ceil(4), per_plugin_max: free.div_ceil(2) }
    }

    /// A place within the last share.
    pub(crate) fn take(self: &Arc<Self>, target: &HandlerRef) -> HeldPlace {
        let mut held = self.locked();
        let plugin = held.entry(target.plugin.clone()).or_default();
        plugin.all += 1;
        *plugin.handlers.entry(target.handler.clone()).or_default() += 1;
        HeldPlace { places: self.clone(), target: target.clone() }
    }

    /// Returns once a place was given back since the last time; one waits at a time.
    pub(crate) async fn given_back(&self) {
        self.given_back.notified().await;
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<PluginName, OfPlugin>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(crate) struct HeldPlace {
    places: Arc<Places>,
    target: HandlerRef,
}

impl Drop for HeldPlace {
    fn drop(&mut self) {
        let mut held = self.places.locked();
        if let Some(plugin) = held.get_mut(&self.target.plugin) {
            plugin.all -= 1;
            if let Some(places) = plugin.handlers.get_mut(&self.target.handler) {
                *places -= 1;
            }
            plugin.handlers.retain(|_, places| *places > 0);
            if plugin.all == 0 {
                held.remove(&self.target.plugin);
            }
        }
        drop(held);
        self.places.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn handlers() -> Arc<[Claimable]> {
        ["bad/work", "good/work"].map(|handler| Claimable::new(handler.parse().unwrap())).into()
    }

    fn take(places: &Arc<Places>, plugin: &str, count: usize) -> Vec<HeldPlace> {
        let target = format!("{plugin}/work").parse().unwrap();
        (0..count).map(|_| places.take(&target)).collect()
    }

    #[test]
    fn a_plugin_that_holds_as_many_as_are_free_is_left_out() {
        let (places, handlers) = (Places::new(8), handlers());
        let first = take(&places, "bad", 3);
        assert_eq!(places.share(&handlers), Share { handlers: handlers.clone(), limit: 4, per_plugin_max: 3 });
        let second = take(&places, "bad", 3);
        let good = places.share(&handlers);
        assert_eq!((&good.handlers[..], good.limit, good.per_plugin_max), (&handlers[1..], 2, 1));
        drop((first, second));
        assert_eq!(places.share(&handlers).handlers, handlers);
    }

    #[test]
    fn a_handler_that_holds_none_has_one_where_its_siblings_hold_their_plugins_share() {
        let places = Places::new(8);
        let handlers: Arc<[Claimable]> =
            ["bad/work", "bad/calm"].map(|handler| Claimable::new(handler.parse().unwrap())).into();
        let _busy = take(&places, "bad", 4);
        let calm = handlers[1].clone().with_at_most(1);
        assert_eq!(*places.share(&handlers).handlers, *std::slice::from_ref(&calm));
        let _calm = places.take(&calm.handler);
        assert_eq!(places.share(&handlers).handlers.len(), 0);
    }

    #[test]
    fn many_bad_plugins_leave_a_place() {
        let places = Places::new(256);
        let bad: Arc<[Claimable]> = (0..40).map(|n| Claimable::new(format!("bad{n}/work").parse().unwrap())).collect();
        let mut held = Vec::new();
        loop {
            let share = places.share(&bad);
            if share.handlers.is_empty() {
                break;
            }
            let in_turn = share.handlers.iter().cycle().take(share.limit);
            held.extend(in_turn.map(|claimable| places.take(&claimable.handler)));
        }
        let good = places.share(&handlers());
        assert_eq!(good.handlers.len(), 2);
        assert!(good.limit > 0 && good.per_plugin_max > 0, "{good:?}");
    }

    #[test]
    fn without_a_free_place_nobody_is_served() {
        let places = Places::new(2);
        let _held = take(&places, "bad", 2);
        assert_eq!(places.share(&handlers()), Share { handlers: [].into(), limit: 0, per_plugin_max: 0 });
    }

    #[test]
    fn a_place_that_is_given_back_wakes_whoever_waits() {
        let places = Places::new(2);
        let mut held = take(&places, "bad", 2);
        let mut given_back = pin!(places.given_back());
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(given_back.as_mut().poll(&mut context), Poll::Pending);
        held.pop();
        assert_eq!(given_back.as_mut().poll(&mut context), Poll::Ready(()));
    }
}
