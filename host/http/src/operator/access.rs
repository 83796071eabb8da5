//! Who may speak to the operator's listener: a browser that was lured here may not.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hookbox_core::secret::Secret;

use super::Operator;
use crate::json;
use crate::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The one path that takes no JSON.
pub(super) const UPLOAD: &str = "/api/v1/plugins";

/// With every answer: nothing is cached, framed, sniffed or loaded from elsewhere.
const SAFE: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
];

/// The rules of one listener.
#[derive(Debug)]
pub struct Access {
    /// What `Host` may say, in lower case.
    hosts: BTreeSet<String>,
    token: Option<Secret>,
}

/// A listener that others can reach has no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{listens_on} can be reached from other machines: set a token, or listen on 127.0.0.1")]
pub struct TokenNeeded {
    listens_on: SocketAddr,
}

impl Access {
    /// `listens_on` has the port that was bound. `hosts` are further names that people reach it by, such as that of
    /// a proxy; one without a port counts with that of the listener too.
    pub fn new(listens_on: SocketAddr, hosts: &[String], token: Option<Secret>) -> Result<Access, TokenNeeded> {
        if token.is_none() && !listens_on.ip().is_loopback() {
            return Err(TokenNeeded { listens_on });
        }
        let port = listens_on.port();
        let mut allowed = BTreeSet::new();
        if !listens_on.ip().is_unspecified() {
            allowed.insert(listens_on.to_string());
        }
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            allowed.insert(format!("{name}:{port}"));
            if port == 80 {
                allowed.insert(name.to_owned());
            }
        }
        for host in hosts {
            let host = host.parse().map_or_else(|_| host.to_ascii_lowercase(), |ip: Ipv6Addr| format!("[{ip}]"));
            let bare = host.rsplit(']').next().is_some_and(|rest| !rest.contains(':'));
            // A proxy may pass on the name with the port that it speaks to.
            allowed.extend(bare.then(|| format!("{host}:{port}")));
            allowed.insert(host);
        }
        Ok(Access { hosts: allowed, token })
    }

    /// Whoever may put code on this machine must have shown who they are.
    pub(super) fn may_upload(&self) -> Result<(), Problem> {
        match self.token {
            Some(_) => Ok(()),
            None => Err(Problem::token_unset().because(
                "anybody on this machine could upload a plugin: set HOOKBOX_TOKEN for the host (operator.token in hooks.yaml), start \
                 it again, and send that token. Or put the file in plugins/",
            )),
        }
    }

    fn admit(&self, head: &request::Parts) -> Result<(), Problem> {
        self.host(head)?;
        self.token(&head.headers)?;
        if head.method.is_safe() { Ok(()) } else { self.write(head) }
    }

    /// A page of another site can reach this address under a name of its own (DNS rebinding), not under ours.
    fn host(&self, head: &request::Parts) -> Result<(), Problem> {
        let host = only(&head.headers, &HOST).and_then(|host| host.to_str().ok());
        let target = head.uri.authority().map(|authority| authority.as_str());
        let known = |host: &str| self.hosts.contains(&host.to_ascii_lowercase());
        if host.is_some_and(known) && target.is_none_or(known) {
            return Ok(());
        }
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let cure = format!("use one of {}, or add the name that is used to operator.hosts", hosts.join(", "));
        Err(Problem::foreign_host().because(cure))
    }

    fn token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(wanted) = &self.token else {
            return Ok(());
        };
        let given = only(headers, &AUTHORIZATION).map(HeaderValue::as_bytes).and_then(|value| {
            let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then(|| Secret::new(token.trim_ascii()).ok())?
        });
        if given.is_some_and(|given| given == *wanted) {
            return Ok(());
        }
        let refused = Problem::token_wanted().because("send the header Authorization: Bearer TOKEN");
        Err(refused.with_header("www-authenticate", "Bearer"))
    }

    /// A form or a script of another site can send a write along with what the browser knows, but not as JSON and not
    /// without saying where it comes from.
    fn write(&self, head: &request::Parts) -> Result<(), Problem> {
        let headers = &head.headers;
        if headers.contains_key(ORIGIN) {
            let origin = only(headers, &ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
            let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            if !host.is_some_and(|host| self.hosts.contains(&host.to_ascii_lowercase())) {
                return Err(Problem::foreign_origin().because("only a page of this host may send this"));
            }
        }
        if headers.contains_key(SEC_FETCH_SITE) {
            let site = only(headers, &SEC_FETCH_SITE).map(HeaderValue::as_bytes);
            if !matches!(site, Some(b"same-origin" | b"none")) {
                return Err(Problem::foreign_origin().because("only a page of this host may send this"));
            }
        }
        let content_type = only(headers, &CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if json::is_essence(content_type, "application/json") {
            return Ok(());
        }
        // No form can send this type either.
        if head.method == Method::POST && head.uri.path() == UPLOAD {
            return match json::is_essence(content_type, "application/wasm") {
                true => Ok(()),
                false => Err(Problem::wasm_wanted()
                    .because("send the header Content-Type: application/wasm, and the component as the body")),
            };
        }
        Err(Problem::json_wanted().because("send the header Content-Type: application/json, with {} as the body"))
    }
}

/// The header's value where it is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

pub(super) async fn check(State(operator): State<Arc<Operator>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let mut response = match operator.access.admit(&head) {
        Ok(()) => next.run(Request::from_parts(head, body)).await,
        Err(problem) => {
            let reason = problem.code();
            tracing::info!(reason, method = %head.method, "a request to the operator was refused: {reason}");
            // A sender that still writes would not see the answer.
            let _ = super::nothing_in(body).await;
            problem.into_response()
        }
    };
    for (name, value) in SAFE {
        // A result of a plugin has a stricter policy of its own.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_others_reach_needs_a_token() {
        let token = || Secret::new("hush").ok();
        for (address, free) in [("127.0.0.1:5555", true), ("[::1]:5555", true), ("0.0.0.0:5555", false)] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(Access::new(address, &[], None).is_ok(), free, "{address}");
            assert!(Access::new(address, &[], token()).is_ok());
        }
        let error = Access::new("10.0.0.5:5555".parse().unwrap(), &[], None).unwrap_err();
        insta::assert_snapshot!(error, @"10.0.0.5:5555 can be reached from other machines: set a token, or listen on 127.0.0.1");
    }
}
