//! `hookbox check`: everything that a start would refuse, and what it would
//! only warn of, without changing anything.

mod grants;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use hookbox_core::clock::Clock;
use hookbox_core::config::Config;
use hookbox_core::cron::Zones;
use hookbox_core::limits::COMPONENT_BYTES_MAX;
use hookbox_core::name::{HandlerRef, PluginName, ProviderName};
use hookbox_core::plugin::{Digest, PluginInfo, Trigger};
use hookbox_core::schedule::{BadWhen, Schedule};
use hookbox_core::trust::Grounds;
use hookbox_core::verify::Scheme;
use hookbox_sandbox::{PluginFile, Sandbox, SandboxOptions, SystemResolver};
use serde_json::json;
use sha2::Digest as _;

use crate::args::ProjectArgs;
use crate::clock::SystemClock;
use crate::host::Channels;
use crate::inspect::{self, Print};
use crate::project::{self, FoundSettings, Mistakes, Project, no_public_url};

#[derive(Default)]
struct Findings {
    mistakes: Vec<String>,
    warnings: Vec<String>,
    files: Vec<CheckedFile>,
}

/// A file in the plugins folder.
struct CheckedFile {
    path: String,
    digest: Digest,
    /// Nothing where it would not be taken, which is a mistake, too.
    trusted: Option<Grounds>,
    /// Interfaces; nothing of one that is not taken.
    imports: Vec<String>,
}

/// True if nothing is wrong: a host would start, and take every plugin in.
pub(crate) async fn check(args: &ProjectArgs, print: Print) -> Result<bool> {
    let mut findings = Findings::default();
    match project::read_config(&args.config) {
        Ok(config) => {
            let project = Project::with(args, config)?;
            let providers = check_project(&project, &mut findings);
            let plugins = check_plugins(&project, &mut findings).await?;
            check_names(&plugins, &providers, &mut findings);
            check_silent(&project, &providers, &mut findings);
            check_references(&project, &plugins, &mut findings);
            check_times(&project, &plugins, &mut findings);
            check_patterns(&plugins, &mut findings);
        }
        Err(error) => {
            let Mistakes(mistakes) = error.downcast::<Mistakes>()?;
            findings.mistakes.extend(mistakes);
            // What hooks.yaml means is not known, but the plugins can be looked at without it.
            if says_whom_to_trust(&args.config) {
                findings
                    .warnings
                    .push("no plugin was looked at: hooks.yaml has mistakes, and says whom to trust".to_owned());
            } else {
                let project = Project::with(args, Config::default())?;
                let plugins = check_plugins(&project, &mut findings).await?;
                check_names(&plugins, &[], &mut findings);
                check_patterns(&plugins, &mut findings);
            }
        }
    }
    let good = findings.mistakes.is_empty();
    if print == Print::Json {
        let files = findings.files.iter().map(|file| {
            let grounds = file.trusted.as_ref().map(Grounds::to_string);
            json!({
                "file": file.path, "digest": file.digest, "trusted": grounds.is_some(), "grounds": grounds,
                "imports": file.imports,
            })
        });
        inspect::json(&json!({
            "good": good,
            "mistakes": findings.mistakes,
            "warnings": findings.warnings,
            "plugins": files.collect::<Vec<_>>(),
        }))?;
        return Ok(good);
    }
    for CheckedFile { path, digest, trusted, .. } in &findings.files {
        match trusted {
            Some(grounds) => say!("plugin: {path}: {digest}, {grounds}"),
            None => say!("plugin: {path}: {digest}, not trusted"),
        }
    }
    for mistake in &findings.mistakes {
        say!("mistake: {mistake}");
    }
    for warning in &findings.warnings {
        say!("warning: {warning}");
    }
    say!("{} mistakes, {} warnings", findings.mistakes.len(), findings.warnings.len());
    Ok(good)
}

