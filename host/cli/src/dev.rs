//! `hookbox dev`: builds plugins on every save, makes up secrets that are
//! missing, and shows each run as it ends.

pub(crate) mod build;
mod builder;
mod curl;
mod show;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use anyhow::{Context, Result};
use hookbox_core::verify::{Scheme, sample};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::args::HostArgs;
use crate::host::{End, Host};
use crate::project::Project;

/// Ended runs that wait to be shown; more than that are not shown.
const SHOWN_MAX: usize = 256;

pub(crate) async fn run(args: &HostArgs) -> Result<End> {
    let mut project = Project::read(&args.project)?;
    project.dev = true;
    builder::build_all(&project.plugins)?;
    mint_secrets(&mut project)?;
    let (observer, ended) = mpsc::channel(SHOWN_MAX);
    let plugins = project.plugins.clone();
    let curl = curl::Signer::of(&project)?;
    let Some(host) = Host::start(args, project, Some(observer)).await? else { return Ok(End::Asked) };
    show::welcome(&host, curl.as_ref()).await?;
    let shown = tokio::spawn(show::runs(ended));
    let built = std::thread::Builder::new().name("builder".to_owned()).spawn(move || builder::watch(&plugins))?;
    let end = host.run().await;
    shown.abort();
    // The thread waits for the file system; it ends with the process.
    drop(built);
    end
}

/// Gives every provider without a secret one of `dev`'s own; they stay the same over restarts.
pub(crate) fn mint_secrets(project: &mut Project) -> Result<()> {
    read_secrets(project)?;
    let mut minted = Vec::new();
    for (name, found) in project.providers()? {
        let variable = found.missing.iter().find_map(|source| match source {
            hookbox_core::config::SecretSource::Env(variable) => Some(variable.clone()),
            hookbox_core::config::SecretSource::File(_) => None,
        });
        if let Some(variable) = variable.filter(|_| found.secrets.is_empty()) {
            minted.push((variable, new_secret(&found.provider.scheme)?));
            eprintln!("  provider {name} has no secret: one was made in {}", project.dev_secrets().display());
        }
    }
    if minted.is_empty() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&project.data)?;
    let file = project.dev_secrets();
    let mut file =
        fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&file).context("cannot write dev-secrets")?;
    for (variable, secret) in minted {
        let line = Zeroizing::new(format!("{variable}={}\n", *secret));
        file.write_all(line.as_bytes())?;
        project.environment.add_missing(&variable, secret);
    }
    Ok(())
}

/// Takes over the secrets that `dev` made up earlier. `serve` never calls this; a host of `serve` has no such file in
/// use, because a provider without a secret is not live there.
pub(crate) fn read_secrets(project: &mut Project) -> Result<()> {
    let file = project.dev_secrets();
    if !project.dev || !file.exists() {
        return Ok(());
    }
    let entries = dotenvy::from_path_iter(&file).with_context(|| format!("cannot read {}", file.display()))?;
    for entry in entries {
        let (name, value) = entry.map_err(|_| anyhow::anyhow!("{}: a line is not NAME=value", file.display()))?;
        project.environment.add_missing(&name, Zeroizing::new(value));
    }
    Ok(())
}

fn new_secret(scheme: &Scheme) -> Result<Zeroizing<String>> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    let made = sample(scheme, &seed).context("no secret can be made for this scheme")?;
    Ok(Zeroizing::new(String::from_utf8(made.secret.expose().to_vec())?))
}
