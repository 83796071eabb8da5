//! Speaks to the operator API of a running host.

pub(crate) mod events;
mod patience;
mod refused;
#[cfg(test)]
pub(crate) mod scripted;

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, RequestBuilder};

use crate::environment;
use crate::project::Mistakes;
pub(crate) use patience::Patience;
pub(crate) use refused::Refused;

/// The longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest wait for what is compiled first.
const LONG_TIMEOUT: Duration = Duration::from_secs(300);
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

    pub(crate) fn post(&self, path: &str) -> Result<Value> {
        self.post_json(path, &json!({}))
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Result<Value> {
        self.answer(self.writing(self.agent.post(self.api(path))).send(body.to_string()))
    }

    /// As [`Client::post_json`]; the host may wait for so many seconds before it answers.
    pub(crate) fn post_json_waiting(&self, path: &str, body: &Value, wait: Option<u64>) -> Result<Value> {
        let request = self.writing(self.agent.post(self.api(path))).config().timeout_global(Some(within(wait)));
        self.answer(request.build().send(body.to_string()))
    }

    /// As it is, with further headers. The answer may take minutes.
    pub(crate) fn post_bytes(
        &self,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, String)],
        body: &[u8],
    ) -> Result<Value> {
        let mut request = self.showing_token(self.agent.post(self.api(path)));
        for (name, value) in query {
            request = request.query(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.answer(request.config().timeout_global(Some(LONG_TIMEOUT)).build().send(body))
    }

    pub(crate) fn put_json(&self, path: &str, body: &Value) -> Result<Value> {
        self.answer(self.writing(self.agent.put(self.api(path))).send(body.to_string()))
    }

    pub(crate) fn delete(&self, path: &str) -> Result<Value> {
        self.answer(self.writing(self.agent.delete(self.api(path))).call())
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
        let request = self.writing(self.agent.post(self.api(path))).config().timeout_global(None);
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

    fn writing<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        self.showing_token(request).header("Content-Type", "application/json")
    }

    fn showing_token<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn reached(&self, answered: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>> {
        let cure = || format!("no host answers at {}: start one with `hookbox dev`, or name it with --url", self.url);
        answered.with_context(cure)
    }

    fn answer(&self, answered: Result<Response<Body>, ureq::Error>) -> Result<Value> {
        let mut response = self.reached(answered)?;
        let status = response.status();
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string()?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() || (status == StatusCode::SERVICE_UNAVAILABLE && body.get("queue").is_some()) {
            return Ok(body);
        }
        bail!(Refused::of(&response, &body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
