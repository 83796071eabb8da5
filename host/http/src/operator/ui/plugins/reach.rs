//! What a plugin imports, beside what it was granted of that.

use maud::{Markup, Render, html};

use super::super::parts;
use crate::view::grants::GrantsView;

/// What stands behind an import.
enum Reach {
    /// Nothing outside the sandbox is reached by it.
    Free(&'static str),
    Granted(String),
    /// It is linked, and each use is denied: the key of hooks.yaml that would grant it.
    Denied(&'static str),
}

pub(super) fn imports(imports: &[String], grants: &GrantsView) -> Markup {
    if imports.is_empty() {
        return html! { p.dim { "None." } };
    }
    let all = imports.iter().map(|import| (import, reach(import, grants)));
    let (free, granted): (Vec<_>, Vec<_>) = all.partition(|(_, reach)| matches!(reach, Reach::Free(_)));
    html! {
        @if !granted.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Imports" {
                table {
                    thead { tr { th scope="col" { "Import" } th scope="col" { "Grant" } th scope="col" { "Of it" } } }
                    tbody { @for (import, reach) in &granted { tr { td { code { (import) } } (reach) } } }
                }
            }
        }
        @if !free.is_empty() {
            details #free {
                summary { "Imports that reach nothing outside the sandbox: " (free.len()) }
                dl { @for (import, reach) in &free { dt { code { (import) } } dd { (reach) } } }
            }
        }
    }
}

impl Render for Reach {
    fn render(&self) -> Markup {
        match self {
            Reach::Free(why) => html! { (why) },
            Reach::Granted(what) => html! { td { (parts::state("granted")) } td.message { code { (what) } } },
            Reach::Denied(key) => html! {
                td { (parts::state("denied")) }
                td.message { "nothing is granted: " code { (key) } " in hooks.yaml would" }
            },
        }
    }
}

fn reach(import: &str, grants: &GrantsView) -> Reach {
    let (package, interface) = import.split_once('/').unwrap_or((import, ""));
    let interface = interface.split('@').next().unwrap_or_default();
    let listed = |items: &[&[String]], key: &'static str| {
        let all: Vec<&str> = items.iter().flat_map(|items| items.iter().map(String::as_str)).collect();
        match all.is_empty() {
            true => Reach::Denied(key),
            false => Reach::Granted(all.join(", ")),
        }
    };
    match (package.split('@').next().unwrap_or_default(), interface) {
        ("wasi:http", "outgoing-handler") => {
            let to: Vec<String> = grants.http.iter().map(|grant| grant.to.clone()).collect();
            listed(&[&to, &grants.networks], "plugins.NAME.grants.http")
        }
        ("wasi:http", _) => Reach::Free("the types of requests"),
        ("hookbox:plugin", "kv") | ("wasi:keyvalue", _) => {
            Reach::Granted(format!("keys of its own, up to {}", parts::bytes(grants.kv_bytes)))
        }
        ("hookbox:plugin", "queue") => {
            let own = ["jobs and events of its own".to_owned()];
            listed(&[&own, &grants.emit, &grants.enqueue], "plugins.NAME.grants.emit")
        }
        ("hookbox:plugin", "config") => {
            listed(&[&grants.config, &grants.secrets], "plugins.NAME.config or plugins.NAME.grants.secrets")
        }
        ("wasi:config", _) => listed(&[&grants.config], "plugins.NAME.config"),
        ("hookbox:plugin" | "wasi:logging", _) => Reach::Free("lines of the attempt's log, and types"),
        ("wasi:clocks" | "wasi:random", _) => Reach::Free("clocks and random numbers"),
        ("wasi:filesystem" | "wasi:sockets", _) => Reach::Free("there is nothing in it: no file, no socket"),
        ("wasi:cli" | "wasi:io", _) => Reach::Free("output into the log, and waiting; no environment, no arguments"),
        _ => Reach::Free("known to the host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookbox_core::limits::AllSettings;
    use hookbox_core::name::PluginName;

    #[test]
    fn an_import_that_nothing_was_granted_of_is_told_with_the_key_that_would() {
        let grants = GrantsView::of(&AllSettings::default().of(&PluginName::parse("welcome").unwrap()));
        let shown = |import: &str| imports(&[import.to_owned()], &grants).into_string();
        assert!(shown("wasi:http/outgoing-handler@0.2.3").contains("plugins.NAME.grants.http"));
        assert!(shown("wasi:config/store@0.2.0-rc.1").contains("plugins.NAME.config"));
        for free in ["wasi:clocks/wall-clock@0.2.3", "hookbox:plugin/logging@0.1.0", "wasi:filesystem/types@0.2.3"] {
            assert!(shown(free).contains("nothing outside the sandbox: 1"), "{free}");
        }
        assert!(shown("hookbox:plugin/kv@0.1.0").contains(">granted<"));
    }
}
