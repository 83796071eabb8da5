#![cfg(target_arch = "wasm32")]

guest_liar::liar!({
    let _ = guest_liar::hookbox::plugin::kv::get("secret");
    guest_liar::info("calls-kv", "job")
});
