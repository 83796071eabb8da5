//! `wasi:logging@0.1.0-draft`.

use crate::bindings::hookbox::plugin::logging;
use crate::bindings::logging::wasi::logging::logging::{Host, Level};
use crate::guest::Guest;

impl Host for Guest {
    async fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        let mut fields = Vec::new();
        if !context.is_empty() {
            fields.push(("context".to_owned(), context));
        }
        let level = match level {
            Level::Trace => logging::Level::Trace,
            Level::Debug => logging::Level::Debug,
            Level::Info => logging::Level::Info,
            Level::Warn => logging::Level::Warn,
            Level::Error => logging::Level::Error,
            Level::Critical => {
                fields.push(("level".to_owned(), "critical".to_owned()));
                logging::Level::Error
            }
        };
        logging::Host::log(self, level, message, fields).await
    }
}
