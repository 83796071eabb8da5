//! `hookbox send`: signs a webhook as its sender would, and posts it.

use std::fs;

use anyhow::{Context, Result, bail};
use hookbox_core::clock::Clock;
use hookbox_core::name::ProviderName;
use hookbox_core::verify::{Outgoing, sign};
use serde_json::{Value, json};

use crate::args::SendArgs;
use crate::client;
use crate::clock::SystemClock;
use crate::dev;
use crate::inspect::{self, Print};
use crate::project::{Mistakes, Project};

pub(crate) fn send(args: &SendArgs, print: Print) -> Result<()> {
    let mut project = Project::read(&args.project)?;
    project.dev = true;
    dev::read_secrets(&mut project)?;
    let provider = ProviderName::parse(&args.provider).map_err(|error| Mistakes(vec![error.to_string()]))?;
    let found = project.providers()?.remove(&provider);
    let cure = || {
        Mistakes(vec![format!("provider {provider} is not in hooks.yaml, and its secret is not in the environment")])
    };
    let found = found.with_context(cure)?;
    let scheme = &found.provider.scheme;
    let sources: Vec<String> = found.missing.iter().map(ToString::to_string).collect();
    let no_secret = || Mistakes(vec![format!("provider {provider} has no secret: set {}", sources.join(" or "))]);
    let secret = found.secrets.first().with_context(no_secret)?;

    let now = SystemClock::new().now();
    let id = args.id.clone().unwrap_or_else(|| format!("send-{}", now.0));
    let body = body(args, scheme.name(), &id)?;
    let origin = args.ingress.clone().unwrap_or_else(|| format!("http://{}", project.config.server.listen));
    let url = format!("{}/api/v1/webhooks/webhook/{provider}", origin.trim_end_matches('/'));
    let mut request = client::agent().post(&url).header("Content-Type", "application/json");
    let event_type = Some(args.event_type.as_str());
    let out = Outgoing { method: "POST", url: &url, id: &id, event_type, body: &body };
    let signed = sign(scheme, secret, now, &out)?;
    for (name, value) in signed.headers {
        request = request.header(name, value);
    }
    let unreachable =
        || format!("no host answers at {origin}: start one with `hookbox dev`, or name it with --ingress");
    let mut response = request.send(&signed.body[..]).with_context(unreachable)?;
    let status = response.status();
    let answer: Value = serde_json::from_str(&response.body_mut().read_to_string()?).unwrap_or_default();
    if !status.is_success() {
        bail!(
            "the host refused it: {} ({status}); its log tells the cause",
            answer["title"].as_str().unwrap_or("no reason given")
        );
    }
    if print == Print::Json {
        return inspect::json(&answer);
    }
    let event = answer["id"].as_str().unwrap_or("?");
    say!(
        "{event} {}: see what became of it with `hookbox events show {event}`",
        answer["status"].as_str().unwrap_or("?")
    );
    Ok(())
}

fn body(args: &SendArgs, scheme: &str, id: &str) -> Result<Vec<u8>> {
    if let Some(file) = &args.body_file {
        return fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    }
    if let Some(body) = &args.body {
        return Ok(body.clone().into_bytes());
    }
    let value = match scheme {
        "generic" => json!({ "event_id": id, "type": args.event_type, "data": {} }),
        "stripe" => json!({ "id": id, "object": "event", "type": args.event_type, "data": { "object": {} } }),
        _ => json!({ "type": args.event_type, "data": {} }),
    };
    Ok(serde_json::to_vec(&value)?)
}
