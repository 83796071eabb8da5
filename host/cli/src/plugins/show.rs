//! One plugin, for people.

use serde_json::Value;

use super::short;
use crate::output::plain;

/// Of a name, as other commands print it.
const WIDTH: usize = 16;

pub(super) fn show(plugin: &Value) {
    line("plugin", &format!("{}: {}", plain(&plugin["name"]), plain(&plugin["state"])));
    if let Some(description) = plugin["description"].as_str() {
        line("description", &plain(&Value::from(description)));
    }
    if plugin["digest"].is_string() {
        let trial = match (plugin["on_trial"] == true, plugin["trial_failed"] == true) {
            (true, _) => ", on trial",
            (false, true) => ", its trial failed, and no earlier version can serve",
            (false, false) => "",
        };
        line("serves", &format!("{} ({}){trial}", short(&plugin["digest"]), plain(&plugin["version"])));
        line("since", &plain(&plugin["since"]));
        line("digest", &plain(&plugin["digest"]));
        trusted(plugin);
    } else {
        line("serves", "nothing");
    }
    if plugin["missing_since"].is_string() {
        let since = plain(&plugin["missing_since"]);
        match plugin["state"].as_str() {
            Some("untrusted") => {
                line("trusted", &format!("no longer since {since}: its runs wait for a version that is"))
            }
            _ => line("file", &format!("gone since {since}: its runs wait for it for a while")),
        }
    }
    line("etag", &plain(&plugin["etag"]));
    refused(&plugin["refused"]);
    list("handlers", &plugin["handlers"], handler);
    list("imports", &plugin["imports"], plain);
    granted(&plugin["grants"]);
    list("denied", &plugin["denied"], denied);
    list("history", &plugin["history"], past);
    list("rolled back", &plugin["rejected"], rejected);
}

/// Of a version that may run.
fn trusted(plugin: &Value) {
    let trust = &plugin["trust"];
    let pinned = (trust["pinned"] == true).then(|| "pinned".to_owned());
    let signed = trust["key"].is_string();
    let signed = signed.then(|| format!("signed by the key {} ({})", plain(&trust["key"]), plain(&trust["comment"])));
    let why: Vec<String> = [pinned, signed].into_iter().flatten().collect();
    if plugin["state"] != "untrusted" && !why.is_empty() {
        line("trusted", &why.join(", "));
    }
}

/// What it was granted in hooks.yaml.
fn granted(grants: &Value) {
    if grants.is_null() {
        return;
    }
    say!("grants");
    list_in("http", &grants["http"], |grant| {
        let headers = grant["headers"].as_object().into_iter().flatten();
        let headers = headers.map(|(header, secrets)| format!(", {header} with {}", plain(secrets)));
        plain(&grant["to"]) + &headers.collect::<String>()
    });
    for kind in ["networks", "secrets", "emit", "enqueue", "config"] {
        list_in(kind, &grants[kind], plain);
    }
    say!("  {:<WIDTH$} {} bytes", "kv", plain(&grants["kv_bytes"]));
}

fn list_in(name: &str, items: &Value, text: impl Fn(&Value) -> String) {
    for item in items.as_array().map(Vec::as_slice).unwrap_or_default() {
        say!("  {name:<WIDTH$} {}", text(item));
    }
}

fn denied(denied: &Value) -> String {
    let (kind, what, last) = (plain(&denied["kind"]), plain(&denied["what"]), plain(&denied["last"]));
    let (attempts, reason) = (plain(&denied["attempts"]), plain(&denied["reason"]));
    format!("{kind} {what}: {attempts} attempts, last at {last}: {reason}")
}

fn refused(refused: &Value) {
    if refused.is_null() {
        return;
    }
    line(
        "refused",
        &format!("{} at {} ({})", short(&refused["digest"]), plain(&refused["at"]), plain(&refused["code"])),
    );
    line("", &plain(&refused["reason"]));
}

fn handler(handler: &Value) -> String {
    let trigger = &handler["trigger"];
    let when = match trigger["kind"].as_str() {
        Some("events") => format!("on {}", plain(&trigger["patterns"])),
        Some("schedule") => format!("{} ({})", plain(&trigger["when"]), plain(&trigger["schedule"])),
        _ => "when it is enqueued".to_owned(),
    };
    let filter = handler["filter"].as_str().map(|filter| format!(" where {}", plain(&Value::from(filter))));
    format!("{:<20} {when}{}", plain(&handler["name"]), filter.unwrap_or_default())
}

fn past(past: &Value) -> String {
    let ended = match past["ended"].as_str() {
        Some(ended) => format!("to {ended}, {}", how(past["how"].as_str().unwrap_or_default())),
        None => "serves".to_owned(),
    };
    format!("{}  {:<12} from {}  {ended}", short(&past["digest"]), plain(&past["version"]), plain(&past["since"]))
}

fn how(how: &str) -> &str {
    match how {
        "rolled-back" => "rolled back by an operator",
        "auto-rolled-back" => "rolled back by the host",
        "gone" => "its file was gone",
        "taken-down" => "taken down: the name is a provider's",
        other => other,
    }
}

fn rejected(rejected: &Value) -> String {
    format!("{}  at {}: {}", short(&rejected["digest"]), plain(&rejected["at"]), plain(&rejected["reason"]))
}

fn line(name: &str, text: &str) {
    say!("{name:<WIDTH$} {text}");
}

fn list(name: &str, items: &Value, text: impl Fn(&Value) -> String) {
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return;
    }
    say!("{name}");
    for item in items {
        say!("  {}", text(item));
    }
}
