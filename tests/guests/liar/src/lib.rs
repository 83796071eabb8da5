//! Plugins whose `describe()` does what it must not: each example is one.
//! Empty but for WebAssembly: the names of the exports are none for a native linker.

#![cfg(target_arch = "wasm32")]

wit_bindgen::generate!({
    path: "../../../wit",
    world: "plugin",
    pub_export_macro: true,
    default_bindings_module: "guest_liar",
});

pub use exports::hookbox::plugin::guest::Guest;
use hookbox::plugin::types::{Handler, PluginInfo, Trigger};

/// An honest description with this name.
pub fn info(name: &str, handler: &str) -> PluginInfo {
    let handler = Handler { name: handler.into(), trigger: Trigger::Manual, options: vec![] };
    PluginInfo { name: name.into(), version: "0".into(), description: None, handlers: vec![handler], options: vec![] }
}

/// A plugin whose `describe()` is this expression.
#[macro_export]
macro_rules! liar {
    ($describe:expr) => {
        use guest_liar::hookbox::plugin::types::{Event, HandlerError, Invocation, Job, Outcome, PluginInfo};

        struct Liar;

        impl guest_liar::Guest for Liar {
            fn describe() -> PluginInfo {
                $describe
            }

            fn handle_event(_: Invocation, _: Event) -> Result<Outcome, HandlerError> {
                Ok(Outcome::Completed(None))
            }

            fn run_job(_: Invocation, _: Job) -> Result<Outcome, HandlerError> {
                Ok(Outcome::Completed(None))
            }
        }

        guest_liar::export!(Liar);
    };
}
