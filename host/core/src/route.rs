//! Which handlers an event reaches: patterns over `provider/type`.

pub mod filter;
pub mod key;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 256;
/// Stars in one pattern: matching is quadratic at worst.
pub const PATTERN_STARS_MAX: usize = 8;

/// `provider/type`, each part with `*` for any text, the empty one too: `github/pull_request.*`, `*/user.created`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pattern {
    namespace: Box<str>,
    event_type: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    #[error("pattern {0:?} names no provider: write provider/{0}, or */{0} for any provider")]
    NoProvider(String),
    #[error(
        "pattern {0:?} must be provider/type, without spaces, at most {PATTERN_BYTES_MAX} bytes and {PATTERN_STARS_MAX} stars"
    )]
    Malformed(String),
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, BadPattern> {
        let shown = || text.chars().filter(|c| !c.is_control()).take(80).collect::<String>();
        let Some((namespace, event_type)) = text.split_once('/') else {
            return Err(BadPattern::NoProvider(shown()));
        };
        let stars = text.bytes().filter(|b| *b == b'*').count();
        let printable = text.chars().all(|c| !c.is_control() && !c.is_whitespace());
        let bounded = text.len() <= PATTERN_BYTES_MAX && stars <= PATTERN_STARS_MAX;
        if namespace.is_empty() || event_type.is_empty() || !printable || !bounded {
            return Err(BadPattern::Malformed(shown()));
        }
        Ok(Pattern { namespace: namespace.into(), event_type: event_type.into() })
    }

    pub fn matches(&self, namespace: &str, event_type: &str) -> bool {
        matches(&self.namespace, namespace) && matches(&self.event_type, event_type)
    }

    /// As it is written, stars and all.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Any provider's secret could feed a handler with such a pattern.
    pub fn any_provider(&self) -> bool {
        self.namespace.contains('*')
    }
}

/// `*` stands for any text. Greedy with one step back per star: no recursion, no allocation.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.event_type)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Pattern, BadPattern> {
        Pattern::parse(text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.to_string()
    }
}

impl TryFrom<String> for Pattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Pattern, BadPattern> {
        Pattern::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reaches(pattern: &str, topic: &str) -> bool {
        let (namespace, event_type) = topic.split_once('/').unwrap();
        Pattern::parse(pattern).unwrap().matches(namespace, event_type)
    }

    #[test]
    fn a_pattern_matches_its_own_provider_and_type_only() {
        assert!(reaches("shop/user.created", "shop/user.created"));
        assert!(!reaches("shop/user.created", "evil/user.created"));
        assert!(!reaches("shop/user.created", "shop/user.created2"));
        assert!(!reaches("shop/user.created", "shop/user.create"));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(reaches("github/pull_request.*", "github/pull_request.opened"));
        assert!(!reaches("github/pull_request.*", "github/push"));
        assert!(reaches("*/user.created", "shop/user.created"));
        assert!(reaches("shop/*.created", "shop/user.created"));
        assert!(reaches("shop/*", "shop/"));
        assert!(reaches("shop/a*b*c", "shop/aXbbYc"));
        assert!(!reaches("shop/a*a", "shop/a"));
    }

    #[test]
    fn a_bare_type_is_refused_with_its_cure() {
        let error = Pattern::parse("user.created").unwrap_err();
        assert!(error.to_string().contains("provider/user.created"));
        for bad in ["/a", "a/", "a/b c", "a/*********", &"a/".repeat(200)] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
    }

    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => naive(rest, text) || text.split_first().is_some_and(|(_, t)| naive(pattern, t)),
            (Some((p, rest)), Some((t, tail))) => p == t && naive(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_plain_definition(pattern in "[ab*]{1,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(matches(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
