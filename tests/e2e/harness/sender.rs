//! The other side: who signs webhooks, and what they look like.

use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{self, Outgoing, Scheme};
use serde_json::{Value, json};

use super::now;

/// A provider as its sender knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) provider: &'static str,
    pub(crate) scheme: &'static str,
    pub(crate) secret: &'static str,
}

pub(crate) const SHOP: Sender = Sender { provider: "shop", scheme: "generic", secret: "hush-shop-5b1f" };
pub(crate) const GITHUB: Sender = Sender { provider: "github", scheme: "github", secret: "hush-github-77aa" };
pub(crate) const STRIPE: Sender = Sender { provider: "stripe", scheme: "stripe", secret: "whsec_hush-stripe-19c0" };
pub(crate) const LETTERS: Sender = Sender {
    provider: "standard-webhooks",
    scheme: "standard-webhooks",
    secret: "whsec_aHVzaC1sZXR0ZXJzLWh1c2gtbGV0dGVycy1odXNo",
};

/// Its deliveries have no id, and none is a duplicate: nothing of them is kept longer than they are.
pub(crate) const DROPBOX: Sender = Sender { provider: "dropbox", scheme: "dropbox", secret: "hush-dropbox-93e2" };

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub(crate) provider: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Sender {
    pub(crate) fn variable(&self) -> String {
        format!("WEBHOOK_SECRET_{}", self.provider.to_uppercase().replace('-', "_"))
    }

    pub(crate) fn sign(&self, id: &str, body: impl Into<Vec<u8>>) -> Webhook {
        self.sign_at(now(), id, body)
    }

    pub(crate) fn sign_at(&self, now: u64, id: &str, body: impl Into<Vec<u8>>) -> Webhook {
        let (scheme, secret) = (Scheme::named(self.scheme).unwrap(), Secret::new(self.secret).unwrap());
        let body = body.into();
        let headers = verify::sign(scheme, &secret, Timestamp(now), &Outgoing::post(id, &body)).unwrap().headers;
        Webhook { provider: self.provider.to_owned(), headers, body }.header("Content-Type", "application/json")
    }
}

impl Webhook {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Webhook {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Webhook {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap()
    }
}

/// What the shop sends; `more` goes in beside type and id.
pub(crate) fn shop(event_type: &str, id: &str, more: Value) -> Webhook {
    let mut body = json!({ "event_id": id, "type": event_type });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    SHOP.sign(id, body.to_string())
}
