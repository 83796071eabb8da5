#![cfg(target_arch = "wasm32")]

guest_liar::liar!({
    let mut info = guest_liar::info("filters-badly", "job");
    let handler = &mut info.handlers[0];
    handler.trigger = guest_liar::hookbox::plugin::types::Trigger::Events(vec!["shop/*".into()]);
    handler.options.push(("filter".into(), "data.amount >".into()));
    info
});
