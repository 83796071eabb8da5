//! `wasi:config@0.2.0-draft` and `wasi:config@0.2.0-rc.1`: the same functions under two names. What they tell is what
//! `hookbox:plugin/config` tells; a secret is asked for there, by its name.

use std::future::ready;

use hookbox_core::host_call::CallKind;

use crate::bindings::hookbox::plugin::config;
use crate::bindings::{config as draft, config_rc as candidate};
use crate::guest::Guest;
use crate::seam::HostCall;

const GET_ALL: HostCall = HostCall { kind: CallKind::Config, name: "config.get-all" };

impl Guest {
    async fn config_all(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        self.call(GET_ALL, (), |host, ()| {
            let pairs = host.version.settings().config.iter();
            Box::pin(ready(Ok(pairs.map(|(key, value)| (key.clone(), value.clone())).collect())))
        })
        .await
    }
}

macro_rules! serve {
    ($store:path, $error:path) => {
        impl $store for Guest {
            async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, $error>> {
                config::Host::get(self, key).await.map(Ok)
            }

            async fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, $error>> {
                self.config_all().await.map(Ok)
            }
        }
    };
}

serve!(draft::wasi::config::store::Host, draft::wasi::config::store::Error);
serve!(candidate::wasi::config::store::Host, candidate::wasi::config::store::Error);
