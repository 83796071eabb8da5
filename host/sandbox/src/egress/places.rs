//! Places of connections and of lookups: some of each plugin, whatever its versions, and some of all plugins together.
//!
//! Most of the common places go to whoever comes first, and a plugin may have many of them. The last ones are kept for
//! those that have few: there a plugin gets [`LAST_MAX`] and no more. So a handful of plugins that keep all they can get
//! leave room for the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hookbox_core::name::PluginName;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Connections of one plugin, idle ones among them.
pub(super) const SOCKETS_MAX: usize = 64;
/// Those of all plugins together, but for the last ones.
const SOCKETS_OF_ALL_MAX: usize = 192;
/// The last ones, and how many of them one plugin may have.
const LAST_OF_ALL_MAX: usize = 64;
const LAST_MAX: usize = 8;
/// Of all plugins, the last ones among them.
pub(super) const ALL_MAX: usize = SOCKETS_OF_ALL_MAX + LAST_OF_ALL_MAX;
/// Lookups of names of one plugin at one time: each may hold a thread until the system gives up.
pub(super) const LOOKUPS_MAX: usize = 8;

pub(crate) struct Places {
    all: Arc<Semaphore>,
    last: Arc<Semaphore>,
    /// As long as a version of it lives, or something that it has begun.
    plugins: Mutex<BTreeMap<PluginName, Weak<OfPlugin>>>,
}

impl Default for Places {
    fn default() -> Places {
        Places::new(SOCKETS_OF_ALL_MAX, LAST_OF_ALL_MAX)
    }
}

impl Places {
    pub(super) fn new(all: usize, last: usize) -> Places {
        let places = |number| Arc::new(Semaphore::new(number));
        Places { all: places(all), last: places(last), plugins: Mutex::default() }
    }

    /// All versions of a plugin share them.
    pub(crate) fn of(&self, plugin: &PluginName) -> Arc<OfPlugin> {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = plugins.get(plugin).and_then(Weak::upgrade) {
            return places;
        }
        let places = Arc::new(OfPlugin {
            sockets: Arc::new(Semaphore::new(SOCKETS_MAX)),
            mine_of_last: Arc::new(Semaphore::new(LAST_MAX)),
            lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            all: Arc::clone(&self.all),
            last: Arc::clone(&self.last),
        });
        plugins.retain(|_, places| places.strong_count() > 0);
        plugins.insert(plugin.clone(), Arc::downgrade(&places));
        places
    }
}

/// Those of one plugin.
pub(crate) struct OfPlugin {
    sockets: Arc<Semaphore>,
    mine_of_last: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
    all: Arc<Semaphore>,
    last: Arc<Semaphore>,
}

/// Given back when it is dropped.
pub(super) struct Place {
    _permits: Vec<OwnedSemaphorePermit>,
    /// The next version is to find what this one still has.
    _of: Arc<OfPlugin>,
}

impl OfPlugin {
    /// Waits for one, until idle connections are closed if need be.
    pub(super) async fn socket(self: &Arc<Self>) -> Result<Place, AcquireError> {
        let mut permits = vec![Arc::clone(&self.sockets).acquire_owned().await?];
        let last = async {
            let mine = Arc::clone(&self.mine_of_last).acquire_owned().await?;
            Ok::<_, AcquireError>([mine, Arc::clone(&self.last).acquire_owned().await?])
        };
        tokio::select! {
            biased;
            one = Arc::clone(&self.all).acquire_owned() => permits.push(one?),
            both = last => permits.extend(both?),
        }
        Ok(self.place(permits))
    }

    pub(super) async fn lookup(self: &Arc<Self>) -> Result<Place, AcquireError> {
        Ok(self.place(vec![Arc::clone(&self.lookups).acquire_owned().await?]))
    }

    fn place(self: &Arc<Self>, permits: Vec<OwnedSemaphorePermit>) -> Place {
        Place { _permits: permits, _of: Arc::clone(self) }
    }
}

#[cfg(test)]
impl Places {
    pub(super) fn free(&self) -> usize {
        self.all.available_permits() + self.last.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn plugin(n: usize) -> PluginName {
        PluginName::parse(&format!("p{n}")).unwrap()
    }

    /// As many as it gets without having to wait.
    fn all_that_it_gets(of: &Arc<OfPlugin>) -> Vec<Place> {
        let mut places = Vec::new();
        while let Poll::Ready(place) = pin!(of.socket()).poll(&mut Context::from_waker(Waker::noop())) {
            places.push(place.unwrap());
        }
        places
    }

    #[test]
    fn plugins_that_take_all_they_get_leave_some_for_others() {
        let places = Places::default();
        let greedy: Vec<_> = (0..4).map(|n| places.of(&plugin(n))).collect();
        let mut held: Vec<_> = greedy.iter().map(all_that_it_gets).collect();
        assert_eq!(held[0].len(), SOCKETS_MAX);
        // They change places as they like.
        held[0].clear();
        held[3].extend(all_that_it_gets(&greedy[3]));
        held[0].extend(all_that_it_gets(&greedy[0]));
        for n in 4..8 {
            assert_eq!(all_that_it_gets(&places.of(&plugin(n))).len(), LAST_MAX, "{n}");
        }
        drop(held);
        assert_eq!(places.free(), ALL_MAX);
    }

    #[test]
    fn versions_of_a_plugin_share_its_places() {
        let places = Places::default();
        let old = all_that_it_gets(&places.of(&plugin(1)));
        // Nothing is left of the old version but its connections.
        assert_eq!((old.len(), all_that_it_gets(&places.of(&plugin(1))).len()), (SOCKETS_MAX, 0));
        assert_eq!(all_that_it_gets(&places.of(&plugin(2))).len(), SOCKETS_MAX);
        drop(old);
        assert_eq!(all_that_it_gets(&places.of(&plugin(1))).len(), SOCKETS_MAX);
    }
}
