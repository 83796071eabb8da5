//! Headers that the host fills in: secrets in the place of their names, and the key by which the other side knows a
//! repeated request.

use std::collections::HashMap;

use hookbox_core::egress::{Destination, Egress};
use http::{HeaderValue, Request, Uri};
use sha2::{Digest as _, Sha256};
use wasmtime_wasi_http::{Error, WasiBody};

use super::Refusal;

const OPEN: &str = "{{secret:";
const CLOSE: &str = "}}";
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Puts secrets in the place of `{{secret:NAME}}` where a grant says so. In any other header, in the path and in the
/// query such a placeholder refuses the request: sent as it is, it would only tell strangers the name. A body is not
/// looked through, it flows. Returns whether it carries any.
pub(super) fn fill_in(egress: &Egress, to: &Destination, request: &mut Request<WasiBody>) -> Result<bool, Refusal> {
    if has_placeholder(request.uri()) {
        let reason = format!("its path or query has {OPEN}: a secret goes only into a header that grants.http names");
        return Err(Refusal::denied(reason));
    }
    let mut carries = false;
    let method = request.method().as_str().to_owned();
    for (header, value) in request.headers_mut() {
        if memchr::memmem::find(value.as_bytes(), OPEN.as_bytes()).is_none() {
            continue;
        }
        let unread =
            |_| Refusal::denied(format!("header {header} has {OPEN} beside characters that are not plain text"));
        let text = value.to_str().map_err(unread)?;
        let mut filled = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(OPEN) {
            let (name, after) = after
                .split_once(CLOSE)
                .ok_or_else(|| Refusal::denied(format!("header {header} has {OPEN} without {CLOSE}")))?;
            let secret = egress.secret(&method, to, header.as_str(), name).ok_or_else(|| {
                Refusal::denied(format!(
                    "header {header} may not carry the secret {name:?} to {to}: grant it in grants.http as \
                     {{ to: {method} {to}, headers: {{ {header}: {name} }} }}, and set it"
                ))
            })?;
            filled.extend_from_slice(before.as_bytes());
            filled.extend_from_slice(secret.expose());
            rest = after;
        }
        filled.extend_from_slice(rest.as_bytes());
        let mut carried = HeaderValue::from_bytes(&filled).map_err(|_| Refusal {
            error: Error::ConfigurationError,
            reason: format!("the secret for header {header} has characters that no header can hold"),
        })?;
        carried.set_sensitive(true);
        *value = carried;
        carries = true;
    }
    Ok(carries)
}

/// Also as those write it who encode what a URL should not have.
fn has_placeholder(uri: &Uri) -> bool {
    let text = uri.path_and_query().map_or("", |text| text.as_str()).to_ascii_lowercase();
    text.replace("%7b", "{").replace("%3a", ":").contains(OPEN)
}

/// Tells requests of one attempt apart that are alike, in the same way in each attempt of a run.
pub(crate) struct Repetitions {
    key: String,
    seen: HashMap<[u8; 32], u32>,
}

impl Repetitions {
    pub(crate) fn new(key: &str) -> Repetitions {
        Repetitions { key: key.to_owned(), seen: HashMap::new() }
    }

    /// Sets `Idempotency-Key` where the guest has set none: a hash of the invocation's key, the method, the URL and how
    /// many such requests were before.
    pub(super) fn mark(&mut self, request: &mut Request<WasiBody>) {
        if request.headers().contains_key(IDEMPOTENCY_KEY) {
            return;
        }
        let (method, url) = (request.method().as_str(), request.uri().to_string());
        let mut hash = Sha256::new();
        for part in [self.key.as_str(), method, &url] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let alike: [u8; 32] = hash.clone().finalize().into();
        let nth = self.seen.entry(alike).and_modify(|nth| *nth += 1).or_default();
        hash.update(nth.to_be_bytes());
        let key = hex::encode(hash.finalize());
        if let Ok(value) = HeaderValue::from_str(&key) {
            request.headers_mut().insert(IDEMPOTENCY_KEY, value);
        }
    }
}
