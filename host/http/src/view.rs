//! The wire forms: what the API says, apart from what the host thinks in. Times are RFC 3339 in UTC, members are
//! written in snake_case, what is not there is null.

pub(crate) mod access;
pub(crate) mod change;
pub(crate) mod event;
pub(crate) mod grants;
pub(crate) mod health;
pub(crate) mod hold;
pub(crate) mod pairing;
pub(crate) mod payload;
pub(crate) mod plugin;
mod policy;
pub(crate) mod provider;
pub(crate) mod reach;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod suppressed;

use serde::Serialize;

/// Some of many, newest first.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// `cursor` of the next page; null where there is none.
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    pub(crate) fn new(items: impl Iterator<Item = T>, next: Option<impl ToString>) -> Page<T> {
        Page { items: items.collect(), next: next.map(|next| next.to_string()) }
    }

    /// All there are.
    pub(crate) fn whole(items: impl Iterator<Item = T>) -> Page<T> {
        Page { items: items.collect(), next: None }
    }
}