/// Everything but plugins: what a start refuses, and what it would only warn of.
pub(crate) struct Told {
    pub(crate) mistakes: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

pub(crate) fn without_plugins(project: &Project) -> Told {
    let mut findings = Findings::default();
    check_project(project, &mut findings);
    Told { mistakes: findings.mistakes, warnings: findings.warnings }
}

/// The names of all providers.
fn check_project(project: &Project, findings: &mut Findings) -> Vec<ProviderName> {
    let providers = check_providers(project, findings);
    check_operator(project, findings);
    if let Err(error) = Channels::of(project) {
        findings.mistakes.push(format!("{error:#}"));
    }
    for texts in [project.tls_texts(), project.operator_tls_texts()] {
        if let Err(Mistakes(wrong)) = texts.and_then(|texts| texts.map(|texts| texts.tls()).transpose()) {
            findings.mistakes.extend(wrong);
        }
    }
    providers
}

/// Tokens that were made are in the store, which a host may have open: without one of the configuration they are needed.
fn check_operator(project: &Project, findings: &mut Findings) {
    let listen = project.config.operator.listen;
    match project.operator_token() {
        Err(error) => findings.mistakes.push(format!("{error:#}")),
        Ok(None) if !listen.ip().is_loopback() && project.config.operator.oidc.is_none() => findings.warnings.push(format!(
            "operator.listen: {listen} can be reached from elsewhere: a start needs HOOKBOX_TOKEN, or a token of the role \
             admin that was made with `hookbox tokens create`"
        )),
        Ok(_) => {}
    }
    if let Err(error) = project.oidc_secret() {
        findings.mistakes.push(format!("{error:#}"));
    }
}

fn check_providers(project: &Project, findings: &mut Findings) -> Vec<ProviderName> {
    let (providers, mistakes) = project.find_providers();
    findings.mistakes.extend(mistakes);
    let names = providers.keys().cloned().collect();
    let now = SystemClock::new().now();
    for (name, found) in providers {
        findings.mistakes.extend(project.schema_rules(&name, &found.provider).1);
        let sources: Vec<String> = found.missing.iter().map(ToString::to_string).collect();
        if found.secrets.is_empty() && sources.is_empty() {
            // Every source is there and no good, which is told already.
            continue;
        }
        if !found.secrets.is_empty() && !sources.is_empty() {
            let sources = sources.join(" and ");
            findings.warnings.push(format!("provider {name} does without a secret that is not there: {sources}"));
        }
        if found.secrets.is_empty() {
            findings.warnings.push(format!("provider {name} is not live: set {}", sources.join(" or ")));
            continue;
        }
        if found.provider.scheme.needs_url() && project.public_url(&name, &found.provider).is_none() {
            findings.mistakes.push(no_public_url(&name));
            continue;
        }
        match found.keyring() {
            Ok(keyring) => {
                if let Some(end) = keyring.ends().filter(|_| keyring.at(now).is_none()) {
                    findings.warnings.push(format!("provider {name} takes nothing: its last secret ended on {end}"));
                }
            }
            Err(error) => findings.mistakes.push(format!("provider {name}: {error}")),
        }
    }
    names
}

/// Where the file cannot be read as a whole, a word is enough: nothing is compiled that may not be trusted.
fn says_whom_to_trust(file: &Path) -> bool {
    let Ok(text) = fs::read_to_string(file) else { return true };
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.any(|line| ["keys", "require_signed", "pinned"].iter().any(|word| line.contains(word)))
}

async fn check_plugins(project: &Project, findings: &mut Findings) -> Result<Vec<PluginInfo>> {
    let FoundSettings { settings, missing, mistakes } = project.find_plugin_settings();
    findings.mistakes.extend(mistakes);
    findings.warnings.extend(missing);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let cache = std::env::temp_dir().join(format!("hookbox-check-{}", std::process::id()));
    let (stack_bytes, resolver) = (project.config.engine.stack_bytes, Arc::new(SystemResolver::default()));
    let sandbox = Sandbox::new(SandboxOptions { cache: cache.clone(), slots: 1, stack_bytes, clock, resolver })?;
    let (trust, mut plugins) = (project.config.trust(), Vec::new());
    for entry in fs::read_dir(&project.plugins).into_iter().flatten().flatten() {
        let path = entry.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(stem) = file.strip_suffix(".wasm").filter(|stem| !stem.starts_with('.')) else { continue };
        let name = match PluginName::parse(stem) {
            Ok(name) => name,
            Err(error) => {
                findings.mistakes.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        let Some(file) = PluginFile::read(&path) else {
            findings.mistakes.push(format!(
                "{}: it must be a file of at most {COMPONENT_BYTES_MAX} bytes, not a link, a folder or a device",
                path.display()
            ));
            continue;
        };
        let judged = trust.of(&name).judge(&name, &file.bytes, file.signature.as_deref());
        findings.files.push(CheckedFile {
            path: path.display().to_string(),
            digest: Digest(sha2::Sha256::digest(&file.bytes).into()),
            trusted: judged.as_ref().ok().cloned(),
            imports: Vec::new(),
        });
        if let Err(untrusted) = judged {
            findings.mistakes.push(format!("{}: {untrusted}", path.display()));
            continue;
        }
        match sandbox.prepare(&name, file.bytes, settings.of(&name)).await {
            Ok(version) => {
                findings.warnings.extend(grants::compare(&name, &version.imports, &settings.of(&name)));
                if let Some(file) = findings.files.last_mut() {
                    file.imports.clone_from(&version.imports);
                }
                plugins.push(version.info.clone());
            }
            Err(rejection) => findings.mistakes.push(format!("{}: {rejection}", path.display())),
        }
    }
    let _ = fs::remove_dir_all(&cache);
    Ok(plugins)
}

/// What a plugin emits is routed under its name: one called like a provider could pass for it.
fn check_names(plugins: &[PluginInfo], providers: &[ProviderName], findings: &mut Findings) {
    for name in plugins.iter().map(|plugin| &plugin.name) {
        if is_known(name.as_str(), providers) || Scheme::named(name.as_str()).is_some() {
            findings.mistakes.push(format!(
                "{name}.wasm has the name of a provider, whose events it could forge: give the plugin another name"
            ));
        }
    }
}

/// my_shop and my-shop are one provider.
fn is_known(name: &str, providers: &[ProviderName]) -> bool {
    let folded = |text: &str| text.replace('_', "-");
    providers.iter().any(|provider| folded(provider.as_str()) == folded(name))
}

/// Providers that are watched, and that are none: they would be silent for ever.
fn check_silent(project: &Project, providers: &[ProviderName], findings: &mut Findings) {
    let watched = project.config.alerts.rules.provider_silent.keys();
    for name in watched.filter(|name| !is_known(name.as_str(), providers)) {
        findings.warnings.push(format!("alerts.rules.provider-silent.after.{name}: there is no provider {name}"));
    }
}

/// Names in hooks.yaml that nothing answers to.
fn check_references(project: &Project, plugins: &[PluginInfo], findings: &mut Findings) {
    let find = |name: &PluginName| plugins.iter().find(|plugin| plugin.name == *name);
    for (name, settings) in &project.config.plugins {
        match find(name) {
            None => findings
                .warnings
                .push(format!("plugins.{name}: there is no {name}.wasm in {}", project.plugins.display())),
            Some(plugin) => {
                for handler in settings.handlers.keys().filter(|handler| plugin.handler(handler).is_none()) {
                    findings.warnings.push(format!("plugins.{name}.handlers.{handler}: {name} has no such handler"));
                }
                let declared = settings.filters.keys().filter_map(|handler| plugin.handler(handler));
                for handler in declared.filter(|handler| !matches!(handler.trigger, Trigger::Events(_))) {
                    findings.mistakes.push(format!(
                        "plugins.{name}.handlers.{}.filter: only a handler that takes events has one; leave it out",
                        handler.name
                    ));
                }
            }
        }
    }
    for schedule in &project.config.schedules {
        let target = &schedule.target;
        let trigger = find(&target.plugin).and_then(|plugin| plugin.handler(&target.handler)).map(|h| &h.trigger);
        match trigger {
            None => findings.warnings.push(format!("schedules.{}: there is no handler {target}", schedule.name)),
            Some(Trigger::Events(_)) => {
                let wrong = format!(
                    "schedules.{}: {target} takes events; a schedule needs a handler with #[cron], #[every] or #[job]",
                    schedule.name
                );
                findings.mistakes.push(wrong);
            }
            Some(_) => {}
        }
    }
}

/// Schedules that no host would make today, and those that do not count.
fn check_times(project: &Project, plugins: &[PluginInfo], findings: &mut Findings) {
    let (now, zones) = (SystemClock::new().now(), Zones::default());
    let check = |findings: &mut Findings, place: String, schedule: &Schedule| {
        match schedule.first_after(now, &zones) {
            Ok(_) => {}
            // It was good when it was written.
            Err(over @ (BadWhen::Past(_) | BadWhen::OutOfBounds)) => {
                findings.warnings.push(format!("{place}: {over}"));
            }
            Err(error) => findings.mistakes.push(format!("{place}: {error}")),
        }
    };
    let own = &project.config.schedules;
    own.iter().for_each(|schedule| check(findings, format!("schedules.{}", schedule.name), schedule));
    for plugin in plugins {
        for handler in &plugin.handlers {
            let Trigger::Schedule(declared) = &handler.trigger else { continue };
            let target = HandlerRef { plugin: plugin.name.clone(), handler: handler.name.clone() };
            if own.iter().any(|schedule| schedule.name == declared.name) {
                findings.warnings.push(format!(
                    "schedules.{}: stands in the place of the one that {target} declares: hooks.yaml comes first",
                    declared.name
                ));
                continue;
            }
            check(findings, target.to_string(), &declared.of(target.clone()));
        }
    }
}

/// Patterns that any provider could feed.
fn check_patterns(plugins: &[PluginInfo], findings: &mut Findings) {
    for plugin in plugins {
        for handler in &plugin.handlers {
            let Trigger::Events(patterns) = &handler.trigger else { continue };
            for pattern in patterns.iter().filter(|pattern| pattern.any_provider()) {
                findings.warnings.push(format!(
                    "{}/{}: any provider's secret can feed {pattern}: name the provider",
                    plugin.name, handler.name
                ));
            }
        }
    }
}
