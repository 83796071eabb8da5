#![cfg(target_arch = "wasm32")]

use wasi::keyvalue::store;

wit_bindgen::generate!({ path: "../../../host/sandbox/wit-drafts/keyvalue-0.2.0-draft", world: "imports" });

guest_liar::liar!({
    let _ = store::open("");
    guest_liar::info("calls-wasi-keyvalue", "job")
});
