//! How the host treats a handler's runs: options that every attribute takes, in the form that the host reads.

use syn::{Ident, Lit, LitStr};

use crate::arguments::{number, text};
use crate::duration::{self, DAY, HOUR};

/// By these names the host knows them, in this order it is told.
pub(crate) const OPTIONS: [&str; 14] = [
    "timeout",
    "attempts",
    "backoff",
    "backoff_curve",
    "backoff_max",
    "priority",
    "concurrency",
    "concurrency_per",
    "order_per",
    "rate",
    "unique_per",
    "delay",
    "expires",
    "filter",
];
const CURVES: [&str; 3] = ["exponential", "linear", "constant"];
const PRIORITIES: [&str; 5] = ["lowest", "low", "normal", "high", "highest"];
/// Attempts of one handler at one time, as the host bounds them.
const CONCURRENCY_MAX: u32 = 512;
const RATE_MAX: u32 = 100_000;
const WAIT_MAX: u64 = 30 * DAY;
/// Longest filter, and longest path to a key, that the host accepts.
const EXPRESSION_BYTES_MAX: usize = 512;

/// Those that are set.
#[derive(Default)]
pub(crate) struct Policy(Vec<(&'static str, String)>);

impl Policy {
    /// False where it is no option of the policy.
    pub(crate) fn set(&mut self, name: &Ident, value: &Lit) -> syn::Result<bool> {
        let Some(option) = OPTIONS.into_iter().find(|option| name == option) else { return Ok(false) };
        let other = match option {
            "concurrency_per" => Some("order_per"),
            "order_per" => Some("concurrency_per"),
            _ => None,
        };
        if self.0.iter().any(|(set, _)| Some(*set) == other) {
            let message = "runs in order are one at a time already; write `order_per` or `concurrency_per`";
            return Err(syn::Error::new(name.span(), message));
        }
        self.0.push((option, read(option, value.clone())?));
        Ok(true)
    }

    /// In the order of [`OPTIONS`].
    pub(crate) fn options(&self) -> impl Iterator<Item = (&'static str, &str)> {
        OPTIONS.into_iter().filter_map(|name| {
            let (name, value) = self.0.iter().find(|(set, _)| *set == name)?;
            Some((*name, value.as_str()))
        })
    }
}

fn read(option: &str, value: Lit) -> syn::Result<String> {
    match option {
        "timeout" | "backoff" | "backoff_max" => span(value, HOUR),
        "delay" | "expires" => span(value, WAIT_MAX),
        "attempts" => number(value, 1, 100).map(|number| number.to_string()),
        "concurrency" => number(value, 1, CONCURRENCY_MAX).map(|number| number.to_string()),
        "backoff_curve" => word(text(value)?, &CURVES),
        "priority" => word(text(value)?, &PRIORITIES),
        "rate" => rate(text(value)?),
        "filter" => {
            let what = "a filter is a condition";
            expression(text(value)?, what, "\"data.amount > 1000\"; leave it out to take every event")
        }
        _ => expression(text(value)?, "a key is a path into the payload", "\"customer.id\""),
    }
}

fn span(value: Lit, most: u64) -> syn::Result<String> {
    let literal = text(value)?;
    duration::millis(&literal, 1, most)?;
    Ok(literal.value())
}

pub(crate) fn word(literal: LitStr, known: &[&str]) -> syn::Result<String> {
    let text = literal.value();
    if known.contains(&text.as_str()) {
        return Ok(text);
    }
    let known: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
    Err(syn::Error::new(literal.span(), format!("must be one of {}, got {text:?}", known.join(", "))))
}

fn rate(literal: LitStr) -> syn::Result<String> {
    let text = literal.value();
    let number = ["/s", "/m", "/h"].iter().find_map(|unit| text.strip_suffix(unit));
    let number = number.filter(|number| number.bytes().all(|b| b.is_ascii_digit())).map(str::parse::<u32>);
    if matches!(number, Some(Ok(1..=RATE_MAX))) {
        return Ok(text);
    }
    let message =
        format!("{text:?} is no rate; write so many a second, minute or hour, such as \"10/s\", 1 to {RATE_MAX}");
    Err(syn::Error::new(literal.span(), message))
}

/// The host compiles it, and refuses the plugin where it does not.
fn expression(literal: LitStr, what: &str, example: &str) -> syn::Result<String> {
    let text = literal.value().trim().to_owned();
    if text.is_empty() || text.len() > EXPRESSION_BYTES_MAX {
        let message = format!("{what} of 1 to {EXPRESSION_BYTES_MAX} bytes, such as {example}");
        return Err(syn::Error::new(literal.span(), message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    fn set(policy: &mut Policy, option: &str, value: &str) -> Result<bool, String> {
        let value: Lit = syn::parse_str(value).unwrap();
        policy.set(&Ident::new(option, Span::call_site()), &value).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_is_told_as_the_host_reads_it() {
        let written = [
            ("expires", "\"1h\"", "1h"),
            ("delay", "\"30d\"", "30d"),
            ("unique_per", "\" id \"", "id"),
            ("rate", "\"100000/m\"", "100000/m"),
            ("order_per", "\"customer.id\"", "customer.id"),
            ("concurrency", "512", "512"),
            ("priority", "\"high\"", "high"),
            ("backoff_max", "\"5m\"", "5m"),
            ("backoff_curve", "\"linear\"", "linear"),
            ("backoff", "\"1s\"", "1s"),
            ("attempts", "8", "8"),
            ("timeout", "\"1h\"", "1h"),
        ];
        let mut policy = Policy::default();
        for (option, value, _) in written {
            assert_eq!(set(&mut policy, option, value), Ok(true), "{option}");
        }
        let expected: Vec<_> = written.iter().rev().map(|(option, _, told)| (*option, *told)).collect();
        assert_eq!(policy.options().collect::<Vec<_>>(), expected);
        assert_eq!(set(&mut policy, "retries", "1"), Ok(false));
    }

    #[test]
    fn what_the_host_would_refuse_is_refused_with_the_cure() {
        for (option, value, cure) in [
            ("attempts", "0", "1 to 100"),
            ("concurrency", "513", "1 to 512"),
            ("backoff_curve", "\"steep\"", "\"exponential\", \"linear\", \"constant\""),
            ("priority", "\"urgent\"", "\"lowest\", \"low\", \"normal\""),
            ("priority", "1", "text in quotes"),
            ("rate", "\"10\"", "\"10/s\""),
            ("rate", "\"0/s\"", "\"10/s\""),
            ("rate", "\"+1/s\"", "\"10/s\""),
            ("rate", "\"100001/h\"", "1 to 100000"),
            ("unique_per", "\" \"", "\"customer.id\""),
            ("filter", "\"\"", "take every event"),
            ("delay", "\"31d\"", "at most 30d"),
            ("expires", "\"0s\"", "longer than nothing"),
            ("backoff_max", "\"2h\"", "at most 1h"),
        ] {
            let refusal = set(&mut Policy::default(), option, value).unwrap_err();
            assert!(refusal.contains(cure), "{option}: {refusal}");
        }
    }

    #[test]
    fn order_and_concurrency_per_key_exclude_each_other() {
        for (first, second) in [("order_per", "concurrency_per"), ("concurrency_per", "order_per")] {
            let mut policy = Policy::default();
            assert_eq!(set(&mut policy, first, "\"id\""), Ok(true));
            assert!(set(&mut policy, second, "\"id\"").unwrap_err().contains("`order_per` or `concurrency_per`"));
        }
    }
}
