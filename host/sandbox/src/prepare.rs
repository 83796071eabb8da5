//! From a file's bytes to a version: check, compile or load, link, describe.

use std::borrow::Cow;
use std::sync::Arc;

use hookbox_core::limits::{COMPONENT_BYTES_MAX, DESCRIBE_TIMEOUT, INSTANCES_MAX, PluginSettings};
use hookbox_core::name::PluginName;
use hookbox_core::plugin::{Declared, DeclaredHandler, DeclaredTrigger, Digest, PluginInfo};
use hookbox_core::time::Millis;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use wasmtime::component::Component;

use crate::bindings::PluginPre;
use crate::bindings::hookbox::plugin::types;
use crate::cpu::Budgeted;
use crate::egress::Sender;
use crate::guest::{Access, Guest};
use crate::logbook::LogBook;
use crate::meter::{Exhausted, Meter};
use crate::outcome::{self, Fault};
use crate::rejection::Rejection;
use crate::sandbox::{Sandbox, SandboxError};
use crate::text;
use crate::version::{Compiled, Version};

/// CPU time of `describe()`: it only has to say what is written in the code.
pub(crate) const DESCRIBE_CPU: Millis = Millis(500);
/// Of an import or export that is told; components may have names of 100,000 bytes.
const NAME_BYTES_MAX: usize = 200;
/// The one export that makes a component a plugin.
const GUEST: &str = "hookbox:plugin/guest@0.1.0";
/// Interfaces of the contract that a guest may import.
const CONTRACT: [&str; 5] = ["types", "logging", "kv", "config", "queue"];
/// The parts of WASI 0.2 that are linked.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
/// Of `wasi:http` the part that sends requests.
const WASI_HTTP: [&str; 2] = ["types", "outgoing-handler"];
/// Drafts of WASI that are linked: interfaces and their versions, each as it is written in an import.
const DRAFTS: [&str; 9] = [
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:keyvalue/atomics@0.2.0-draft",
    "wasi:keyvalue/batch@0.2.0-draft",
    "wasi:keyvalue/store@0.2.0-draft2",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:keyvalue/batch@0.2.0-draft2",
    "wasi:config/store@0.2.0-draft",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:logging/logging@0.1.0-draft",
];

impl Sandbox {
    /// `name` is the stem of the plugin's file. Nothing is active afterwards that was not before. Takes milliseconds
    /// where the code is in the cache, else up to ten seconds; others wait meanwhile.
    pub async fn prepare(
        &self,
        name: &PluginName,
        bytes: Arc<[u8]>,
        settings: PluginSettings,
    ) -> Result<Arc<Version>, Rejection> {
        look(&bytes)?;
        settings.check().map_err(Rejection::LimitTooHigh)?;
        let closed = |_| Rejection::HostBroken("the sandbox is closed".to_owned());
        let permit = Arc::clone(&self.preparing).acquire_owned().await.map_err(closed)?;
        let (engine, cache) = (self.engine.clone(), Arc::clone(&self.cache));
        // The permit goes along: compiling goes on even where nobody waits for it any longer.
        let clock = Arc::clone(&self.clock);
        let compiling = tokio::task::spawn_blocking(move || {
            let began = clock.monotonic();
            let digest = Digest(Sha256::digest(&bytes).into());
            let found = cache.load(&engine, digest).map(|component| (component, Compiled::Cached));
            let (component, compiled) = match found {
                Some(found) => found,
                None => {
                    let component = Component::from_binary(&engine, &bytes).map_err(|error| not_compiled(&error))?;
                    cache.store(digest, &component);
                    (component, Compiled::Fresh)
                }
            };
            let took = clock.monotonic().since(began);
            Ok::<_, Rejection>((digest, component, (compiled, took), permit))
        });
        let aborted = |error| Rejection::HostBroken(format!("compiling was aborted: {error}"));
        let (digest, component, compiled, _permit) = compiling.await.map_err(aborted)??;
        let pre = self.link(&component)?;
        let client = self.client(name, &settings.egress);
        let declared = Box::pin(self.describe(&pre, &settings)).await?;
        let info = PluginInfo::check(declared, name)?;
        Ok(Arc::new(Version::new(digest, info, compiled, settings, client, pre)))
    }

    fn link(&self, component: &Component) -> Result<PluginPre<Guest>, Rejection> {
        let kind = component.component_type();
        if let Some((import, _)) = kind.imports(&self.engine).find(|(import, _)| !is_served(import)) {
            return Err(Rejection::UnservedImport { import: name(import), cure: cure(import) });
        }
        if !kind.exports(&self.engine).any(|(export, _)| export == GUEST) {
            let ours = |export: &str| export.starts_with("hookbox:plugin/guest@").then(|| name(export));
            let found = kind.exports(&self.engine).find_map(|(export, _)| ours(export));
            let cure = match found {
                Some(_) => "build it against version 0.1 of the contract, or update hookbox",
                None => "implement the world hookbox:plugin/plugin, such as with the SDK",
            };
            return Err(Rejection::NotAPlugin { found, cure });
        }
        let invalid = |error: wasmtime::Error| Rejection::Invalid(text::message(&format!("{error:#}")));
        PluginPre::new(self.linker.instantiate_pre(component).map_err(invalid)?).map_err(invalid)
    }

