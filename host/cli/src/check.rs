//! `hookbox check`: everything that a start would refuse, and what it would
//! only warn of, without changing anything.

use std::fs;
use std::sync::Arc;

use anyhow::Result;
use hookbox_core::clock::Clock;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::{PluginInfo, Trigger};
use hookbox_core::verify::Verifier;
use hookbox_sandbox::{Sandbox, SandboxOptions};
use serde_json::json;

use crate::args::ProjectArgs;
use crate::clock::SystemClock;
use crate::inspect::{self, Print};
use crate::project::{Mistakes, Project};

#[derive(Default)]
struct Findings {
    mistakes: Vec<String>,
    warnings: Vec<String>,
}

/// True if a host would start without a complaint that stops it.
pub(crate) async fn check(args: &ProjectArgs, print: Print) -> Result<bool> {
    let mut findings = Findings::default();
    match Project::read(args) {
        Ok(project) => {
            check_providers(&project, &mut findings)?;
            let plugins = check_plugins(&project, &mut findings).await?;
            check_references(&project, &plugins, &mut findings);
        }
        Err(error) => match error.downcast::<Mistakes>() {
            Ok(Mistakes(mistakes)) => findings.mistakes.extend(mistakes),
            Err(error) => return Err(error),
        },
    }
    let good = findings.mistakes.is_empty();
    if print == Print::Json {
        inspect::json(&json!({ "good": good, "mistakes": findings.mistakes, "warnings": findings.warnings }))?;
        return Ok(good);
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

fn check_providers(project: &Project, findings: &mut Findings) -> Result<()> {
    let providers = match project.providers() {
        Ok(providers) => providers,
        Err(error) => {
            findings.mistakes.push(error.to_string());
            return Ok(());
        }
    };
    for (name, found) in providers {
        if found.secrets.is_empty() {
            let sources: Vec<String> = found.missing.iter().map(ToString::to_string).collect();
            findings.warnings.push(format!("provider {name} is not live: set {}", sources.join(" or ")));
        } else if let Err(error) = Verifier::new(&found.provider.scheme, &found.secrets, found.provider.tolerance) {
            findings.mistakes.push(format!("provider {name}: {error}"));
        }
    }
    Ok(())
}

async fn check_plugins(project: &Project, findings: &mut Findings) -> Result<Vec<PluginInfo>> {
    let settings = match project.plugin_settings() {
        Ok(settings) => settings,
        Err(error) => {
            findings.mistakes.push(error.to_string());
            return Ok(Vec::new());
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let cache = std::env::temp_dir().join(format!("hookbox-check-{}", std::process::id()));
    let sandbox = Sandbox::new(SandboxOptions { cache: cache.clone(), slots: 1, clock })?;
    let mut plugins = Vec::new();
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
        match sandbox.prepare(&name, fs::read(&path)?.into(), settings.of(&name)).await {
            Ok(version) => plugins.push(version.info.clone()),
            Err(rejection) => findings.mistakes.push(format!("{}: {rejection}", path.display())),
        }
    }
    let _ = fs::remove_dir_all(&cache);
    Ok(plugins)
}

/// Names in hooks.yaml that nothing answers to, and patterns that any provider could feed.
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
