//! `hookbox send`: signs a webhook as its sender would, and posts it.

mod compose;

use anyhow::{Context, Result, bail};
use hookbox_core::clock::Clock;
use hookbox_core::name::ProviderName;
use serde_json::{Value, json};

use crate::args::{Bad, SendArgs};
use crate::client;
use crate::clock::SystemClock;
use crate::delivery::Recorded;
use crate::dev;
use crate::inspect::{self, Print};
use crate::project::{Mistakes, Project};
use compose::Post;

/// What a host says that takes nothing from strangers.
const REFUSED: u16 = 401;

/// What the host said.
struct Answer {
    status: u16,
    text: String,
}

/// True if the host did with it what it should.
pub(crate) fn send(args: &SendArgs, print: Print) -> Result<bool> {
    let mut project = Project::read(&args.project)?;
    project.dev = true;
    dev::read_secrets(&mut project)?;
    let recorded = args.delivery.as_deref().map(Recorded::read).transpose()?;
    let of_path = recorded.as_ref().map(Recorded::provider);
    let name = args.provider.as_deref().or(args.named.as_deref()).or(of_path).unwrap_or_default();
    let provider = ProviderName::parse(name).map_err(|error| Mistakes(vec![error.to_string()]))?;
    let origin = args.ingress.clone().unwrap_or_else(|| project.origin());
    let url = format!("{}/api/v1/webhooks/webhook/{provider}", origin.trim_end_matches('/'));
    let post = match recorded {
        Some(recorded) if !args.resign => Post::as_it_came(recorded),
        recorded => {
            let now = SystemClock::new().now();
            compose::sign_post(args, &project, &provider, recorded, now, &url)?
        }
    };
    let first = give(&post, &url, &origin)?;
    match args.bad {
        None => taken(&first, print).map(|()| true),
        Some(Bad::Duplicate) => repeated(&first, &give(&post, &url, &origin)?, print),
        Some(Bad::Signature | Bad::Time) => refused(&first, print),
    }
}

fn give(post: &Post, url: &str, origin: &str) -> Result<Answer> {
    let query = post.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = ureq::http::Request::builder().method(post.method.as_str()).uri(format!("{url}{query}"));
    for (name, value) in &post.headers {
        request = request.header(name, value.as_slice());
    }
    let unreachable = || {
        format!(
            "no host answers at {origin}: start one with `hookbox dev`, or name it with --ingress; one with TLS by the \
             name of its certificate, which SSL_CERT_FILE can make known"
        )
    };
    let mut response = client::agent()?.run(request.body(post.body.clone())?).with_context(unreachable)?;
    Ok(Answer { status: response.status().as_u16(), text: response.body_mut().read_to_string()? })
}

impl Answer {
    /// Null where it is no JSON.
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// As it is in JSON, where it is not.
    fn told(&self) -> Value {
        match self.json() {
            Value::Null => json!({ "status": self.status, "answer": self.text }),
            json => json,
        }
    }
}

fn taken(answer: &Answer, print: Print) -> Result<()> {
    let json = answer.json();
    if !answer.is_good() {
        let why = json["title"].as_str().unwrap_or("no reason given");
        bail!("the host refused it: {why} ({}); its log tells the cause", answer.status);
    }
    if print == Print::Json {
        return inspect::json(&answer.told());
    }
    match (json["id"].as_str(), json["status"].as_str()) {
        (Some(event), Some(status)) => {
            say!("{event} {status}: see what became of it with `hookbox events show {event}`");
        }
        _ => say!("taken: the answer is {} {:?}", answer.status, answer.text),
    }
    Ok(())
}

/// A host that tells a repetition from the first says so, where the sender is told anything at all.
fn repeated(first: &Answer, second: &Answer, print: Print) -> Result<bool> {
    let good = first.is_good() && second.is_good() && second.json()["status"].as_str().is_none_or(|s| s == "duplicate");
    if print == Print::Json {
        inspect::json(&json!({ "good": good, "first": first.told(), "second": second.told() }))?;
    } else {
        let told = if good { "taken once" } else { "NOT told from the first" };
        say!("the repetition was {told}: {} and then {}", first.status, second.status);
    }
    Ok(good)
}

fn refused(answer: &Answer, print: Print) -> Result<bool> {
    let good = answer.status == REFUSED;
    if print == Print::Json {
        inspect::json(&json!({ "good": good, "status": answer.status }))?;
    } else {
        let told = if good { "refused it, as it must" } else { "did NOT refuse it as it must" };
        say!("the host {told} ({})", answer.status);
    }
    Ok(good)
}
