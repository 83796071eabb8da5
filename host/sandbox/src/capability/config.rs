//! `hookbox:plugin/config`.

use hookbox_core::denial::DeniedKind;
use hookbox_core::secret::Secret;

use crate::bindings::hookbox::plugin::config::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self.enter("config.get")?.version.settings().config.get(&key).cloned())
    }

    fn get_secret(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let capabilities = self.enter("config.get-secret")?;
        match capabilities.version.settings().secrets.get(&name) {
            Some(secret) => text(secret).map(Some),
            None => {
                let reason = "it is not granted, or not set: add its name to grants.secrets of the plugin, and set it";
                capabilities.denied.note(DeniedKind::Secret, &name, reason);
                Ok(None)
            }
        }
    }
}

/// The one place where a secret leaves the host: to a plugin that was granted it.
fn text(secret: &Secret) -> wasmtime::Result<String> {
    let text = std::str::from_utf8(secret.expose());
    text.map(str::to_owned).map_err(|_| wasmtime::Error::msg("config.get-secret: the secret is no UTF-8 text"))
}
