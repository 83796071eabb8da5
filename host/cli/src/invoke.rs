//! `hookbox invoke`: runs one handler of a component once, without a host.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use hookbox_core::attempt::{Call, Executed, Input, Outcome, Output};
use hookbox_core::clock::Clock;
use hookbox_core::config::Plugin;
use hookbox_core::event::{Event, Job, JobOrigin, Source};
use hookbox_core::id::Mint;
use hookbox_core::limits::PluginSettings;
use hookbox_core::name::{HandlerName, HandlerRef, PluginName, ProviderName};
use hookbox_core::plugin::{Handler, PluginInfo, Trigger};
use hookbox_core::time::Timestamp;
use hookbox_core::verify::Scheme;
use hookbox_sandbox::{MemoryKv, Sandbox, SandboxOptions, SystemResolver};
use serde_json::{Value, json};

use crate::args::{InvokeArgs, ProjectArgs};
use crate::clock::SystemClock;
use crate::delivery::Recorded;
use crate::inspect::{self, Print};
use crate::project::{Mistakes, Project};

/// True if the handler succeeded.
pub(crate) async fn invoke(args: &InvokeArgs, print: Print) -> Result<bool> {
    let stem = args.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = PluginName::parse(stem).map_err(|error| Mistakes(vec![format!("{}: {error}", args.file.display())]))?;
    let bytes = fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let project = ProjectArgs { config: args.config.clone(), plugins: PathBuf::from("plugins"), data: None };
    let project = Project::read(&project)?;
    let settings = project.plugin_settings()?.of(&name);
    let configured = project.config.plugins.get(&name).cloned().unwrap_or_default();
    let given = Given::read(args, &project)?;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let cache = std::env::temp_dir().join(format!("hookbox-invoke-{}", std::process::id()));
    let stack_bytes = project.config.engine.stack_bytes;
    let resolver = Arc::new(SystemResolver::default());
    let options = SandboxOptions { cache: cache.clone(), slots: 1, stack_bytes, clock: clock.clone(), resolver };
    let ended = run(args, given, &name, bytes, (settings, &configured), options, &clock).await;
    let _ = fs::remove_dir_all(&cache);
    let (handler, executed) = ended?;
    let succeeded = executed.outcome.is_success();
    report(&handler, executed, print)?;
    Ok(succeeded)
}

async fn run(
    args: &InvokeArgs,
    given: Given,
    name: &PluginName,
    bytes: Vec<u8>,
    (settings, configured): (PluginSettings, &Plugin),
    options: SandboxOptions,
    clock: &Arc<dyn Clock>,
) -> Result<(HandlerName, Executed)> {
    let sandbox = Sandbox::new(options)?;
    let version = sandbox
        .prepare(name, bytes.into(), settings)
        .await
        .map_err(|error| anyhow::Error::from(Mistakes(vec![format!("{} is refused: {error}", args.file.display())])))?;
    sandbox.activate(&version);
    let handler = choose(&version.info, args.handler.as_deref())?;
    let now = clock.now();
    let mint = Mint::new(std::array::from_fn(|n| now.0.to_be_bytes().get(n % 8).copied().unwrap_or(0)));
    let run = mint.run(now);
    let policy = configured.policy_of(&handler.name).over(handler.policy.clone()).policy();
    let call = Call {
        target: HandlerRef { plugin: name.clone(), handler: handler.name.clone() },
        run,
        attempt: 1,
        attempts_max: policy.attempts,
        timeout: policy.timeout,
        started: now,
        idempotency_key: run.to_string(),
        hops: 0,
        input: given.input(handler, &mint, now)?,
        version: None,
        trace: None,
    };
    let executed = sandbox.execute(call, Arc::new(MemoryKv::default())).await?;
    Ok((handler.name.clone(), executed))
}

fn choose<'a>(info: &'a PluginInfo, wanted: Option<&str>) -> Result<&'a Handler> {
    let names: Vec<String> = info.handlers.iter().map(|handler| handler.name.to_string()).collect();
    let found = match (wanted, info.handlers.as_slice()) {
        (Some(wanted), handlers) => handlers.iter().find(|handler| handler.name.as_str() == wanted),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    found.with_context(|| {
        Mistakes(vec![format!("name a handler with --handler: {} has {}", info.name, names.join(", "))])
    })
}

/// What the handler is given.
struct Given {
    /// `provider/type`; the handler's own pattern unless it is known.
    topic: Option<String>,
    delivery_id: Option<String>,
    content_type: String,
    data: Vec<u8>,
}

