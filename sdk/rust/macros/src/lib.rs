//! The attributes of `hookbox-sdk`; see there for how they are used.
//!
//! Each leaves its function as it is and adds a registration beside it, so a
//! handler stays callable in tests. What the host would refuse at load is
//! refused here where that can be seen from the text, with an error on the token
//! that is wrong. This crate never reads the environment or a file.

mod arguments;
mod duration;
mod expand;
mod policy;
mod schedule;
mod trigger;

use proc_macro::TokenStream;

use crate::trigger::Kind;

/// Runs for every event that one of its patterns `provider/type` matches, and for which its `filter` is true where it
/// has one: `#[on("stripe/charge.*", filter = "data.amount > 1000")]`.
#[proc_macro_attribute]
pub fn on(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::On, arguments, item)
}

/// Runs by a cron expression of five fields, or of six with the seconds first:
/// `#[cron("0 9 * * MON-FRI", tz = "Europe/London", overlap = "buffer-one")]`.
#[proc_macro_attribute]
pub fn cron(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::Cron, arguments, item)
}

/// Runs at a fixed interval of at least a second: `#[every("5m")]`.
#[proc_macro_attribute]
pub fn every(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::Every, arguments, item)
}

/// Runs at the minutes of the clock that this number divides: `#[every_minutes(15)]`.
#[proc_macro_attribute]
pub fn every_minutes(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::EveryMinutes, arguments, item)
}

/// Runs once an hour: `#[hourly]`, or `#[hourly(minute = 15)]`.
#[proc_macro_attribute]
pub fn hourly(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::Hourly, arguments, item)
}

/// Runs once a day: `#[daily("09:00", tz = "Europe/London")]`.
#[proc_macro_attribute]
pub fn daily(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::Daily, arguments, item)
}

/// Runs once a week: `#[weekly("MON 09:00")]`.
#[proc_macro_attribute]
pub fn weekly(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::Weekly, arguments, item)
}

/// Runs once a month, on one of its first 28 days: `#[monthly("1 09:00")]`.
#[proc_macro_attribute]
pub fn monthly(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::Monthly, arguments, item)
}

/// Runs only when a handler or an operator enqueues it.
#[proc_macro_attribute]
pub fn job(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::Job, arguments, item)
}
