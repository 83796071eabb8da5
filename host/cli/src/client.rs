//! Speaks to the operator API of a running host.

pub(crate) mod events;
mod patience;
mod refused;
#[cfg(test)]
pub(crate) mod scripted;
mod unanswered;
mod write;

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, AsSendBody, Body, RequestBuilder};

use crate::environment;
use crate::project::Mistakes;
pub(crate) use patience::Patience;
pub(crate) use refused::Refused;
use unanswered::Arrived;
pub(crate) use write::Write;

/// The longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest wait for a connection: shorter, so that a host that never heard of a write is told from one that is slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

fn within(wait: Option<u64>) -> Duration {
    TIMEOUT + Duration::from_secs(wait.unwrap_or_default())
}

pub(crate) struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
}

/// Trusts the certificates of SSL_CERT_FILE, else the public ones.
pub(crate) fn agent() -> Result<Agent> {
    let roots = match environment::trusted_certificates()? {
        None => RootCerts::WebPki,
        Some(text) => {
            let items: Result<Vec<PemItem<'_>>, ureq::Error> = parse_pem(&text).collect();
            let certificates = items.context("SSL_CERT_FILE is no PEM")?.into_iter().filter_map(|item| match item {
                PemItem::Certificate(certificate) => Some(certificate),
                _ => None,
            });
            RootCerts::new_with_certs(&certificates.collect::<Vec<_>>())
        }
    };
    let config = Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        // A proxy of the environment has no business with a host that we name ourselves.
        .proxy(None)
        .build();
    Ok(config.into())
}

impl Client {
    pub(crate) fn new(url: &str, token: Option<&str>) -> Result<Client> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!(Mistakes(vec![format!("--url must be http://HOST:PORT or https://HOST, got {url}")]));
        }
        Ok(Client { agent: agent()?, url: url.trim_end_matches('/').to_owned(), token: token.map(str::to_owned) })
    }

    /// `path` is below `/api/v1`.
    pub(crate) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value> {
        let mut request = self.showing_token(self.agent.get(self.api(path)));
        for (name, value) in query {
            request = request.query(name, value);
        }
        self.answer(request.call())
    }

    /// A question that has a body, and changes nothing.
    pub(crate) fn ask(&self, path: &str, body: &Value) -> Result<Value> {
        self.answer(self.in_json(self.agent.post(self.api(path))).send(body.to_string()))
    }

    pub(crate) fn write(&self, write: &Write) -> Result<Value> {
        let mut request = Request::builder().method(&write.method).uri(self.api(&write.path));
        for (name, value) in self.token_shown().iter().chain(&write.headers) {
            request = request.header(*name, value);
        }
        let sent = match write.method {
            Method::DELETE => self.send(request.body(())?, write.timeout),
            _ => self.send(request.body(write.body.as_slice())?, write.timeout),
        };
        self.answer_to(Some(write), sent)
    }

    fn send(&self, request: Request<impl AsSendBody>, timeout: Duration) -> Result<Response<Body>, ureq::Error> {
        self.agent.run(self.agent.configure_request(request).timeout_global(Some(timeout)).build())
    }

    /// An answer as it is; the host may wait for so many seconds before it comes.
    pub(crate) fn bytes(&self, path: &str, wait: Option<u64>) -> Result<Vec<u8>> {
        let request = self.showing_token(self.agent.get(self.api(path))).config().timeout_global(Some(within(wait)));
        let mut response = self.reached(request.build().call())?;
        if response.status().is_success() {
            return Ok(response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?);
        }
        self.answer(Ok(response)).map(|_| Vec::new())
    }

    /// What the answer to a write has, as it comes, however long that takes.
    pub(crate) fn download(&self, path: &str) -> Result<impl Read> {
        let request = self.in_json(self.agent.post(self.api(path))).config().timeout_global(None);
        let request = request.timeout_connect(Some(TIMEOUT)).timeout_recv_response(Some(TIMEOUT)).build();
        let response = self.reached(request.send("{}"))?;
        if response.status().is_success() {
            return Ok(response.into_body().into_reader());
        }
        bail!(self.answer(Ok(response)).err().unwrap_or_else(|| anyhow!("no reason given")))
    }

    fn api(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.url)
    }

    fn in_json<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        self.showing_token(request).header("Content-Type", "application/json")
    }

    fn showing_token<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        self.token_shown().into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    fn token_shown(&self) -> Option<(&'static str, String)> {
        self.token.as_ref().map(|token| ("Authorization", format!("Bearer {token}")))
    }

    fn reached(&self, answered: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>> {
        answered.map_err(|error| self.unanswered(None, Arrived::after(&error), error))
    }

    fn answer(&self, answered: Result<Response<Body>, ureq::Error>) -> Result<Value> {
        self.answer_to(None, answered)
    }

    /// The answer to a write, or to a question.
    fn answer_to(&self, write: Option<&Write>, answered: Result<Response<Body>, ureq::Error>) -> Result<Value> {
        let mut response = answered.map_err(|error| self.unanswered(write, Arrived::after(&error), error))?;
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| self.unanswered(write, Arrived::Perhaps, error))?;
        let status = response.status();
        let mut body: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() || (status == StatusCode::SERVICE_UNAVAILABLE && body.get("queue").is_some()) {
            // What a command can be given again is printed with the rest.
            if let (Some(shown), Some(tag)) = (body.as_object_mut(), tag(&response)) {
                shown.insert("etag".to_owned(), tag.into());
            }
            return Ok(body);
        }
        bail!(Refused::of(&response, &body))
    }

    fn unanswered(&self, write: Option<&Write>, arrived: Arrived, error: ureq::Error) -> anyhow::Error {
        let url = &self.url;
        let told = match (arrived, write) {
            (Arrived::Never, _) => {
                format!("no host answers at {url}: start one with `hookbox dev`, or name it with --url")
            }
            (Arrived::Perhaps, None) => format!("{url} was reached, and gave no whole answer: ask again"),
            (Arrived::Perhaps, Some(write)) => {
                format!("{url} was reached, and gave no whole answer: it may have been done; {}", write.cure())
            }
        };
        anyhow::Error::new(error).context(told)
    }
}

