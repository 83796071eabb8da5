#![cfg(target_arch = "wasm32")]

use wasi::logging::logging::{Level, log};

wit_bindgen::generate!({ path: "../../../host/sandbox/wit-drafts/logging-0.1.0-draft", world: "imports" });

guest_liar::liar!({
    log(Level::Info, "", "here");
    guest_liar::info("calls-wasi-logging", "job")
});
