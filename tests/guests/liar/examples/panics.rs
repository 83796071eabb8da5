#![cfg(target_arch = "wasm32")]

guest_liar::liar!(panic!("no name"));