/// Without its quotes, which a shell would take away.
fn tag(response: &Response<Body>) -> Option<String> {
    Some(response.headers().get("etag")?.to_str().ok()?.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::scripted::{Scripted, in_json};
    use super::*;
    use crate::args::{ConditionArgs, OnceArgs};

    #[test]
    fn a_url_that_the_client_cannot_speak_to_is_a_mistake() {
        for url in ["http://127.0.0.1:5555/", "https://hooks.example.com"] {
            assert!(Client::new(url, None).is_ok());
        }
        for url in ["127.0.0.1:5555", "ftp://hooks.example.com"] {
            let error = Client::new(url, None).err().unwrap();
            assert!(error.is::<Mistakes>() && error.to_string().contains("must be http://"), "{error}");
        }
    }

    fn replay(client: &Client) -> Result<Value> {
        let args = OnceArgs { idempotency_key: Some("order-7".to_owned()) };
        client.write(&Write::post("runs/run_1/replay", "runs list").once(&args).unwrap())
    }

    #[test]
    fn a_write_that_got_no_answer_is_told_with_the_key_to_repeat_it_by() {
        let host = Scripted::answering(vec![String::new()]);
        let error = format!("{:#}", replay(&host.client()).unwrap_err());
        for part in ["it may have been done", "`hookbox runs list`", "`--idempotency-key order-7`"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let asked = host.asked().remove(0).to_ascii_lowercase();
        assert!(asked.starts_with("post /api/v1/runs/run_1/replay ") && asked.ends_with("\r\n\r\n{}"), "{asked}");
        assert!(asked.contains("idempotency-key: \"order-7\"") && asked.contains("bearer hbx_token"), "{asked}");
    }

    #[test]
    fn an_answer_that_breaks_off_may_have_been_done_too() {
        let whole = in_json(&serde_json::json!({ "id": "run_2" }));
        let half = whole.strip_suffix("_2\"}").unwrap().to_owned();
        let error = format!("{:#}", replay(&Scripted::answering(vec![half]).client()).unwrap_err());
        assert!(error.contains("it may have been done") && error.contains("order-7"), "{error}");
        assert_eq!(replay(&Scripted::answering(vec![whole]).client()).unwrap()["id"], "run_2");
    }

    #[test]
    fn a_question_that_got_no_answer_is_asked_again_without_a_worry() {
        let error = Scripted::answering(vec![String::new()]).client().get("runs", &[]).unwrap_err();
        assert!(error.to_string().ends_with("ask again"), "{error:#}");
    }

    #[test]
    fn a_tag_is_printed_as_it_can_be_given_again() {
        let tagged = in_json(&serde_json::json!({ "target": "steps" })).replacen("\r\n", "\r\netag: \"abc\"\r\n", 1);
        let host = Scripted::answering(vec![tagged.clone(), tagged]);
        let shown = host.client().get("holds/steps", &[]).unwrap();
        assert_eq!(shown["etag"], "abc");
        let args = ConditionArgs { if_match: Some("abc".to_owned()) };
        host.client().write(&Write::delete("holds/steps", "holds list").on_condition(&args)).unwrap();
        let asked = host.asked().remove(1).to_ascii_lowercase();
        assert!(asked.starts_with("delete /api/v1/holds/steps ") && asked.contains("if-match: \"abc\""), "{asked}");
    }
}
