#![cfg(target_arch = "wasm32")]

guest_liar::liar!({
    let mut n = 0u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
});
