//! The sandbox itself: one engine, one linker, and the versions that are active.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use hookbox_core::clock::Clock;
use hookbox_core::egress::Egress;
use hookbox_core::limits::{STACK_BYTES_MAX, STACK_BYTES_MIN};
use hookbox_core::name::{HandlerRef, PluginName};
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::{Plugin, config, config_rc, keyvalue, keyvalue2, logging};
use crate::cache::Cache;
use crate::capability;
use crate::egress::{self, Client, Places, Resolve};
use crate::engine::engine;
use crate::guest::Guest;
use crate::version::{Active, Version};

/// Plugins that are compiled and described at once: compiling takes every core and up to 400 MB for the largest.
pub(crate) const PREPARING_MAX: usize = 1;
/// Attempts at once at most: each slot reserves 16 GiB of address space.
const SLOTS_MAX: usize = 1000;

pub struct SandboxOptions {
    /// A folder for compiled code; it is made where it is missing.
    pub cache: PathBuf,
    /// Attempts at once; further ones wait.
    pub slots: usize,
    /// Of each guest; at most [`STACK_BYTES_MAX`].
    pub stack_bytes: usize,
    pub clock: Arc<dyn Clock>,
    /// Where plugins' requests find the addresses of their hosts.
    pub resolver: Arc<dyn Resolve>,
}

/// We could not run it: what the guest does is an outcome, never one of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// The active version, if there is one, has no handler for this work.
    #[error("{target} {reason}")]
    NoSuchHandler { target: HandlerRef, reason: &'static str },
    /// Another version is active than the only one that the call may run on.
    #[error("another version has come")]
    Replaced,
    /// The host is at fault; the attempt did not begin, and trying again may help.
    #[error("{0}")]
    Broken(String),
}

pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) preparing: Arc<Semaphore>,
    /// In front of the pool: a pool without room is an error, not a wait. First come, first served: whoever has several
    /// plugins to serve shares the slots out before, so that nobody waits here.
    pub(crate) slots: Semaphore,
    resolver: Arc<dyn Resolve>,
    /// Of the connections that plugins have.
    places: Places,
    /// Read when the first plugin may send requests.
    tls: OnceLock<ClientConfig>,
    pub(crate) active: Arc<Active>,
}

impl Sandbox {
    /// Starts the engine and its ticking thread, which ends with the last version.
    pub fn new(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
        let slots = options.slots.clamp(1, SLOTS_MAX);
        let stack_bytes = options.stack_bytes.clamp(STACK_BYTES_MIN, STACK_BYTES_MAX);
        let engine = engine(u32::try_from(slots + PREPARING_MAX).unwrap_or(u32::MAX), stack_bytes)?;
        let linker = linker(&engine)
            .map_err(|error| SandboxError::Broken(format!("the imports cannot be linked: {error:#}")))?;
        let cache = Cache::open(options.cache, &engine, Arc::clone(&options.clock))
            .map_err(|error| SandboxError::Broken(format!("cache of compiled plugins: {error}")))?;
        Ok(Sandbox {
            engine,
            linker,
            cache: Arc::new(cache),
            clock: options.clock,
            preparing: Arc::new(Semaphore::new(PREPARING_MAX)),
            slots: Semaphore::new(slots),
            resolver: options.resolver,
            places: Places::default(),
            tls: OnceLock::new(),
            active: Arc::default(),
        })
    }

    /// Connections for a plugin of these grants, none of them made yet. Nothing where it may not send any request.
    pub(crate) fn client(&self, plugin: &PluginName, egress: &Arc<Egress>) -> Option<Client> {
        let tls = || self.tls.get_or_init(egress::tls).clone();
        let (egress, resolver) = (Arc::clone(egress), Arc::clone(&self.resolver));
        (!egress.grants.is_empty()).then(|| Client::new(egress, resolver, tls(), self.places.of(plugin)))
    }

    /// Attempts that begin from here on run on this version; those that run keep theirs. Returns the one it replaces.
    pub fn activate(&self, version: &Arc<Version>) -> Option<Arc<Version>> {
        self.active.insert(version)
    }

    /// Attempts that run end as if nothing had happened.
    pub fn deactivate(&self, plugin: &PluginName) -> Option<Arc<Version>> {
        self.active.remove(plugin)
    }

    pub fn active(&self, plugin: &PluginName) -> Option<Arc<Version>> {
        self.active.get(plugin)
    }

    /// Every version that is active, or that was and still runs an attempt.
    pub fn living(&self) -> Vec<Arc<Version>> {
        self.active.living()
    }

    /// In the order of their names.
    pub fn active_all(&self) -> Vec<Arc<Version>> {
        self.active.all()
    }
}

/// All of WASI 0.2, because every language's runtime wants clocks and random numbers even to say its name: what it
/// must not reach is missing from its context instead.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    // In the place of what was linked above.
    linker.allow_shadowing(true);
    egress::bound(&mut linker)?;
    capability::link_surroundings(&mut linker)?;
    Guest::link_requests(&mut linker)?;
    Guest::link_answers(&mut linker)?;
    linker.allow_shadowing(false);
    Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;
    drafts(&mut linker)?;
    Ok(linker)
}

/// Other names of what the contract has.
fn drafts(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    keyvalue::Imports::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    keyvalue2::Imports::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    config::Imports::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    config_rc::Imports::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    logging::Imports::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}
