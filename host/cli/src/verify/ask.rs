//! What is asked: a delivery, the scheme and the secrets, from the command line and the files it names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hookbox_core::clock::Clock;
use hookbox_core::name::ProviderName;
use hookbox_core::secret::Secret;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_core::verify::{Scheme, alike};
use serde::de::IgnoredAny;

use crate::args::{ProjectArgs, VerifyArgs};
use crate::body_file;
use crate::clock::SystemClock;
use crate::delivery::Recorded;
use crate::environment::Environment;
use crate::project::{Mistakes, Project};
use crate::secret_text;

/// The preset of which a bare item is taken for a delivery, here and nowhere else.
const ADYEN_ITEM: &str = "adyen-item";

/// A case to judge.
pub(super) struct Ask {
    pub(super) scheme: Scheme,
    /// Why one of them is none: that is for the verdict to tell.
    pub(super) secrets: Result<Vec<Secret>, String>,
    pub(super) verify_token: Option<Secret>,
    /// In place of the scheme's own.
    pub(super) tolerance: Option<Millis>,
    pub(super) now: Timestamp,
    pub(super) method: String,
    /// The URL that the sender knows; empty where none is known.
    pub(super) url: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) fn read(args: &VerifyArgs) -> Result<Ask> {
        let recorded = args.delivery.as_deref().map(Recorded::read).transpose()?;
        let recorded = recorded.as_ref();
        let project =
            Project::read(&ProjectArgs { config: args.config.clone(), plugins: PathBuf::from("plugins"), data: None });
        let provider = provider(args, recorded);
        let scheme = match &args.scheme {
            Some(file) => scheme_file(file)?,
            None => scheme_of(&provider, project.as_ref())?,
        };
        let now = args.now.map(|seconds| Timestamp(seconds.saturating_mul(1000)));
        let now = now.or(recorded.map(|recorded| recorded.received_at));
        let now = now.unwrap_or_else(|| SystemClock::new().now());
        let given = |secret: &OsString| given(secret, project.as_ref());
        let secrets = match args.secrets.as_slice() {
            [] => Ok(declared(&provider, project.as_ref(), now)?),
            secrets => secrets.iter().map(given).collect(),
        };
        let body = match &args.body {
            Some(file) => body_file::read(file)?,
            None => recorded.map(|recorded| recorded.body.clone()).unwrap_or_default(),
        };
        Ok(Ask {
            body: if scheme.name() == ADYEN_ITEM { in_a_list(body) } else { body },
            scheme,
            secrets,
            verify_token: args
                .verify_token
                .as_ref()
                .map(given)
                .transpose()
                .map_err(|why| Mistakes(vec![format!("--verify-token: {why}")]))?,
            tolerance: args.tolerance,
            now,
            method: args
                .method
                .clone()
                .or(recorded.map(|recorded| recorded.method.clone()))
                .unwrap_or("POST".to_owned()),
            url: url(args, recorded),
            headers: headers(args, recorded)?,
        })
    }
}

/// Adyen's pages and libraries show an item by itself; what is sent is a list of them.
fn in_a_list(body: Vec<u8>) -> Vec<u8> {
    let members: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_slice(&body);
    match members {
        Ok(members) if !members.contains_key("notificationItems") => {
            [b"{\"notificationItems\":[{\"NotificationRequestItem\":", body.as_slice(), b"}]}"].concat()
        }
        _ => body,
    }
}

/// The provider's name, where one was given or is part of the path that a delivery came to.
fn provider(args: &VerifyArgs, recorded: Option<&Recorded>) -> String {
    args.provider.clone().or(recorded.map(|recorded| recorded.provider().to_owned())).unwrap_or_default()
}

/// As the server has it: what hooks.yaml says of a provider of that name, else the preset. A hooks.yaml with a mistake
/// is no matter where a preset is meant.
fn scheme_of(provider: &str, project: Result<&Project, &anyhow::Error>) -> Result<Scheme> {
    let name = ProviderName::parse(provider).ok();
    let declared = project.ok().and_then(|project| project.config.providers.get(name.as_ref()?));
    let known = declared.map(|declared| declared.scheme.clone()).or_else(|| Scheme::named(provider).cloned());
    known.ok_or_else(|| match project {
        Ok(_) => Mistakes(vec![format!(
            "{provider:?} is no provider: {}name one of hooks.yaml or of `hookbox providers`, or a file with --scheme",
            alike(provider).map(|alike| format!("did you mean {alike}? ")).unwrap_or_default()
        )])
        .into(),
        Err(error) => {
            Mistakes(vec![format!("{provider:?} is no preset, and hooks.yaml is not read: {error:#}")]).into()
        }
    })
}

fn scheme_file(file: &Path) -> Result<Scheme> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Scheme::from_yaml(&text).map_err(|mistakes| {
        let told = mistakes.0.iter().map(|mistake| format!("{}: {mistake}", file.display())).collect();
        Mistakes(told).into()
    })
}

/// The secrets that the server would use at that time.
fn declared(provider: &str, project: Result<&Project, &anyhow::Error>, now: Timestamp) -> Result<Vec<Secret>> {
    let wanted = || Mistakes(vec!["give a secret: --secret env:NAME, --secret file:PATH or --secret TEXT".to_owned()]);
    let project = project.map_err(|error| Mistakes(vec![format!("{error:#}")]))?;
    let name = ProviderName::parse(provider).map_err(|_| wanted())?;
    let found = project.providers()?.remove(&name).with_context(wanted)?;
    if found.secrets.is_empty() {
        return Err(wanted().into());
    }
    let counting = found.secrets.into_iter().filter(|lasting| lasting.not_after.is_none_or(|end| now <= end));
    Ok(counting.map(|lasting| lasting.secret).collect())
}

fn given(secret: &OsString, project: Result<&Project, &anyhow::Error>) -> Result<Secret, String> {
    match project {
        Ok(project) => secret_text::read(secret, &project.environment),
        Err(_) => {
            let environment = Environment::read(Path::new(".")).map_err(|error| format!("{error:#}"))?;
            secret_text::read(secret, &environment)
        }
    }
}

/// The sender knows the host by a name that a recorded delivery does not tell: its path and query count then.
fn url(args: &VerifyArgs, recorded: Option<&Recorded>) -> String {
    let target = recorded.map(|recorded| {
        let query = recorded.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
        recorded.path.clone() + &query
    });
    args.signed_url.clone().or(target).unwrap_or_default()
}

/// Those of the recorded delivery, and in place of one of them those that were given by its name.
fn headers(args: &VerifyArgs, recorded: Option<&Recorded>) -> Result<Vec<(String, Vec<u8>)>> {
    let given: Vec<_> = args.headers.iter().map(header).collect::<Result<_>>()?;
    let kept = recorded.into_iter().flat_map(|recorded| &recorded.headers);
    let kept = kept.filter(|(name, _)| !given.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
    Ok(kept.cloned().chain(given.iter().cloned()).collect())
}

fn header(line: &OsString) -> Result<(String, Vec<u8>)> {
    let bytes = line.as_bytes();
    let colon = bytes.iter().position(|byte| *byte == b':');
    let parts = colon.and_then(|at| Some((bytes.get(..at)?, bytes.get(at + 1..)?)));
    let name =
        parts.and_then(|(name, _)| std::str::from_utf8(name).ok()).map(str::trim).filter(|name| !name.is_empty());
    let wrong = || Mistakes(vec![format!("-H must be 'Name: value', got {:?}", line.to_string_lossy())]);
    let (name, (_, value)) = name.zip(parts).with_context(wrong)?;
    Ok((name.to_owned(), value.trim_ascii().to_vec()))
}
