//! The wire forms: what the API says, apart from what the host thinks in. Times are RFC 3339 in UTC, members are
//! written in snake_case, what is not there is null.

pub(crate) mod access;
pub(crate) mod alert;
pub(crate) mod change;
pub(crate) mod event;
pub(crate) mod grants;
pub(crate) mod health;
pub(crate) mod hold;
pub(crate) mod overview;
pub(crate) mod pairing;
pub(crate) mod payload;
pub(crate) mod plugin;
mod policy;
pub(crate) mod provider;
pub(crate) mod reach;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod stream;
pub(crate) mod suppressed;
pub(crate) mod system;

use hookbox_store::types::Total;
use schemars::JsonSchema;
use serde::Serialize;

/// Some of many, newest first.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "PageOf{T}")]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// `cursor` of the next page; null where there is none.
    pub(crate) next: Option<String>,
    /// Of all pages.
    pub(crate) total: TotalView,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct TotalView {
    pub(crate) count: u64,
    /// False where counting them all would take long: then there are at least so many.
    pub(crate) exact: bool,
}

impl From<Total> for TotalView {
    fn from(total: Total) -> TotalView {
        let Total { count, exact } = total;
        TotalView { count, exact }
    }
}

impl<T> Page<T> {
    pub(crate) fn new(items: impl Iterator<Item = T>, next: Option<impl ToString>, total: Total) -> Page<T> {
        let items: Vec<T> = items.collect();
        let mut total = TotalView::from(total);
        // What is shown is there, whatever was counted a moment before.
        total.count = total.count.max(items.len() as u64);
        Page { items, next: next.map(|next| next.to_string()), total }
    }

    /// All there are.
    pub(crate) fn whole(items: impl Iterator<Item = T>) -> Page<T> {
        let items: Vec<T> = items.collect();
        let total = TotalView { count: items.len() as u64, exact: true };
        Page { items, next: None, total }
    }
}
