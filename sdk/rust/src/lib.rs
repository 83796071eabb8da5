//! Write hookbox plugins as plain functions.
//!
//! A plugin is a library crate of type `cdylib` that depends on `hookbox-sdk` and
//! `serde`. Its one file holds functions with an attribute that says when they
//! run; nothing needs to be exported or registered, and the package's name,
//! version and description come from its `Cargo.toml`.
//!
//! ```
//! use hookbox_sdk::{Context, Error, Event, Json, Outcome, Result, cron, every, info, job, kv, on, queue};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize)]
//! struct Signup {
//!     email: String,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Letter {
//!     to: String,
//! }
//!
//! /// Welcomes whoever signed up.
//! #[on("shop/user.created", timeout = "5s", attempts = 8)]
//! fn welcome(Json(signup): Json<Signup>, event: &Event) -> Result {
//!     if !signup.email.contains('@') {
//!         return Err(Error::permanent("that is no address"));
//!     }
//!     kv::add("signups", 1)?;
//!     queue::job("send-letter").json(&Letter { to: signup.email })?.unique(&event.id).enqueue()?;
//!     Ok(())
//! }
//!
//! /// Writes to a new user.
//! #[job(backoff = "10s")]
//! fn send_letter(Json(letter): Json<Letter>, context: &Context) {
//!     info!(to = letter.to, "letter sent at attempt {}", context.attempt);
//! }
//!
//! #[cron("0 9 * * MON-FRI", tz = "Europe/London")]
//! fn morning_report() -> Result<Outcome> {
//!     let signups = kv::number("signups")?;
//!     if signups == 0 {
//!         return Ok(Outcome::skipped("nobody signed up"));
//!     }
//!     kv::delete("signups")?;
//!     queue::event("report.ready").json(&signups)?.emit()?;
//!     Ok(Outcome::completed())
//! }
//!
//! #[every("5m")]
//! fn sweep() {}
//!
//! // `cargo test` runs handlers natively, against a host in memory.
//! # fn main() {
//! use hookbox_sdk::testing;
//!
//! let event = testing::event("user.created", &hookbox_sdk::json!({ "email": "ada@example.com" }));
//! testing::send("welcome", event).unwrap();
//! testing::run_next().unwrap().unwrap();
//! assert_eq!(testing::logs()[0].message, "letter sent at attempt 1");
//! testing::run("morning-report", testing::empty_job()).unwrap();
//! assert_eq!(testing::events()[0].type_, "report.ready");
//! # }
//! ```
//!
//! Built with `cargo build --target wasm32-wasip2`, the file is a component that
//! hookbox loads. Its name must be the package's, so `daily_digest.wasm` of the
//! package `daily-digest` becomes `daily-digest.wasm`.
//!
//! # When a handler runs
//!
//! | attribute | runs |
//! |---|---|
//! | `#[on("shop/user.created", "github/push")]` | for every event that a pattern `provider/type` matches; `*` stands for any text |
//! | `#[cron("0 9 * * MON-FRI", tz = "Europe/London")]` | by a cron expression: minute, hour, day, month, weekday; six fields have the seconds first |
//! | `#[every("5m")]` | at a fixed interval that ignores the clock |
//! | `#[every_minutes(15)]` | at :00, :15, :30 and :45; divisors of 60 only |
//! | `#[hourly]`, `#[hourly(minute = 15)]` | once an hour |
//! | `#[daily("09:00")]` | once a day |
//! | `#[weekly("MON 09:00")]` | once a week |
//! | `#[monthly("1 09:00")]` | once a month, on one of its first 28 days |
//! | `#[job]` | only when enqueued |
//!
//! All but `#[on]`, `#[every]` and `#[job]` take `tz`, an IANA zone name; without
//! it the clock is UTC. An event that the plugin `shop-sync` emits with the type
//! `done` is matched by `shop-sync/done`.
//!
//! What says when takes these options, too. hooks.yaml and operators may put a
//! schedule of their own in the place of the one that is declared.
//!
//! | option | default | means |
//! |---|---|---|
//! | `day_rule = "and"` | `or` | `#[cron]` with both day fields: `or` fires where either matches, `and` where both do |
//! | `phase = "5m"` | from its first registration | `#[every]`: so long after whole periods since 1970 |
//! | `start = "2026-12-01T00:00:00Z"` | any time | no slot before it |
//! | `end = "2027-12-01T00:00:00Z"` | none | no slot at it or later |
//! | `count = 3` | no end | it ends after so many slots that made a run |
//! | `jitter = "30s"` | none | each slot is put off by up to this, at most a day; by how much is the schedule's own |
//! | `overlap = "buffer-all:5"` | `skip` | while a run of an earlier slot is alive: `skip`, `buffer-one`, `buffer-all`, `allow`, `cancel-running` |
//! | `missed = "all:10"` | `latest` | of slots that came while no host was there, those that are made up for: `none`, `latest`, `all` |
//! | `missed_within = "2h"` | a day | if they are late by at most this, at most 30 days |
//! | `pause_after = 3` | never | it is paused after so many runs in a row that failed for good |
//!
//! # How its runs are treated
//!
//! Every attribute takes these options; hooks.yaml overrides all but the first
//! two.
//!
//! | option | default | means |
//! |---|---|---|
//! | `name = ".."` | the function's name with `-` for `_` | what the handler is called |
//! | `description = ".."` | the first line of the doc comment | what operators read of it |
//! | `timeout = "30s"` | 30 s | wall time of an attempt, at most an hour |
//! | `attempts = 8` | 5 | tries before a run is a dead letter, at most 100 |
//! | `backoff = "2s"` | 2 s | the wait after the first failure |
//! | `backoff_curve = "linear"` | `exponential` | the waits after it: `exponential` doubles each, `linear` adds the first one each time, `constant` repeats it |
//! | `backoff_max = "5m"` | 1 h | no wait is longer |
//! | `priority = "high"` | `normal` | `lowest`, `low`, `normal`, `high`, `highest`: where many wait, each step has twice as many turns |
//! | `concurrency = 4` | no limit of its own | attempts of the handler at one time, at most 512 |
//! | `concurrency_per = "customer.id"` | none | one run at a time of those with the same key |
//! | `order_per = "customer.id"` | none | and in order, by the time when they were first due, then by acceptance: while one waits for its next attempt, so do those behind it; a dead letter lets them go on |
//! | `rate = "10/s"` | no limit | attempts that begin in a second, minute (`/m`) or hour (`/h`); more of them wait |
//! | `unique_per = "order.id"` | none | while a run with the same key is alive, another is not executed |
//! | `delay = "1m"` | none | from acceptance to the first attempt, at most 30 days |
//! | `expires = "1h"` | never | no attempt begins so long after the run was first due: it is cancelled |
//!
//! A key is a path into the JSON payload, in the names of filters (see below); a
//! run whose payload has no such member has no key, and waits for none.
//!
//! ```ignore
//! #[on("shop/order.*", order_per = "customer.id", concurrency = 4, rate = "10/s")]
//! ```
//!
//! # Which events it takes
//!
//! `#[on]` takes `filter` too: a condition in CEL, the Common Expression Language,
//! which the event must meet besides a pattern.
//!
//! ```ignore
//! #[on("stripe/charge.*", filter = "body.data.object.amount > 1000 && headers['x-shop'] == 'eu'")]
//! ```
//!
//! `body` is the payload where it is JSON, `provider` and `type` are the two parts
//! of the topic, `headers` has the headers that were kept, by names in lower case,
//! and `attributes` the rest, such as `delivery-id`. Any other name is a member of
//! the payload: `data.amount` is `body.data.amount`. A member that is missing or
//! has another type makes the filter fail, which counts as false; ask with
//! `has(data.amount)` or `'x-shop' in headers`. There are comparisons, `&&`, `||`,
//! `!`, `?:`, `in`, arithmetic, `size`, `contains`, `startsWith`, `endsWith`,
//! `string`, `int`, `double` and `bool`, and no loops. It is compiled when the
//! plugin is loaded, and one that does not compile refuses the plugin. hooks.yaml
//! can put another in its place. Tests that call a handler do not ask its filter:
//! try it with `hookbox routes test`.
//!
//! # What a handler is given
//!
//! Any of these, in any order: [`Json<T>`] (or `Option<Json<T>>`, for a payload
//! that may be empty), [`Text`], [`Bytes`], [`Context`], and [`Event`] or [`Job`].
//! The last three, `&str` and `&[u8]` may be borrowed, and `T` may borrow from the
//! payload. A payload of the wrong shape fails for good, with the path to the
//! field that is wrong. [`FromInput`] makes other types fit.
//!
//! # What a handler returns
//!
//! Nothing, [`Json<T>`] (stored with the run and shown to the operator),
//! [`Outcome`], or a [`Result`] of these. `?` makes any error a retryable one;
//! [`Error::permanent`] says that trying again cannot help.
//!
//! **An attempt is a transaction.** What a handler wrote to [`kv`] and handed to
//! [`queue`] takes effect when it completes, all of it; when it fails, none of it.
//!
//! This crate never keeps anything between calls: each runs in a sandbox of its own.

mod error;
mod extract;
mod input;
mod outcome;
mod registry;

pub mod config;
pub mod http;
pub mod kv;
pub mod log;
pub mod queue;

#[cfg(not(target_family = "wasm"))]
pub mod testing;
#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
use testing::host;
#[cfg(target_family = "wasm")]
use wasm::host;

pub use error::{Error, Result};
pub use extract::{Bytes, FromInput, Input, Json, Text};
pub use hookbox_sdk_macros::{cron, daily, every, every_minutes, hourly, job, monthly, on, weekly};
pub use input::{Context, Event, Job};
pub use outcome::{IntoReply, Outcome, Output};
pub use serde_json::{Value, json};

/// What the attributes expand to.
#[doc(hidden)]
pub mod __private {
    pub use inventory::submit;

    pub use crate::registry::{Handler, Package, Place, PluginInfo, Registration, Run, Schedule, Trigger, When};
    pub use crate::{FromInput, IntoReply};
}
