//! What stands between the brackets of an attribute: values, then `name = value` options.

use syn::parse::{Parse, ParseStream};
use syn::{Ident, Lit, LitInt, LitStr, Token};

use crate::policy::Policy;
use crate::schedule::Rules;

/// As written, with options that any trigger may have already read.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) values: Vec<Lit>,
    pub(crate) name: Option<LitStr>,
    pub(crate) description: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) rules: Rules,
    pub(crate) timezone: Option<(Ident, LitStr)>,
    pub(crate) minute: Option<(Ident, LitInt)>,
    pub(crate) filter: Option<Ident>,
}

const KNOWN: &str = "`name`, `description`, `timeout`, `attempts`, `backoff`, `backoff_curve`, `backoff_max`, `priority`, \
    `concurrency`, `concurrency_per`, `order_per`, `rate`, `unique_per`, `delay`, `expires`, `filter` (events), `tz` (cron \
    schedules), `minute` (hourly), `day_rule` (cron), `phase` (every), and of all schedules `start`, `end`, `count`, \
    `jitter`, `overlap`, `missed`, `missed_within`, `pause_after`";

impl Parse for Arguments {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut arguments = Arguments::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            if input.peek(Ident) {
                let name: Ident = input.parse()?;
                if seen.contains(&name) {
                    return Err(syn::Error::new(name.span(), format!("`{name}` is given twice")));
                }
                input.parse::<Token![=]>()?;
                arguments.option(&name, input.parse()?)?;
                seen.push(name);
            } else {
                let value: Lit = input.parse()?;
                if !seen.is_empty() {
                    return Err(syn::Error::new(value.span(), "values come before the options"));
                }
                arguments.values.push(value);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

impl Arguments {
    fn option(&mut self, name: &Ident, value: Lit) -> syn::Result<()> {
        if self.policy.set(name, &value)? {
            self.filter = self.filter.take().or((name == "filter").then(|| name.clone()));
            return Ok(());
        }
        if self.rules.set(name, &value)? {
            return Ok(());
        }
        match name.to_string().as_str() {
            "name" => self.name = Some(handler_name(text(value)?)?),
            "description" => self.description = Some(text(value)?.value()),
            "tz" => self.timezone = Some((name.clone(), timezone(text(value)?)?)),
            "minute" => {
                let value = integer(value)?;
                number(Lit::Int(value.clone()), 0, 59)?;
                self.minute = Some((name.clone(), value));
            }
            other => {
                return Err(syn::Error::new(name.span(), format!("unknown option `{other}`; known are {KNOWN}")));
            }
        }
        Ok(())
    }
}

pub(crate) fn text(value: Lit) -> syn::Result<LitStr> {
    match value {
        Lit::Str(text) => Ok(text),
        other => Err(syn::Error::new(other.span(), "must be a text in quotes")),
    }
}

pub(crate) fn integer(value: Lit) -> syn::Result<LitInt> {
    match value {
        Lit::Int(number) => Ok(number),
        other => Err(syn::Error::new(other.span(), "must be a whole number, without quotes")),
    }
}

pub(crate) fn number(value: Lit, least: u32, most: u32) -> syn::Result<u32> {
    let literal = integer(value)?;
    match literal.base10_parse::<u32>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(syn::Error::new(literal.span(), format!("must be {least} to {most}"))),
    }
}

/// The alphabet of the host's names; whether the zone exists is the host's to say.
fn timezone(literal: LitStr) -> syn::Result<LitStr> {
    let text = literal.value();
    let letters = |b: u8| b.is_ascii_alphanumeric() || b"/_+-".contains(&b);
    if !text.is_empty() && text.bytes().all(letters) {
        return Ok(literal);
    }
    let message = format!("{text:?} is no time zone; write an IANA name such as \"Europe/London\" or \"UTC\"");
    Err(syn::Error::new(literal.span(), message))
}

/// Longest name that the host accepts.
const NAME_BYTES_MAX: usize = 63;

pub(crate) fn handler_name(literal: LitStr) -> syn::Result<LitStr> {
    let text = literal.value();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let good = text.len() <= NAME_BYTES_MAX
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|b| plain(b) || b"-_".contains(&b));
    if good {
        return Ok(literal);
    }
    let message = format!(
        "{text:?} is no handler name; it is 1 to {NAME_BYTES_MAX} of a-z, 0-9, '-' and '_', beginning with a letter or digit: \
         set one with `name = \"...\"`"
    );
    Err(syn::Error::new(literal.span(), message))
}
