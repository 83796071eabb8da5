//! What is posted: a body of the operator's or one that fits the scheme, signed as its sender would.

use anyhow::{Context, Result};
use hookbox_core::name::ProviderName;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_core::verify::{Outgoing, UnusableSecret, sample, sign};
use serde_json::json;

use crate::args::{Bad, SendArgs};
use crate::body_file;
use crate::delivery::Recorded;
use crate::project::{Mistakes, Project};
use crate::secret_text;

/// How old a delivery is that is sent with `--bad time`: no scheme takes so much.
const STALE: Millis = Millis::DAY;

/// What the key of a stranger is made of.
const STRANGER: [u8; 32] = [2; 32];

/// One request.
pub(super) struct Post {
    pub(super) method: String,
    pub(super) query: Option<String>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Post {
    pub(super) fn as_it_came(recorded: Recorded) -> Post {
        let headers = recorded.headers_to_send().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
        Post { method: recorded.method, query: recorded.query, headers, body: recorded.body }
    }
}

/// Signs what the operator gave, what came, or else a body that fits the scheme.
pub(super) fn sign_post(
    args: &SendArgs,
    project: &Project,
    provider: &ProviderName,
    recorded: Option<Recorded>,
    now: Timestamp,
    url: &str,
) -> Result<Post> {
    let found = project.providers()?.remove(provider);
    let cure = || {
        Mistakes(vec![format!("provider {provider} is not in hooks.yaml, and its secret is not in the environment")])
    };
    let found = found.with_context(cure)?;
    let scheme = &found.provider.scheme;
    let sources: Vec<String> = found.missing.iter().map(ToString::to_string).collect();
    let no_secret = || Mistakes(vec![format!("provider {provider} has no secret: set {}", sources.join(" or "))]);
    let secret = found.lasting().with_context(no_secret)?;
    let made = sample(scheme, &STRANGER).context("no secret can be made for this scheme")?;
    if made.secret != made.signing && args.signing_key.is_none() {
        let told = format!(
            "{} signs with a private key, and the host has the public one: name it with --signing-key",
            scheme.name()
        );
        return Err(Mistakes(vec![told]).into());
    }
    let stranger = made.signing;
    let own = args.signing_key.as_ref().map(|key| secret_text::read(key, &project.environment)).transpose();
    let own = own.map_err(|why| Mistakes(vec![format!("--signing-key: {why}")]))?;
    let secret = own.as_ref().unwrap_or(secret);
    let (secret, now) = match args.bad {
        Some(Bad::Signature) => (&stranger, now),
        Some(Bad::Time) if scheme.tolerance().is_none() => {
            return Err(Mistakes(vec![format!("scheme {} signs no time, so none is bad", scheme.name())]).into());
        }
        Some(Bad::Time) => (secret, now.minus(STALE)),
        Some(Bad::Duplicate) | None => (secret, now),
    };
    let came = recorded.as_ref().and_then(|recorded| recorded.identity(scheme).delivery_id);
    let id = args.id.clone().or(came.map(|id| id.value)).unwrap_or_else(|| format!("send-{}", now.0));
    let came_anew = recorded.is_none();
    let mut post = match recorded {
        Some(recorded) => Post::as_it_came(recorded),
        None => Post {
            method: "POST".to_owned(),
            query: None,
            headers: vec![("Content-Type".to_owned(), b"application/json".to_vec())],
            body: body(args, scheme.name(), &id)?,
        },
    };
    // A sender that signs the URL signs the one that it was given, wherever this is posted to.
    let url = project.public_url(provider, &found.provider).unwrap_or_else(|| url.to_owned());
    let url = post.query.as_ref().map_or(url.clone(), |query| format!("{url}?{query}"));
    let event_type = came_anew.then_some(args.event_type.as_str());
    let out = Outgoing { method: &post.method, url: &url, id: &id, event_type, body: &post.body };
    let cure = |error: UnusableSecret| {
        Mistakes(vec![format!("{error}; a sender that signs with a private key is played with --signing-key")])
    };
    let signed = sign(scheme, secret, now, &out).map_err(cure)?;
    for (name, value) in signed.headers {
        post.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        post.headers.push((name, value.into_bytes()));
    }
    post.query = signed.url.split_once('?').map(|(_, query)| query.to_owned());
    post.body = signed.body;
    Ok(post)
}

fn body(args: &SendArgs, scheme: &str, id: &str) -> Result<Vec<u8>> {
    if let Some(file) = &args.body {
        return body_file::read(file);
    }
    if let Some(body) = &args.text {
        return Ok(body.clone().into_bytes());
    }
    let value = match scheme {
        "generic" => json!({ "event_id": id, "type": args.event_type, "data": {} }),
        "stripe" => json!({ "id": id, "object": "event", "type": args.event_type, "data": { "object": {} } }),
        "adyen-item" => json!({ "notificationItems": [
            { "NotificationRequestItem": { "pspReference": id, "eventCode": args.event_type, "success": "true" } }
        ] }),
        _ => json!({ "type": args.event_type, "data": {} }),
    };
    Ok(serde_json::to_vec(&value)?)
}
