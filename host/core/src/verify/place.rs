//! Reading places.

use super::delivery::{Delivery, Document};
use super::header::Entries;
use super::json;
use super::scheme::{Place, Text};

impl Place {
    /// What stands there; `None` also for what is no UTF-8, and for a header that is there twice.
    pub(super) fn value(
        &self,
        delivery: &Delivery<'_>,
        document: &Document<'_>,
        entries: Option<&Entries<'_>>,
    ) -> Option<String> {
        let owned = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        match self {
            Place::Header(name) => owned(delivery.header(name).ok()??),
            Place::Numbered(name) => owned(delivery.header(&format!("{name}-1")).ok()??),
            Place::Entry(tag) => owned(entries?.entry(tag).ok()??),
            Place::Json(path) => document.scalar(path),
            Place::Form(name) => owned(&delivery.field(name)?),
            Place::Query(name) => delivery.query(name).map(std::borrow::Cow::into_owned),
            Place::MemberBeside(name) => json::member_beside(&document.0, name),
            Place::Constant(text) => Some(text.to_string()),
        }
    }

    /// As refusals name it.
    pub(super) fn shown(&self) -> Text {
        match self {
            Place::Header(name) => name.clone(),
            Place::Numbered(name) => Text::Owned(format!("{name}-1")),
            Place::Entry(tag) => Text::Owned(format!("{tag} of the signature header")),
            Place::Json(path) => Text::Owned(format!("{path} in the body")),
            Place::Form(name) => Text::Owned(format!("the form's {name}")),
            Place::Query(name) => Text::Owned(format!("{name} in the URL")),
            Place::MemberBeside(_) | Place::Constant(_) => Text::Borrowed("the body"),
        }
    }

    pub(super) fn header(&self) -> Option<&Text> {
        match self {
            Place::Header(name) => Some(name),
            _ => None,
        }
    }
}
