//! What a host answers in place of doing what it was asked.

use std::time::Duration;

use serde_json::Value;
use ureq::Body;
use ureq::http::{Response, StatusCode};

/// Its verdict on a component, whatever was asked for: that is no fault of the command.
const REFUSED_PLUGIN: &str = "urn:hookbox:problem:refused-plugin";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{told}")]
pub(crate) struct Refused {
    /// In words, with the status.
    told: String,
    status: StatusCode,
    /// The type of the problem, where the host has said one.
    kind: String,
    /// How long it wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Refused {
    pub(super) fn of(response: &Response<Body>, body: &Value) -> Refused {
        let status = response.status();
        let told = body["detail"].as_str().or_else(|| body["title"].as_str()).unwrap_or("no reason given");
        let cause = body["cause"].as_str().map(|cause| format!(", {cause}")).unwrap_or_default();
        let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        Refused {
            told: format!("{told} ({status}{cause})"),
            status,
            kind: body["type"].as_str().unwrap_or_default().to_owned(),
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    /// Whether the same question gets the same answer whenever it is asked.
    pub(super) fn is_final(&self) -> bool {
        let passes = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&self.status);
        self.status.is_client_error() && !passes
    }

    /// Whether what was asked must be written otherwise.
    pub(crate) fn is_mistake(&self) -> bool {
        let wrong = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY].contains(&self.status);
        wrong && self.kind != REFUSED_PLUGIN
    }
}

#[cfg(test)]
impl Refused {
    pub(super) fn with(status: u16, retry_after: Option<Duration>) -> Refused {
        let status = StatusCode::from_u16(status).unwrap();
        Refused { told: format!("so it is ({status})"), status, kind: String::new(), retry_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(status: u16, kind: &str) -> Refused {
        let body = json!({ "type": format!("urn:hookbox:problem:{kind}"), "title": "No", "detail": "so it is" });
        let response = Response::builder().status(status).header("Retry-After", "7");
        Refused::of(&response.body(Body::builder().data("")).unwrap(), &body)
    }

    #[test]
    fn what_the_host_cannot_read_is_a_mistake_and_what_it_does_not_do_is_none() {
        for (status, kind, mistake) in [
            (400, "broken-json", true),
            (422, "bad-parameter", true),
            (422, "refused-plugin", false),
            (401, "token-wanted", false),
            (404, "not-found", false),
            (409, "conflict", false),
            (503, "unavailable", false),
        ] {
            assert_eq!(refused(status, kind).is_mistake(), mistake, "{status} {kind}");
        }
    }

    #[test]
    fn it_is_told_in_the_words_of_the_host() {
        let refused = refused(429, "too-many");
        assert_eq!(refused.to_string(), "so it is (429 Too Many Requests)");
        assert_eq!(refused.retry_after, Some(Duration::from_secs(7)));
    }
}
