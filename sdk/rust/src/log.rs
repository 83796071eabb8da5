//! Lines for the operator, kept with the attempt: at most 256 KiB, what is over is
//! dropped and counted. They stay when the handler fails.
//!
//! The macros of the same names format, and take fields in front:
//! `info!(user = id, "greeted {name}")`. Values of fields are shown with `Display`.

use crate::host;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

pub fn trace(message: impl Into<String>) {
    record(Level::Trace, message, []);
}

pub fn debug(message: impl Into<String>) {
    record(Level::Debug, message, []);
}

pub fn info(message: impl Into<String>) {
    record(Level::Info, message, []);
}

pub fn warn(message: impl Into<String>) {
    record(Level::Warn, message, []);
}

pub fn error(message: impl Into<String>) {
    record(Level::Error, message, []);
}

/// A line with fields, pairs of name and value.
pub fn record(level: Level, message: impl Into<String>, fields: impl IntoIterator<Item = (String, String)>) {
    host::log(level, message.into(), fields.into_iter().collect());
}

#[doc(hidden)]
#[macro_export]
macro_rules! __record {
    ($level:ident, $($name:ident = $value:expr,)* $message:literal $($argument:tt)*) => {
        $crate::log::record(
            $crate::log::Level::$level,
            ::std::format!($message $($argument)*),
            [$((::std::string::String::from(::core::stringify!($name)), ::std::string::ToString::to_string(&$value))),*],
        )
    };
}

macro_rules! levels {
    ($dollar:tt $($name:ident $level:ident)*) => {
        $(
            #[doc = concat!("A line of level `", stringify!($name), "`: `", stringify!($name), "!(field = value, \"text {x}\")`.")]
            #[macro_export]
            macro_rules! $name {
                ($dollar($dollar line:tt)+) => { $crate::__record!($level, $dollar($dollar line)+) };
            }
        )*
    };
}

levels! { $ trace Trace debug Debug info Info warn Warn error Error }
