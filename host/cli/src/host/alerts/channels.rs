//! The channels with their secrets, and how each is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use hookbox_core::alert::Message;
use hookbox_core::config::{Channel, Mail, SecretSource};
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::id::Mint;
use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::Trigger;
use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{Outgoing, Scheme, sign};
use hookbox_store::Store;
use ureq::Agent;

use super::{mail, text};
use crate::client;
use crate::project::{Mistakes, Project};

/// The longest wait for a receiver.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of all answers together: a mail takes several.
const TIMEOUT_WHOLE: Duration = Duration::from_secs(20);
const STANDARD: &str = "standard-webhooks";

/// By name.
pub(crate) struct Channels {
    all: BTreeMap<String, Ready>,
    agent: Agent,
}

struct Ready {
    channel: Channel,
    /// What it shows: the URL of Slack, the key of a signature, the password of a login.
    secret: Option<Arc<Secret>>,
}

/// Taken, with who of several did not get it; or by nobody, and why.
pub(super) type Sent = Result<Option<String>, String>;

/// What a message for a handler needs.
pub(super) struct Jobs<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) mint: &'a Mint,
    pub(super) queue_max: u64,
    pub(super) now: Timestamp,
}

impl Channels {
    /// Every secret has to be there.
    pub(crate) fn of(project: &Project) -> Result<Channels> {
        let (mut all, mut mistakes) = (BTreeMap::new(), Vec::new());
        for (name, channel) in &project.config.alerts.channels {
            match ready(project, channel) {
                Ok(ready) => drop(all.insert(name.clone(), ready)),
                Err(error) => mistakes.push(format!("alerts.channels.{name}: {error:#}")),
            }
        }
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes).into());
        }
        Ok(Channels { all, agent: client::agent()? })
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = (&String, &'static str)> {
        self.all.iter().map(|(name, ready)| (name, ready.channel.kind()))
    }

    /// Returns once a receiver has taken it. What failed is told without a secret.
    pub(super) async fn send(&self, message: &Message, jobs: Jobs<'_>) -> Sent {
        let Some(Ready { channel, secret }) = self.all.get(&message.channel) else {
            return Err(format!("alerts.channels has no {}", message.channel));
        };
        match (channel, secret) {
            (Channel::Slack(_), Some(url)) => {
                let url = plain(url)?;
                let (agent, body) = (self.agent.clone(), text::slack(message).to_string());
                blocking(move || post(&agent, &url, &[], body)).await.map(|()| None)
            }
            (Channel::Webhook { url, .. }, Some(secret)) => {
                let body = text::body(message).to_string();
                let headers = signed(message, secret, &body, jobs.now)?;
                let (agent, url) = (self.agent.clone(), url.clone());
                blocking(move || post(&agent, &url, &headers, body)).await.map(|()| None)
            }
            (Channel::Mail(to), secret) => {
                let letter = mail::Letter::new(to, message)?;
                let (to, secret): (Mail, _) = (to.clone(), secret.clone());
                blocking(move || letter.send(&to, secret.as_deref(), TIMEOUT)).await
            }
            (Channel::Handler(target), _) => enqueue(message, target, jobs).await.map(|()| None),
            (Channel::Slack(_) | Channel::Webhook { .. }, None) => Err("its secret is not there".to_owned()),
        }
    }
}

fn source(channel: &Channel) -> Option<&SecretSource> {
    match channel {
        Channel::Slack(url) => Some(url),
        Channel::Webhook { secret, .. } => Some(secret),
        Channel::Mail(mail) => mail.login.as_ref().map(|(_, password)| password),
        Channel::Handler(_) => None,
    }
}

fn ready(project: &Project, channel: &Channel) -> Result<Ready> {
    let mut secret = None;
    if let Some(source) = source(channel) {
        let found = project.environment.secret(source)?;
        secret = Some(Arc::new(found.ok_or_else(|| anyhow::anyhow!("{source} is not set"))?));
    }
    if let (Channel::Slack(source), Some(url)) = (channel, &secret) {
        let good = |url: &str| url.starts_with("https://") || url.starts_with("http://127.0.0.1:");
        anyhow::ensure!(
            plain(url).is_ok_and(|url| good(&url)),
            "{source} must be the URL of an incoming webhook, such as https://hooks.slack.com/services/..."
        );
    }
    if let (Channel::Webhook { secret: source, .. }, Some(key)) = (channel, &secret) {
        let probe = text::test("", Timestamp(0), 0);
        signed(&probe, key, "{}", Timestamp(0)).map_err(|_| {
            anyhow::anyhow!("{source} is no secret of Standard Webhooks: whsec_ and base64 of 24 to 64 bytes")
        })?;
    }
    Ok(Ready { channel: channel.clone(), secret })
}

fn plain(secret: &Secret) -> Result<String, String> {
    String::from_utf8(secret.expose().to_vec()).map_err(|_| "its URL is no text".to_owned())
}

type Headers = Vec<(String, String)>;

fn signed(message: &Message, secret: &Secret, body: &str, now: Timestamp) -> Result<Headers, String> {
    let scheme = Scheme::named(STANDARD).ok_or_else(|| "Standard Webhooks is not known".to_owned())?;
    let out = Outgoing::post(&message.id, body.as_bytes());
    sign(scheme, secret, now, &out).map(|signed| signed.headers).map_err(|error| error.to_string())
}

/// Follows no redirect: what is sent is meant for that place.
fn post(agent: &Agent, url: &str, headers: &[(String, String)], body: String) -> Result<(), String> {
    let request = agent.post(url).config().timeout_global(Some(TIMEOUT)).max_redirects(0).build();
    let request = request.header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    match request.send(body) {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("it answered with {}", answer.status())),
        // Others quote the URL, which may be a secret.
        Err(ureq::Error::Timeout(_)) => Err("it did not answer in time".to_owned()),
        Err(ureq::Error::HostNotFound) => Err("its host is not found".to_owned()),
        Err(ureq::Error::Io(error)) => Err(format!("it cannot be reached: {error}")),
        Err(_) => Err("it cannot be reached".to_owned()),
    }
}

/// Off the threads that must not wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    match tokio::time::timeout(TIMEOUT_WHOLE, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(told)) => told,
        Ok(Err(_)) => Err("the attempt to tell it panicked".to_owned()),
        Err(_) => Err("it did not answer in time".to_owned()),
    }
}

async fn enqueue(message: &Message, target: &HandlerRef, jobs: Jobs<'_>) -> Result<(), String> {
    let catalogue = jobs.store.catalogue();
    match catalogue.handler(target).map(|handler| &handler.trigger) {
        Some(Trigger::Schedule(_) | Trigger::Manual) => {}
        Some(Trigger::Events(_)) => return Err(format!("{target} takes events: name a handler that takes jobs")),
        None => return Err(format!("there is no handler {target}: hookbox plugins list")),
    }
    if jobs.store.counts().pending >= jobs.queue_max {
        return Err("the queue is full (server.limits.queue)".to_owned());
    }
    let (id, run) = (jobs.mint.job(jobs.now), jobs.mint.run(jobs.now));
    let job = Job {
        id,
        origin: JobOrigin::Operator,
        scheduled_at: jobs.now,
        content_type: "application/json".to_owned(),
        data: text::body(message).to_string().into_bytes(),
        hops: 0,
        trace: None,
    };
    let new = catalogue.new_job(job, run, target.clone(), jobs.now);
    jobs.store.enqueue(new).await.map(|_| ()).map_err(|error| error.to_string())
}
