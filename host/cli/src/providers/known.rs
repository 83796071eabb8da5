//! `hookbox providers` and `hookbox providers show`: the senders that are known by name.

use anyhow::{Context, Result};
use hookbox_core::config;
use hookbox_core::name::ProviderName;
use hookbox_core::verify::{ALIASES, About, Description, MethodDescription, Scheme, about, alike, describe, schemes};
use serde_json::{Value, json};

use crate::inspect::{self, Print};
use crate::output::{self, Column};
use crate::project::Mistakes;

const COLUMNS: [Column; 5] = [
    ("NAME", "name"),
    ("SENDER", "sender"),
    ("ALGORITHM", "algorithms"),
    ("HEADERS", "headers"),
    ("OTHER NAMES", "aliases"),
];
/// Characters of a line of words.
const WIDTH: usize = 96;

pub(super) fn list(print: Print) -> Result<()> {
    let rows: Vec<Value> = schemes().iter().map(row).collect();
    if print == Print::Json {
        return inspect::json(&json!({ "items": rows }));
    }
    output::table(&rows, &COLUMNS, "No presets.");
    say!("\nOne in full: hookbox providers show NAME");
    Ok(())
}

fn row(scheme: &Scheme) -> Value {
    let description = describe(scheme);
    let mut algorithms: Vec<&str> = description.methods.iter().map(|method| method.algorithm).collect();
    algorithms.dedup();
    json!({
        "name": scheme.name(),
        "sender": about(scheme.name()).map(|about| about.title),
        "algorithms": algorithms,
        "headers": description.headers,
        "aliases": aliases(scheme.name()),
    })
}

fn aliases(name: &str) -> Vec<&'static str> {
    ALIASES.iter().filter(|(_, own)| *own == name).map(|(alias, _)| *alias).collect()
}

pub(super) fn show(name: &str, print: Print) -> Result<()> {
    let meant = alike(name).map(|alike| format!("did you mean {alike}? ")).unwrap_or_default();
    let unknown = || Mistakes(vec![format!("there is no preset {name}: {meant}`hookbox providers` lists them")]);
    let scheme = Scheme::named(name).with_context(unknown)?;
    let about = about(scheme.name()).with_context(unknown)?;
    let shown = Shown { scheme, about, description: describe(scheme) };
    match print {
        Print::Json => inspect::json(&shown.json()),
        Print::Tables => {
            say!("{}", shown.text().trim_end());
            Ok(())
        }
    }
}

/// A preset, and everything that is said of it.
struct Shown<'a> {
    scheme: &'a Scheme,
    about: &'a About,
    description: Description,
}

impl Shown<'_> {
    fn text(&self) -> String {
        let Shown { about, description, .. } = self;
        let name = self.scheme.name();
        let mut page = Page::default();
        page.line("preset", name);
        page.line("sender", about.title);
        page.line("other names", &aliases(name).join(", "));
        page.line("settings", about.settings);
        page.line("secret from", &secret_variable(name));
        page.line("headers", &description.headers.join(", "));
        page.line("signature", &description.signature);
        for method in &description.methods {
            page.line("method", &method_text(method));
            page.line("signed content", &method.content);
        }
        page.line("signed by part", description.each.as_deref().unwrap_or_default());
        page.line("body's hash", &description.body_hash.as_deref().map(|at| format!("query {at}")).unwrap_or_default());
        page.line("signed time", &description.timestamp);
        page.line("tolerance", &self.scheme.tolerance().map(|span| span.to_string()).unwrap_or_default());
        page.line("not covered", about.not_covered);
        page.line("replay", about.replay);
        page.line("duplicates", description.repeats);
        page.line("event type", &description.event_type);
        page.line("delivery id", &description.delivery_id);
        page.line("challenge", &description.challenge);
        page.line("answer", &description.answer);
        page.line("public_url", if self.scheme.needs_url() { "needed: the URL is signed" } else { "" });
        page.line("notes", about.notes);
        for line in about.unconfirmed {
            page.line("unconfirmed", line);
        }
        page.0
    }

    fn json(&self) -> Value {
        let Shown { about, description, scheme } = self;
        let methods = description.methods.iter().map(|method| {
            json!({
                "algorithm": method.algorithm,
                "tag": method.tag,
                "encoding": method.encoding,
                "key": method.key,
                "content": method.content,
            })
        });
        json!({
            "name": scheme.name(),
            "sender": about.title,
            "aliases": aliases(scheme.name()),
            "settings": about.settings,
            "secret_variable": secret_variable(scheme.name()),
            "headers": description.headers,
            "signature": description.signature,
            "methods": methods.collect::<Vec<_>>(),
            "each": description.each,
            "body_hash": description.body_hash,
            "timestamp": description.timestamp,
            "tolerance_ms": scheme.tolerance().map(|span| span.0),
            "needs_public_url": scheme.needs_url(),
            "not_covered": about.not_covered,
            "replay": about.replay,
            "repeats": description.repeats,
            "event_type": description.event_type,
            "delivery_id": description.delivery_id,
            "challenge": description.challenge,
            "answer": description.answer,
            "notes": about.notes,
            "unconfirmed": about.unconfirmed,
        })
    }
}

/// Where the secret of a provider of this name is.
fn secret_variable(name: &str) -> String {
    ProviderName::parse(name).map(|name| config::secret_variable(&name)).unwrap_or_default()
}

fn method_text(method: &MethodDescription) -> String {
    let tag = if method.tag.is_empty() { String::new() } else { format!(" behind {:?}", method.tag) };
    format!("{} in {}{tag}; key: {}", method.algorithm, method.encoding, method.key)
}

/// Lines of a name and what is said of it.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Words, broken into lines; nothing where there are none.
    fn line(&mut self, name: &str, words: &str) {
        let mut left = name.to_owned();
        let mut line = String::new();
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            if !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH {
                self.push(&mut left, &mut line);
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            self.push(&mut left, &mut line);
        }
    }

    fn push(&mut self, left: &mut String, line: &mut String) {
        self.0.push_str(&format!("{left:<16}{line}\n"));
        left.clear();
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> Shown<'static> {
        let scheme = Scheme::named(name).unwrap();
        Shown { scheme, about: about(name).unwrap(), description: describe(scheme) }
    }

    #[test]
    fn a_preset_is_shown_with_all_that_an_operator_needs() {
        for name in ["stripe", "github", "twilio", "notion"] {
            insta::assert_snapshot!(format!("preset-{name}"), shown(name).text());
        }
    }

    #[test]
    fn every_preset_says_where_its_secret_is_and_what_is_not_covered() {
        for scheme in schemes() {
            let page = shown(scheme.name()).text();
            for part in ["settings  ", "secret from ", "not covered ", "replay ", "method "] {
                assert!(page.lines().any(|line| line.starts_with(part)), "{}: {part}\n{page}", scheme.name());
            }
            let fits = |line: &str| line.chars().count() <= WIDTH + 16 || line.starts_with("signed content  ");
            assert!(page.lines().all(fits), "{page}");
        }
    }

    #[test]
    fn every_preset_has_a_row_and_a_form_in_json() {
        let rows: Vec<Value> = schemes().iter().map(row).collect();
        insta::assert_json_snapshot!("presets", rows);
        insta::assert_json_snapshot!("preset-slack-json", shown("slack").json());
    }
}
