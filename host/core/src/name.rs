//! Names that people choose: parsed once, at the edge.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name of any kind, in bytes: it is part of store keys, which end at 256.
pub const NAME_BYTES_MAX: usize = 63;

/// A text that is no name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be 1 to {max} of {alphabet}, beginning with a letter or digit, got {text:?}", max = NAME_BYTES_MAX)]
pub struct NotAName {
    kind: &'static str,
    alphabet: &'static str,
    text: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $alphabet:literal, $extra:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Box<str>);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, NotAName> {
                let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
                let allowed = |b: u8| plain(b) || $extra.contains(&b);
                let good = text.len() <= NAME_BYTES_MAX
                    && text.bytes().next().is_some_and(plain)
                    && text.bytes().all(allowed);
                if good {
                    Ok(Self(text.into()))
                } else {
                    Err(NotAName { kind: $kind, alphabet: $alphabet, text: text.chars().take(80).collect() })
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAName;

            fn from_str(text: &str) -> Result<Self, NotAName> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAName;

            fn try_from(text: String) -> Result<Self, NotAName> {
                Self::parse(&text)
            }
        }
    };
}

name!(
    /// A sender of webhooks; the last part of its URL.
    ProviderName, "a provider's name", "a-z, 0-9, '-' and '_'", b"-_"
);
name!(
    /// A plugin: the stem of its file.
    PluginName, "a plugin's name", "a-z, 0-9, '-' and '_'", b"-_"
);
name!(
    /// A handler, unique within its plugin.
    HandlerName, "a handler's name", "a-z, 0-9, '-' and '_'", b"-_"
);
name!(
    /// A token of the operator's listener.
    TokenName, "a token's name", "a-z, 0-9, '-', '_' and '.'", b"-_."
);

/// A schedule, unique within the host: `nightly`, or `PLUGIN.HANDLER` where a plugin declares it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ScheduleName(Box<str>);

impl ScheduleName {
    /// One or two names joined by a dot.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        let part = |text: &str| HandlerName::parse(text).is_ok();
        let good = match text.split_once('.') {
            Some((plugin, handler)) => part(plugin) && part(handler),
            None => part(text),
        };
        if good {
            Ok(Self(text.into()))
        } else {
            let text = text.chars().take(80).collect();
            Err(NotAName { kind: "a schedule's name", alphabet: "a-z, 0-9, '-', '_' and one dot", text })
        }
    }

    /// The name that a plugin's own schedule has.
    pub fn of(target: &HandlerRef) -> Self {
        Self(format!("{}.{}", target.plugin, target.handler).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for ScheduleName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        Self::parse(text)
    }
}

impl From<ScheduleName> for String {
    fn from(name: ScheduleName) -> String {
        name.0.into()
    }
}

impl TryFrom<String> for ScheduleName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        Self::parse(&text)
    }
}

/// One handler of one plugin; written `plugin/handler`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HandlerRef {
    pub plugin: PluginName,
    pub handler: HandlerName,
}

impl fmt::Display for HandlerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.plugin, self.handler)
    }
}

impl FromStr for HandlerRef {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let (plugin, handler) = text.split_once('/').ok_or_else(|| NotAName {
            kind: "a handler, PLUGIN/HANDLER,",
            alphabet: "a-z, 0-9, '-' and '_'",
            text: text.chars().take(80).collect(),
        })?;
        Ok(HandlerRef { plugin: plugin.parse()?, handler: handler.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_reads_back_as_it_is_written() {
        let target: HandlerRef = "shop/on-user".parse().unwrap();
        assert_eq!(target.to_string(), "shop/on-user");
        for bad in ["", "shop", "shop/", "/on-user", "shop/on/user"] {
            assert!(bad.parse::<HandlerRef>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_lower_case_and_bounded() {
        assert!(PluginName::parse("github-notify_2").is_ok());
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for bad in ["", "-a", "_a", "A", "a b", "a/b", "a.b", "../etc", "é", long.as_str()] {
            assert!(PluginName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_schedule_has_one_dot_at_most() {
        assert!(ScheduleName::parse("daily-digest.digest").is_ok());
        assert!(ScheduleName::parse("nightly").is_ok());
        for bad in ["a.b.c", ".a", "a.", "", "a..b"] {
            assert!(ScheduleName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
