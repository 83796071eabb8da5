//! A sandbox that does what a test says.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hookbox_core::attempt::{Call, Cost, Executed, Log, LogLevel, LogLine, LogStream, Outcome, Output};
use hookbox_core::effects::Effects;
use hookbox_core::name::{HandlerRef, PluginName};
use hookbox_core::plugin::Digest;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_engine::{Execute, ExecuteError, Interrupt};
use tokio::sync::{Notify, watch};

pub(crate) type Answer = Result<Executed, ExecuteError>;
type Act = Arc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

#[derive(Default)]
pub(crate) struct Script {
    acts: Mutex<HashMap<HandlerRef, Act>>,
    /// No attempt ends before it wants to.
    pub(crate) is_deaf: AtomicBool,
    listed: Mutex<Vec<HandlerRef>>,
    running: Mutex<HashMap<PluginName, usize>>,
    /// Every call, in order; waited on by tests.
    pub(crate) calls: watch::Sender<Vec<Call>>,
    /// Attempts that were a version's own doing, as they were told.
    pub(crate) judged: Mutex<Vec<(PluginName, Digest, Outcome)>>,
}

impl Script {
    /// What a handler does; it is there from now on.
    pub(crate) fn on<F>(&self, target: &str, act: impl Fn(Call) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let target = handler(target);
        self.acts.lock().unwrap().insert(target.clone(), Arc::new(move |call| Box::pin(act(call))));
        let mut listed = self.listed.lock().unwrap();
        if !listed.contains(&target) {
            listed.push(target);
        }
    }

    /// Each attempt is done when it is told to go on.
    pub(crate) fn hold(&self, target: &str) -> Arc<Notify> {
        let go = Arc::new(Notify::new());
        let told = go.clone();
        self.on(target, move |_| {
            let told = told.clone();
            async move {
                told.notified().await;
                Ok(done())
            }
        });
        go
    }

    /// It can no longer be called.
    pub(crate) fn remove(&self, target: &str) {
        self.listed.lock().unwrap().retain(|listed| *listed != handler(target));
        self.acts.lock().unwrap().remove(&handler(target));
    }

    /// It is among the handlers, but cannot be called.
    pub(crate) fn list_only(&self, target: &str) {
        self.on(target, |_| async { Err(ExecuteError::NoSuchHandler) });
    }

    /// Attempts of a plugin under way.
    pub(crate) fn running(&self, plugin: &PluginName) -> usize {
        self.running.lock().unwrap().get(plugin).copied().unwrap_or(0)
    }

    pub(crate) fn call_count(&self) -> usize {
        self.calls.borrow().len()
    }
}

#[async_trait]
impl Execute for Script {
    fn handlers(&self) -> Arc<[HandlerRef]> {
        self.listed.lock().unwrap().clone().into()
    }

    async fn execute_until(&self, call: Call, interrupt: Interrupt) -> Answer {
        let told = async {
            interrupt.told().await;
            if self.is_deaf.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            executed = self.execute(call) => executed,
            () = told => Ok(interrupted()),
        }
    }

    async fn execute(&self, call: Call) -> Answer {
        let act = self.acts.lock().unwrap().get(&call.target).cloned();
        let Some(act) = act else { return Err(ExecuteError::NoSuchHandler) };
        self.calls.send_modify(|calls| calls.push(call.clone()));
        let _under_way = UnderWay::new(self, call.target.plugin.clone());
        act(call).await
    }

    fn recorded(&self, plugin: &PluginName, version: Digest, outcome: &Outcome) {
        self.judged.lock().unwrap().push((plugin.clone(), version, outcome.clone()));
    }
}

struct UnderWay<'a>(&'a Script, PluginName);

impl<'a> UnderWay<'a> {
    fn new(script: &'a Script, plugin: PluginName) -> UnderWay<'a> {
        *script.running.lock().unwrap().entry(plugin.clone()).or_default() += 1;
        UnderWay(script, plugin)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        *self.0.running.lock().unwrap().get_mut(&self.1).unwrap() -= 1;
    }
}

/// `plugin/handler`.
pub(crate) fn handler(target: &str) -> HandlerRef {
    let (plugin, handler) = target.split_once('/').unwrap();
    HandlerRef { plugin: plugin.parse().unwrap(), handler: handler.parse().unwrap() }
}

pub(crate) const VERSION: Digest = Digest([9; 32]);

fn ended(outcome: Outcome) -> Executed {
    let cost = Cost { wall_us: 1500, cpu_us: 1000, memory_peak_bytes: 65_536, ..Cost::default() };
    Executed { cost, version: Some(VERSION), ..Executed::bare(outcome) }
}

/// With what it had logged.
pub(crate) fn interrupted() -> Executed {
    let line = LogLine {
        at: Timestamp(7),
        stream: LogStream::Log,
        level: LogLevel::Info,
        message: "half done".into(),
        fields: vec![],
    };
    Executed { log: Log { lines: vec![line], bytes_dropped: 3 }, ..ended(Outcome::Cancelled) }
}

pub(crate) fn done() -> Executed {
    let output = Output { content_type: "text/plain".into(), data: b"ok".to_vec() };
    ended(Outcome::Completed { output: Some(output) })
}

pub(crate) fn done_with(effects: Effects) -> Executed {
    Executed { effects, ..done() }
}

pub(crate) fn busy(retry_after: Option<Millis>) -> Executed {
    ended(Outcome::Retryable { message: "busy".into(), retry_after })
}

pub(crate) fn hopeless() -> Executed {
    ended(Outcome::Permanent { message: "no such customer".into() })
}
