#![cfg(target_arch = "wasm32")]

guest_liar::liar!(guest_liar::info("payments", "job"));
