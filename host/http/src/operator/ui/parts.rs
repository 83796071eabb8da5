//! What several pages show in the same way.

use hookbox_core::time::Timestamp;
use maud::{Markup, html};

pub(super) use crate::words::{bytes, number};

/// A state or an outcome, with its colour: the word alone says it, too.
pub(super) fn state(code: &str) -> Markup {
    let kind = match code {
        "succeeded" | "completed" | "active" | "ok" | "answered" | "fired" | "granted" => "good",
        "dead" | "failed" | "refused" | "untrusted" | "degraded" | "denied" | "trapped" => "bad",
        "leased" | "pending" | "buffered" | "starting" => "busy",
        "cancelled" | "missing" | "missed" | "paused" | "draining" | "skipped" => "dim",
        _ => "warn",
    };
    html! { span class={ "state " (kind) } { (code) } }
}

/// A moment: how long ago it is, and by the pointer when exactly.
pub(super) fn moment(at: &str, now: Timestamp) -> Markup {
    let said = at.parse::<Timestamp>().map_or_else(|_| at.to_owned(), |at| apart(at, now));
    html! { time datetime=(at) title=(at) { (said) } }
}

/// A moment on a page about one thing: when exactly, and how long ago that is.
pub(super) fn exact(at: &str, now: Timestamp) -> Markup {
    let said = at.parse::<Timestamp>().map_or_else(|_| String::new(), |at| format!(" ({})", apart(at, now)));
    html! { time datetime=(at) { (at) (said) } }
}

pub(super) fn moment_or_none(at: Option<&str>, now: Timestamp) -> Markup {
    at.map_or_else(|| html! { span.none { "-" } }, |at| moment(at, now))
}

fn apart(at: Timestamp, now: Timestamp) -> String {
    let span = |millis: u64| match millis / 1000 {
        0 => None,
        seconds @ 1..60 => Some(format!("{seconds} s")),
        seconds @ 60..3600 => Some(format!("{} min", seconds / 60)),
        seconds @ 3600..172_800 => Some(format!("{} h", seconds / 3600)),
        seconds => Some(format!("{} days", seconds / 86_400)),
    };
    let (before, after) = (now.since(at).0, at.since(now).0);
    match (span(before), span(after)) {
        (Some(ago), _) => format!("{ago} ago"),
        (None, Some(ahead)) => format!("in {ahead}"),
        (None, None) => "now".to_owned(),
    }
}

/// The first letters of an id, which link to all of it.
pub(super) fn id(path: &str, id: &str) -> Markup {
    html! { a.id href={ (path) "/" (id) } { (id) } }
}

/// Nothing here, and what to do to have something.
pub(super) fn empty(what: &str, command: Option<&str>) -> Markup {
    html! {
        div.empty {
            p { (what) }
            @if let Some(command) = command { pre { code { (command) } } }
        }
    }
}

/// Where this page is not the last.
pub(super) fn further(path: &str, kept: &[(String, String)], next: Option<&str>) -> Markup {
    let Some(next) = next else { return html! {} };
    let mut pairs: Vec<(&str, &str)> = kept
        .iter()
        .filter(|(name, value)| name != "cursor" && !value.is_empty())
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    pairs.push(("cursor", next));
    html! { p.further { a href=(format!("{path}?{}", encoded(&pairs))) rel="next" { "Older" } } }
}

/// As a part of an address.
pub(super) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

pub(in crate::operator) fn encoded(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_one_unit() {
        let now = Timestamp(10 * 86_400_000);
        for (at, said) in [
            (now.0, "now"),
            (now.0 - 999, "now"),
            (now.0 - 1000, "1 s ago"),
            (now.0 - 59_999, "59 s ago"),
            (now.0 - 60_000, "1 min ago"),
            (now.0 + 7_200_000, "in 2 h"),
            (0, "10 days ago"),
        ] {
            assert_eq!(apart(Timestamp(at), now), said);
        }
    }

    #[test]
    fn a_query_is_escaped() {
        assert_eq!(encoded(&[("error", "a b&c=\u{e9}")]), "error=a%20b%26c%3D%C3%A9");
    }
}
