//! `hookbox:plugin/logging`.

use hookbox_core::attempt::LogLevel;

use crate::bindings::hookbox::plugin::logging::{Host, Level};
use crate::guest::Guest;

impl Host for Guest {
    fn log(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.enter("logging.log")?;
        let level = match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        self.log.log(level, &message, &fields);
        Ok(())
    }
}
