//! What runs can be looked for by.

use hookbox_core::run::RunStatus;
use hookbox_core::time::{Millis, Timestamp};
use maud::{Markup, html};

use super::Given;
use crate::operator::Operator;

/// Spans that are asked for often.
const SPANS: [(&str, Millis); 3] =
    [("last hour", Millis::HOUR), ("last day", Millis::DAY), ("last week", Millis(7 * Millis::DAY.0))];
/// Text that runs have, by the name of its filter.
const TEXTS: [(&str, &str); 3] = [("error", "error"), ("result", "result"), ("payload", "payload")];
/// What can be so only once.
const ONCE: [&str; 2] = ["since", "until"];
/// What the form keeps and has no field for.
const HIDDEN: [&str; 4] = ["event", "made_by", "sort", "columns"];
/// What is folded away.
const MORE: [&str; 14] = [
    "replayed",
    "version",
    "since",
    "until",
    "result",
    "payload",
    "not_state",
    "not_plugin",
    "not_handler",
    "not_provider",
    "not_version",
    "not_error",
    "not_result",
    "not_payload",
];

pub(super) fn form(operator: &Operator, given: &Given, now: Timestamp) -> Markup {
    let catalogue = operator.store.catalogue();
    let plugins: Vec<String> = catalogue.plugins().map(|row| row.name.to_string()).collect();
    let handlers = catalogue.plugins().flat_map(|row| row.active.iter().flat_map(|active| &active.info.handlers));
    let mut handlers: Vec<String> = handlers.map(|handler| handler.name.to_string()).collect();
    handlers.sort_unstable();
    handlers.dedup();
    let providers: Vec<String> = operator.providers.load().names().map(ToString::to_string).collect();
    let input = |name: &str, label: &str, list: &str| {
        let list = (!list.is_empty()).then_some(list);
        html! {
            @for (value, is_first) in values(name, given) {
                label {
                    @if is_first { (label) } @else { "or " (label.to_lowercase()) }
                    input type="search" name=(name) value=(value) list=[list] autocomplete="off";
                }
            }
        }
    };
    let open = MORE.iter().any(|name| !given.text(name).is_empty());
    html! {
        form.filter method="get" action="/runs" role="search" aria-label="Runs" {
            (state("state", "State", "any", given))
            (input("plugin", "Plugin", "plugins"))
            (input("handler", "Handler", "handlers"))
            (input("provider", "Provider", "providers"))
            (input("schedule", "Schedule", ""))
            @for (name, value) in given.kept().filter(|(name, _)| HIDDEN.contains(name)) {
                input type="hidden" name=(name) value=(value);
            }
            (input("error", "Text of the error", ""))
            button type="submit" { "Filter" }
            a href="/runs" { "Clear" }
            details.more #more open[open] {
                summary { "More: version, time, result, payload, replayed or not, and what to leave out" }
                div.filter {
                    (input("version", "Version (its digest, or how that begins)", ""))
                    (input("result", "Text of the result", ""))
                    (input("payload", "Text of the payload", ""))
                    (replayed(given))
                    (input("since", "Made since", ""))
                    (input("until", "Made before", ""))
                }
                p.dim {
                    "Times are written as " code { (now.show_seconds()) } ". Made in the "
                    @for (at, (name, span)) in SPANS.iter().enumerate() {
                        @if at > 0 { ", " }
                        a href=(given.and("since", &now.minus(*span).show_seconds())) { (name) }
                    }
                    ". What is filled in twice fits where either does: after a search, each field has a second one for that. \
                     Results and payloads are looked through for their first 256 KiB, in any case of letters; that takes \
                     longer, so that a page may say how far it came."
                }
                fieldset {
                    legend { "Leave out" }
                    div.filter {
                        (state("not_state", "State", "none", given))
                        (input("not_plugin", "Plugin", "plugins"))
                        (input("not_handler", "Handler", "handlers"))
                        (input("not_provider", "Provider", "providers"))
                        (input("not_version", "Version", ""))
                        @for (name, label) in TEXTS {
                            (input(&format!("not_{name}"), &format!("Text of the {label}"), ""))
                        }
                    }
                }
            }
            @for (id, names) in [("plugins", &plugins), ("handlers", &handlers), ("providers", &providers)] {
                datalist id=(id) { @for name in names { option value=(name) {} } }
            }
        }
    }
}

/// What was given, and room for one more of which either may be so; each with whether it is the first.
fn values<'a>(name: &'a str, given: &'a Given) -> impl Iterator<Item = (&'a str, bool)> {
    let is_once = ONCE.contains(&name);
    let values = given.texts(name).chain([""]).enumerate();
    values.take_while(move |(at, _)| *at == 0 || !is_once).map(|(at, value)| (value, at == 0))
}

fn replayed(given: &Given) -> Markup {
    html! {
        label {
            "Replayed"
            select name="replayed" {
                @for (value, label) in [("", "any"), ("true", "yes"), ("false", "not yet")] {
                    option value=(value) selected[given.text("replayed") == value] { (label) }
                }
            }
        }
    }
}

fn state(name: &str, label: &str, none: &str, given: &Given) -> Markup {
    html! {
        @for (value, is_first) in values(name, given) {
            label {
                @if is_first { (label) } @else { "or " (label.to_lowercase()) }
                select name=(name) {
                    option value="" { @if is_first { (none) } @else { "none" } }
                    @for status in RunStatus::ALL {
                        option value=(status.code()) selected[value == status.code()] { (status.code()) }
                    }
                }
            }
        }
    }
}
