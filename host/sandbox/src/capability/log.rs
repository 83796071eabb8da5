//! `hookbox:plugin/logging`.

use std::future::ready;

use hookbox_core::attempt::LogLevel;
use hookbox_core::host_call::CallKind;

use crate::bindings::hookbox::plugin::logging::{Host, Level};
use crate::guest::Guest;
use crate::seam::HostCall;

const LOG: HostCall = HostCall { kind: CallKind::Log, name: "logging.log" };

impl Host for Guest {
    async fn log(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.call(LOG, (level, message, fields), |host, (level, message, fields)| {
            host.log.log(level.into(), &message, &fields);
            Box::pin(ready(Ok(())))
        })
        .await
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> LogLevel {
        match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        }
    }
}
