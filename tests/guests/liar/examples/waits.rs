#![cfg(target_arch = "wasm32")]

guest_liar::liar!({
    std::thread::sleep(std::time::Duration::from_secs(3600));
    guest_liar::info("waits", "job")
});
