//! `hookbox plugins`: what serves, what served, and what an operator does about it.

mod show;
mod watch;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookbox_core::limits::COMPONENT_BYTES_MAX;
use hookbox_core::name::PluginName;
use serde_json::{Value, json};

use crate::args::{ConditionArgs, OnceArgs, PluginsCommand, PushArgs};
use crate::client::{Client, Write};
use crate::inspect::{self, Print};
use crate::output::{self, Column};
use crate::project::Mistakes;

const PLUGINS: [Column; 5] =
    [("NAME", "name"), ("STATE", "state"), ("VERSION", "version"), ("DIGEST", "digest"), ("REFUSED", "refused.reason")];

pub(crate) fn plugins(client: &Client, command: PluginsCommand, print: Print) -> Result<()> {
    match command {
        PluginsCommand::List => {
            let empty = "No plugins. Drop a .wasm into plugins/, or make one with `hookbox new NAME`.";
            inspect::list(&client.get("plugins", &[])?, &PLUGINS, empty, print)
        }
        PluginsCommand::Show { name } => {
            let plugin = client.get(&place(&name)?, &[])?;
            match print {
                Print::Json => inspect::json(&plugin),
                Print::Tables => {
                    show::show(&plugin);
                    Ok(())
                }
            }
        }
        PluginsCommand::Rollback { name, version, once, condition } => {
            told(&client.write(&rollback(&name, version.as_deref(), &once, &condition)?)?, print)
        }
        PluginsCommand::Push(args) => push(client, &args, print),
        PluginsCommand::Watch { count } => watch::watch(client, count, print),
    }
}

/// The path of a plugin below `/api/v1`.
fn place(name: &str) -> Result<String> {
    let name = PluginName::parse(name).map_err(|error| Mistakes(vec![error.to_string()]))?;
    Ok(format!("plugins/{name}"))
}

/// The host waits until the version serves.
fn rollback(name: &str, version: Option<&str>, once: &OnceArgs, condition: &ConditionArgs) -> Result<Write> {
    let write = Write::post(format!("{}/rollback", place(name)?), format!("plugins show {name}"));
    Ok(write.with(&json!({ "version": version })).patiently().once(once)?.on_condition(condition))
}

/// Which version serves, and what keeps another one out.
fn told(plugin: &Value, print: Print) -> Result<()> {
    if print == Print::Json {
        return inspect::json(plugin);
    }
    say!("{} serves version {}", output::plain(&plugin["name"]), short(&plugin["digest"]));
    if let Some(reason) = plugin["refused"]["reason"].as_str() {
        say!("{}", output::plain(&Value::from(reason)));
    }
    Ok(())
}

/// The digits of a digest that people read.
fn short(digest: &Value) -> String {
    let digits = digest.as_str().and_then(|digest| digest.strip_prefix("sha256:"));
    digits.and_then(|digits| digits.get(..12)).unwrap_or("-").to_owned()
}

fn push(client: &Client, args: &PushArgs, print: Print) -> Result<()> {
    let mistake = |message: String| Mistakes(vec![message]);
    let stem = || args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(stem);
    let name = PluginName::parse(&name).map_err(|error| mistake(format!("{error}; or name it with --name")))?;
    let bytes = component(&args.file)?;
    let signature = signature(args)?;
    let headers = signature.into_iter().map(|text| ("Hookbox-Signature", STANDARD.encode(text))).collect();
    let push = Write::post(format!("plugins?name={name}"), format!("plugins show {name}"));
    told(&client.write(&push.with_component(bytes, headers).patiently())?, print)
}

fn component(file: &Path) -> Result<Vec<u8>> {
    let unreadable = || format!("cannot read {}", file.display());
    let bytes = fs::metadata(file).with_context(unreadable)?.len();
    if bytes > COMPONENT_BYTES_MAX {
        bail!(Mistakes(vec![format!("{} is {bytes} bytes, at most {COMPONENT_BYTES_MAX}", file.display())]));
    }
    fs::read(file).with_context(unreadable)
}

fn signature(args: &PushArgs) -> Result<Option<Vec<u8>>> {
    let mut beside = args.file.clone().into_os_string();
    beside.push(".minisig");
    let file = match &args.signature {
        Some(file) => file.clone(),
        None if Path::new(&beside).exists() => beside.into(),
        None => return Ok(None),
    };
    fs::read(&file).map(Some).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_rollback_is_waited_for_longer_than_the_host_takes_to_answer() {
        let write = rollback("steps", None, &OnceArgs::default(), &ConditionArgs::default()).unwrap();
        assert!(write.timeout() > Duration::from_secs(120), "{write:?}");
    }
}
