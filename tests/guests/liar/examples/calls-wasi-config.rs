#![cfg(target_arch = "wasm32")]

use wasi::config::store;

wit_bindgen::generate!({ path: "../../../host/sandbox/wit-drafts/config-0.2.0-rc.1", world: "imports" });

guest_liar::liar!({
    let _ = store::get("channel");
    guest_liar::info("calls-wasi-config", "job")
});
