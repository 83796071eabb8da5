#![cfg(target_arch = "wasm32")]

guest_liar::liar!({
    let mut info = guest_liar::info("grants-itself", "job");
    info.options.push(("grants".into(), "everything".into()));
    info
});
