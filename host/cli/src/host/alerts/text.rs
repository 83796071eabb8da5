//! What receivers read.

use hookbox_core::alert::{Message, Part};
use hookbox_core::time::Timestamp;
use serde_json::{Value, json};

/// One that says that it is a test: it is about nothing.
pub(super) fn test(channel: &str, now: Timestamp, random: u128) -> Message {
    Message {
        id: format!("test_{random:020x}"),
        channel: channel.to_owned(),
        at: now,
        parts: Vec::new(),
        tries: 0,
        due: now,
        failure: None,
    }
}

pub(super) fn subject(message: &Message) -> String {
    let resolved = message.parts.iter().filter(|part| part.resolved.is_some()).count();
    let firing = message.parts.len() - resolved;
    match (firing, resolved) {
        (0, 0) => "hookbox: a test of this channel".to_owned(),
        (0, resolved) => format!("hookbox: {resolved} resolved"),
        (firing, 0) => format!("hookbox: {firing} firing"),
        (firing, resolved) => format!("hookbox: {firing} firing, {resolved} resolved"),
    }
}

pub(super) fn lines(message: &Message) -> Vec<String> {
    match message.parts.is_empty() {
        true => vec!["This is a test: alerts of hookbox come here.".to_owned()],
        false => message.parts.iter().map(line).collect(),
    }
}

fn line(part: &Part) -> String {
    match part.resolved {
        None => format!("FIRING {}: {}", part.rule, part.text),
        Some(at) => {
            let about = if part.about.is_empty() { String::new() } else { format!(" of {}", part.about) };
            format!(
                "RESOLVED {}{about} at {}: it was wrong since {}",
                part.rule,
                at.show_seconds(),
                part.since.show_seconds()
            )
        }
    }
}

/// For Slack: its three characters that mean something are written as it wants them.
pub(super) fn slack(message: &Message) -> Value {
    let plain = |line: &String| line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let lines: Vec<String> = lines(message).iter().map(plain).collect();
    json!({ "text": format!("*{}*\n{}", subject(message), lines.join("\n")) })
}

/// For programs.
pub(super) fn body(message: &Message) -> Value {
    let alert = |part: &Part| {
        json!({
            "state": if part.resolved.is_some() { "resolved" } else { "firing" },
            "rule": part.rule.code(),
            "about": part.about,
            "text": part.text,
            "since": part.since.to_string(),
            "resolved": part.resolved.map(|at| at.to_string()),
        })
    };
    let kind = if message.parts.is_empty() { "hookbox.alerts.test" } else { "hookbox.alerts" };
    let alerts: Vec<Value> = message.parts.iter().map(alert).collect();
    json!({ "type": kind, "timestamp": message.at.to_string(), "data": { "summary": subject(message), "alerts": alerts } })
}

#[cfg(test)]
mod tests {
    use hookbox_core::alert::Rule;

    use super::*;

    fn part(about: &str, resolved: Option<u64>) -> Part {
        let text = format!("{about} <fails> & fails");
        let rule = Rule::HandlerFailing;
        Part { rule, about: about.into(), text, since: Timestamp(0), resolved: resolved.map(Timestamp) }
    }

    #[test]
    fn a_message_says_what_began_and_what_ended() {
        let mut message = test("ops", Timestamp(5_000), 7);
        assert_eq!(subject(&message), "hookbox: a test of this channel");
        assert_eq!(body(&message)["type"], "hookbox.alerts.test");
        message.parts = vec![part("a/b", None), part("c/d", Some(3_000))];
        assert_eq!(subject(&message), "hookbox: 1 firing, 1 resolved");
        let text = slack(&message)["text"].as_str().unwrap().to_owned();
        assert!(text.contains("FIRING handler-failing: a/b &lt;fails&gt; &amp; fails"), "{text}");
        assert!(text.contains("RESOLVED handler-failing of c/d at 1970-01-01T00:00:03Z"), "{text}");
        let alerts = &body(&message)["data"]["alerts"];
        assert_eq!((&alerts[0]["state"], &alerts[1]["state"]), (&json!("firing"), &json!("resolved")));
    }
}
