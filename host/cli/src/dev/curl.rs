//! One command that works as it is pasted.

use anyhow::Result;
use hookbox_core::name::ProviderName;
use hookbox_core::plugin::Trigger;
use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{Outgoing, Scheme, sign};
use hookbox_store::Catalogue;

use crate::project::Project;

/// A provider whose signatures do not grow old.
pub(crate) struct Signer {
    provider: ProviderName,
    scheme: Scheme,
    secret: Secret,
}

impl Signer {
    /// A provider of the generic scheme, if there is one with a secret.
    pub(crate) fn of(project: &Project) -> Result<Option<Signer>> {
        for (provider, mut found) in project.providers()? {
            if found.provider.scheme.name() == "generic" && !found.secrets.is_empty() {
                let secret = found.secrets.swap_remove(0).secret;
                return Ok(Some(Signer { provider, scheme: found.provider.scheme.clone(), secret }));
            }
        }
        Ok(None)
    }

    /// A signed webhook that reaches a handler, where one listens to this provider.
    pub(crate) fn command(&self, origin: &str, catalogue: &Catalogue, now: Timestamp) -> Option<String> {
        let event_type = self.event_type(catalogue).unwrap_or_else(|| "test".to_owned());
        let id = format!("try-{}", now.0);
        let body = format!(r#"{{"event_id":"{id}","type":"{event_type}","data":{{"name":"Ada"}}}}"#);
        let out = Outgoing::post(&id, body.as_bytes());
        let headers = sign(&self.scheme, &self.secret, now, &out).ok()?.headers;
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("  -H '{name}: {value}' \\\n")).collect();
        Some(format!(
            "curl -sS {origin}/api/v1/webhooks/webhook/{} \\\n  -H 'Content-Type: application/json' \\\n{}  -d '{body}'",
            self.provider,
            headers.concat()
        ))
    }

    /// A type that some handler names in full.
    fn event_type(&self, catalogue: &Catalogue) -> Option<String> {
        catalogue.handlers().find_map(|(_, handler)| {
            let Trigger::Events(patterns) = &handler.trigger else { return None };
            patterns.iter().map(ToString::to_string).find_map(|pattern| {
                let event_type = pattern.strip_prefix(self.provider.as_str())?.strip_prefix('/')?;
                let plain = event_type.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
                plain.then(|| event_type.to_owned())
            })
        })
    }
}