impl Given {
    fn read(args: &InvokeArgs, project: &Project) -> Result<Given> {
        if let Some(file) = &args.delivery {
            return Ok(Given::recorded(&Recorded::read(file)?, args, project));
        }
        let data = match (&args.payload, &args.payload_file) {
            (Some(data), _) => data.clone().into_bytes(),
            (None, Some(file)) => fs::read(file).with_context(|| format!("cannot read {}", file.display()))?,
            (None, None) => Vec::new(),
        };
        let (topic, content_type) = (args.event.clone(), args.content_type.clone());
        Ok(Given { topic, delivery_id: None, content_type, data })
    }

    /// As a host would take it in, where the provider that it was sent to is one of hooks.yaml or a preset.
    fn recorded(recorded: &Recorded, args: &InvokeArgs, project: &Project) -> Given {
        let scheme = ProviderName::parse(recorded.provider()).ok().and_then(|provider| {
            let declared = project.config.providers.get(&provider).map(|declared| declared.scheme.clone());
            declared.or_else(|| Scheme::named(provider.as_str()).cloned())
        });
        let identity = scheme.map(|scheme| recorded.identity(&scheme)).unwrap_or_default();
        let located = identity.event_type.map(|event_type| format!("{}/{event_type}", recorded.provider()));
        Given {
            topic: args.event.clone().or(located),
            delivery_id: identity.delivery_id.map(|id| id.value),
            content_type: recorded.header("content-type").unwrap_or(&args.content_type).to_owned(),
            data: recorded.body.clone(),
        }
    }

    fn input(self, handler: &Handler, mint: &Mint, now: Timestamp) -> Result<Input> {
        let Given { topic, delivery_id, content_type, data } = self;
        let Trigger::Events(patterns) = &handler.trigger else {
            return Ok(Input::Job(Arc::new(Job {
                id: mint.job(now),
                origin: JobOrigin::Operator,
                scheduled_at: now,
                content_type,
                data,
                hops: 0,
                trace: None,
            })));
        };
        let topic = topic.or_else(|| patterns.first().map(|pattern| pattern.to_string().replace('*', "test")));
        let topic = topic.unwrap_or_default();
        let parts = topic
            .split_once('/')
            .and_then(|(provider, event_type)| Some((ProviderName::parse(provider).ok()?, event_type.to_owned())));
        let wrong = || Mistakes(vec![format!("--event must be provider/type, got {topic:?}")]);
        let (provider, event_type) = parts.with_context(wrong)?;
        // Nothing was verified here.
        let mut attributes =
            vec![("provider".to_owned(), provider.to_string()), ("integrity".to_owned(), "none".to_owned())];
        attributes.extend(delivery_id.map(|id| ("delivery-id".to_owned(), id)));
        Ok(Input::Event(Arc::new(Event {
            id: mint.event(now),
            namespace: provider.to_string(),
            attributes,
            source: Source::Provider(provider),
            event_type,
            subject: None,
            time: now,
            content_type,
            data,
            hops: 0,
        })))
    }
}

fn report(handler: &HandlerName, executed: Executed, print: Print) -> Result<()> {
    let result = match &executed.outcome {
        Outcome::Completed { output: Some(output) } => text_of(output),
        _ => Value::Null,
    };
    let log: Vec<Value> = executed
        .log
        .lines
        .iter()
        .map(|line| {
            let fields: BTreeMap<_, _> = line.fields.iter().cloned().collect();
            json!({ "level": line.level, "stream": line.stream, "message": line.message, "fields": fields })
        })
        .collect();
    let effects = &executed.effects;
    let writes: Vec<&str> = effects.writes.iter().map(|write| write.key()).collect();
    let jobs: Vec<String> = effects.jobs.iter().map(|job| job.target.to_string()).collect();
    let events: Vec<String> = effects.events.iter().map(|e| format!("{}/{}", e.namespace, e.event_type)).collect();
    let calls: BTreeMap<_, _> = executed.cost.calls.made().map(|(kind, calls)| (kind.code(), calls.number)).collect();
    let answer = json!({
        "handler": handler,
        "outcome": executed.outcome.code(),
        "message": executed.outcome.message(),
        "result": result,
        "log": log,
        "log_bytes_dropped": executed.log.bytes_dropped,
        "kv_writes": writes,
        "jobs": jobs,
        "events": events,
        "wall_us": executed.cost.wall_us,
        "cpu_us": executed.cost.cpu_us,
        "memory_peak_bytes": executed.cost.memory_peak_bytes,
        "host_calls": calls,
    });
    if print == Print::Json {
        return inspect::json(&answer);
    }
    crate::output::fields(&answer, 0);
    Ok(())
}

fn text_of(output: &Output) -> Value {
    match serde_json::from_slice(&output.data) {
        Ok(value) => value,
        Err(_) => Value::String(String::from_utf8_lossy(&output.data).into_owned()),
    }
}
