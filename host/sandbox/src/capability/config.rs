//! `hookbox:plugin/config`.

use hookbox_core::denial::DeniedKind;
use hookbox_core::host_call::CallKind;
use hookbox_core::secret::Secret;

use super::Capabilities;
use crate::bindings::hookbox::plugin::config::Host;
use crate::guest::Guest;
use crate::seam::HostCall;

const GET: HostCall = HostCall { kind: CallKind::Config, name: "config.get" };
const GET_SECRET: HostCall = HostCall { kind: CallKind::Secret, name: "config.get-secret" };

impl Host for Guest {
    async fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        self.call(GET, key, |host, key| Box::pin(async move { Ok(host.version.settings().config.get(&key).cloned()) }))
            .await
    }

    async fn get_secret(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.call(GET_SECRET, name, |host, name| Box::pin(async move { secret(host, &name) })).await
    }
}

fn secret(host: &Capabilities, name: &str) -> wasmtime::Result<Option<String>> {
    if let Some(secret) = host.version.settings().secrets.get(name) {
        return text(secret).map(Some);
    }
    let reason = "it is not granted, or not set: add its name to grants.secrets of the plugin, and set it";
    host.denied.note(DeniedKind::Secret, name, reason);
    Ok(None)
}

/// The one place where a secret leaves the host: to a plugin that was granted it.
fn text(secret: &Secret) -> wasmtime::Result<String> {
    let text = std::str::from_utf8(secret.expose());
    text.map(str::to_owned).map_err(|_| wasmtime::Error::msg("config.get-secret: the secret is no UTF-8 text"))
}
