//! What is held: its runs are taken in and wait, until it is released.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{HandlerRef, NotAName, PluginName};
use crate::time::Timestamp;

/// Longest note, in characters.
pub const NOTE_CHARS_MAX: usize = 200;

/// Whose runs are held. Written `*`, `PLUGIN` or `PLUGIN/HANDLER`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Held {
    Host,
    Plugin(PluginName),
    Handler(HandlerRef),
}

/// Since when, and what the operator said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub since: Timestamp,
    pub note: Option<String>,
}

/// Everything that is held. What runs already goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holds(pub BTreeMap<Held, Hold>);

impl Held {
    /// Whether runs of the handler are among those that it holds.
    pub fn covers(&self, target: &HandlerRef) -> bool {
        match self {
            Held::Host => true,
            Held::Plugin(plugin) => target.plugin == *plugin,
            Held::Handler(handler) => target == handler,
        }
    }
}

impl Holds {
    /// Whether runs of the handler wait.
    pub fn hold(&self, target: &HandlerRef) -> bool {
        self.0.keys().any(|held| held.covers(target))
    }
}

impl Hold {
    /// The note is cut to [`NOTE_CHARS_MAX`].
    pub fn new(since: Timestamp, note: Option<&str>) -> Hold {
        Hold { since, note: note.and_then(noted) }
    }
}

/// What an operator says of something, as it is kept: without control characters; nothing where it is blank.
pub fn noted(text: &str) -> Option<String> {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(NOTE_CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Held::Host => f.pad("*"),
            Held::Plugin(plugin) => f.pad(plugin.as_str()),
            Held::Handler(handler) => f.pad(&handler.to_string()),
        }
    }
}

impl FromStr for Held {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Held, NotAName> {
        match text {
            "*" => Ok(Held::Host),
            handler if handler.contains('/') => handler.parse().map(Held::Handler),
            plugin => plugin.parse().map(Held::Plugin),
        }
    }
}

impl From<Held> for String {
    fn from(held: Held) -> String {
        held.to_string()
    }
}

impl TryFrom<String> for Held {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Held, NotAName> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(held: &str) -> Holds {
        Holds(BTreeMap::from([(held.parse().unwrap(), Hold::new(Timestamp(1), Some(" why\n ")))]))
    }

    #[test]
    fn a_host_a_plugin_or_a_handler_is_held() {
        let target: HandlerRef = "shop/on-user".parse().unwrap();
        for held in ["*", "shop", "shop/on-user"] {
            assert!(holds(held).hold(&target), "{held}");
            assert_eq!(held.parse::<Held>().unwrap().to_string(), held);
        }
        for held in ["shops", "shop/on-order"] {
            assert!(!holds(held).hold(&target), "{held}");
        }
        assert!(!Holds::default().hold(&target));
    }

    #[test]
    fn a_note_is_one_short_line() {
        assert_eq!(noted(" why\nnot "), Some("whynot".to_owned()));
        assert_eq!(noted(" \n"), None);
        assert_eq!(noted(&"x".repeat(999)).unwrap().len(), NOTE_CHARS_MAX);
    }
}