    async fn describe(&self, pre: &PluginPre<Guest>, settings: &PluginSettings) -> Result<Declared, Rejection> {
        let log = LogBook::new(Arc::clone(&self.clock), settings.limits.log_bytes);
        let meter = Meter::new(settings.memory_bytes, DESCRIBE_CPU, settings.limits.clone());
        let sender = Sender::closed(log.clone());
        let mut store = Guest::store(&self.engine, meter, log.clone(), Access::Refused, sender);
        let cpu = store.data().meter.budget();
        let described = async {
            let plugin = pre.instantiate_async(&mut store).await.map_err(Fault::Starting)?;
            plugin.hookbox_plugin_guest().call_describe(&mut store).await.map_err(Fault::Running)
        };
        let ended = timeout(DESCRIBE_TIMEOUT.as_duration(), Budgeted::new(described, cpu)).await;
        match ended {
            Ok(Some(Ok(info))) => Ok(declared(info)),
            Ok(Some(Err(fault))) => Err(refused(fault, &store.data().meter, &log.stderr_tail())),
            Ok(None) | Err(_) => Err(Rejection::DescribeTimedOut),
        }
    }
}

/// What the first bytes tell: cheaper and clearer than the parser.
fn look(bytes: &[u8]) -> Result<(), Rejection> {
    if bytes.len() as u64 > COMPONENT_BYTES_MAX {
        return Err(Rejection::TooLarge { bytes: bytes.len() as u64 });
    }
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', _, _, 0, 0]) => Err(Rejection::CoreModule),
        _ => Err(Rejection::NotWasm),
    }
}

/// Broken, or larger than a place in the pool.
fn not_compiled(error: &wasmtime::Error) -> Rejection {
    let message = text::message(&format!("{error:#}"));
    if message.contains("pooling allocator") { Rejection::DoesNotFit(message) } else { Rejection::Invalid(message) }
}

/// The name of an import or export, as it is shown.
fn name(name: &str) -> String {
    text::line(text::prefix(name, NAME_BYTES_MAX))
}

fn is_served(import: &str) -> bool {
    if DRAFTS.contains(&import) {
        return true;
    }
    let (package, version) = import.split_once('@').unwrap_or((import, ""));
    match package.split_once('/') {
        Some(("hookbox:plugin", interface)) => version == "0.1.0" && CONTRACT.contains(&interface),
        Some(("wasi:http", interface)) => version.starts_with("0.2.") && WASI_HTTP.contains(&interface),
        Some((package, _)) => {
            let wasi = package.strip_prefix("wasi:").is_some_and(|package| WASI.contains(&package));
            wasi && version.starts_with("0.2.")
        }
        None => false,
    }
}

fn cure(import: &str) -> Cow<'static, str> {
    let package = import.split_once('/').map_or(import, |(package, _)| package);
    let known: Vec<&str> = DRAFTS.into_iter().filter(|draft| draft.starts_with(&format!("{package}/"))).collect();
    if !known.is_empty() {
        return format!("it is served as {}", known.join(", ")).into();
    }
    let cure = if import.starts_with("wasi:http/") {
        "of wasi:http only outgoing-handler is served, in version 0.2: requests come as events"
    } else if import.starts_with("wasi:") {
        "build it for WASI 0.2 with interfaces of wasi:cli only, such as with --target wasm32-wasip2"
    } else if import.starts_with("hookbox:plugin/") {
        "build it against version 0.1 of the contract, or update hookbox"
    } else {
        "a plugin may import hookbox:plugin@0.1.0 and WASI 0.2 only"
    };
    cure.into()
}

fn refused(fault: Fault, meter: &Meter, stderr: &str) -> Rejection {
    match (meter.exhausted(), fault) {
        (Some(Exhausted::Cpu(_)), _) => Rejection::DescribeTimedOut,
        (Some(Exhausted::Memory(limit)), _) => Rejection::OutOfMemory { limit },
        (Some(Exhausted::TableElements(limit)), _) => {
            Rejection::DoesNotFit(format!("more than {limit} table elements (plugins.NAME.limits.table_elements)"))
        }
        (None, Fault::Starting(error)) if outcome::is_over_count(&error) => {
            let most = meter.limits().instances;
            let root = error.root_cause();
            Rejection::DoesNotFit(format!("{root}; plugins.NAME.limits.instances is {most}, at most {INSTANCES_MAX}"))
        }
        (None, Fault::Running(error)) => {
            Rejection::DescribeTrapped(outcome::trap_message(&error, stderr, meter.limits()))
        }
        (None, fault) => match outcome::of_fault(fault, meter, stderr) {
            Ok(outcome) => Rejection::DescribeTrapped(outcome.message().unwrap_or_default()),
            Err(SandboxError::Broken(message)) => Rejection::HostBroken(message),
            Err(error) => Rejection::HostBroken(error.to_string()),
        },
    }
}

fn declared(info: types::PluginInfo) -> Declared {
    let handlers = info.handlers.into_iter().map(|handler| DeclaredHandler {
        name: handler.name,
        trigger: trigger(handler.trigger),
        options: handler.options,
    });
    Declared {
        name: info.name,
        version: info.version,
        description: info.description,
        handlers: handlers.collect(),
        options: info.options,
    }
}

fn trigger(trigger: types::Trigger) -> DeclaredTrigger {
    match trigger {
        types::Trigger::Events(patterns) => DeclaredTrigger::Events(patterns),
        types::Trigger::Manual => DeclaredTrigger::Manual,
        types::Trigger::Schedule(types::Schedule { when, options }) => match when {
            types::ScheduleWhen::Cron(expression) => DeclaredTrigger::Cron { expression, options },
            types::ScheduleWhen::Every(period) => DeclaredTrigger::Every { period: Millis(period), options },
        },
    }
}
