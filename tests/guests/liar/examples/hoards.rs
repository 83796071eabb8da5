#![cfg(target_arch = "wasm32")]

guest_liar::liar!({
    let hoard = std::hint::black_box(vec![1u8; 256 << 20]);
    guest_liar::info("hoards", if hoard.len() > 1 { "job" } else { "" })
});
