//! The nine attributes, reduced to the host's three triggers.

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::{Ident, Lit, LitInt, LitStr};

use crate::arguments::{Arguments, integer, text};
use crate::duration;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    On,
    Cron,
    Every,
    EveryMinutes,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Job,
}

/// Of which names an attribute on a function is one of ours.
pub(crate) const NAMES: [&str; 9] =
    ["on", "cron", "every", "every_minutes", "hourly", "daily", "weekly", "monthly", "job"];

/// Those of the schedule, as the host reads them.
type Options = Vec<(&'static str, String)>;

#[derive(Debug, PartialEq)]
pub(crate) enum Trigger {
    Events(Vec<String>),
    Cron { expression: String, options: Options },
    Every { millis: u64, options: Options },
    Manual,
}

impl Trigger {
    /// `at` is where an error about something missing points.
    pub(crate) fn read(kind: Kind, arguments: &Arguments, at: Span) -> syn::Result<Trigger> {
        let scheduled_by_cron = !matches!(kind, Kind::On | Kind::Every | Kind::Job);
        if let (false, Some((name, _))) = (scheduled_by_cron, &arguments.timezone) {
            let message = match kind {
                Kind::Every => "a fixed interval has no time zone; leave `tz` out, or use #[cron(..)]",
                _ => "only a schedule has a time zone; leave `tz` out",
            };
            return Err(syn::Error::new(name.span(), message));
        }
        if let (false, Some((name, _))) = (kind == Kind::Hourly, &arguments.minute) {
            return Err(syn::Error::new(name.span(), "only #[hourly(..)] has `minute`"));
        }
        if let (false, Some(name)) = (kind == Kind::On, &arguments.filter) {
            return Err(syn::Error::new(name.span(), "only #[on(..)] has `filter`: nothing else takes events"));
        }
        bound(kind, arguments)?;
        let timezone = arguments.timezone.as_ref().map(|(_, zone)| ("timezone", zone.value()));
        let options: Options = timezone.into_iter().chain(arguments.rules.options()).collect();
        let cron = |expression| Ok(Trigger::Cron { expression, options: options.clone() });
        match kind {
            Kind::On => events(&arguments.values, at),
            Kind::Cron => cron(fields(&one(arguments, at, "#[cron(\"0 9 * * MON-FRI\")]")?)?),
            Kind::Every => {
                let millis = every(&one(arguments, at, "#[every(\"5m\")]")?, arguments)?;
                Ok(Trigger::Every { millis, options })
            }
            Kind::EveryMinutes => cron(every_minutes(arguments, at)?),
            Kind::Hourly => {
                none(arguments, "#[hourly] or #[hourly(minute = 15)]")?;
                let minute = arguments.minute.as_ref().map_or("0", |(_, minute)| minute.base10_digits());
                cron(format!("{minute} * * * *"))
            }
            Kind::Daily => cron(daily(&one(arguments, at, "#[daily(\"09:00\")]")?)?),
            Kind::Weekly => cron(weekly(&one(arguments, at, "#[weekly(\"MON 09:00\")]")?)?),
            Kind::Monthly => cron(monthly(&one(arguments, at, "#[monthly(\"1 09:00\")]")?)?),
            Kind::Job => {
                none(arguments, "#[job] or #[job(timeout = \"30s\")]")?;
                Ok(Trigger::Manual)
            }
        }
    }

    pub(crate) fn is_event(&self) -> bool {
        matches!(self, Trigger::Events(_))
    }
}

impl ToTokens for Trigger {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        let private = quote!(::hookbox_sdk::__private);
        tokens.extend(match self {
            Trigger::Events(patterns) => quote!(#private::Trigger::Events(&[#(#patterns),*])),
            Trigger::Cron { expression, options } => {
                let options = pairs(options);
                quote!(#private::Trigger::Schedule(#private::Schedule {
                    when: #private::When::Cron(#expression),
                    options: &[#(#options),*],
                }))
            }
            Trigger::Every { millis, options } => {
                let options = pairs(options);
                quote!(#private::Trigger::Schedule(#private::Schedule {
                    when: #private::When::Every(::core::time::Duration::from_millis(#millis)),
                    options: &[#(#options),*],
                }))
            }
            Trigger::Manual => quote!(#private::Trigger::Manual),
        });
    }
}

fn pairs(options: &Options) -> impl Iterator<Item = proc_macro2::TokenStream> {
    options.iter().map(|(name, value)| quote!((#name, #value)))
}

/// Rules of schedules stand where they mean something.
fn bound(kind: Kind, arguments: &Arguments) -> syn::Result<()> {
    let rules = &arguments.rules;
    let wrong = |name: &Ident, message: String| Err(syn::Error::new(name.span(), message));
    match (kind, rules.any(), rules.get("day_rule"), rules.get("phase")) {
        (Kind::On | Kind::Job, Some(name), ..) => wrong(name, format!("only a schedule has `{name}`; leave it out")),
        (Kind::Cron, _, _, None) | (Kind::Every, _, None, _) | (_, _, None, None) => Ok(()),
        (Kind::Every, _, Some((name, _)), _) | (_, _, Some((name, _)), None) => {
            wrong(name, "only #[cron(..)] has `day_rule`".to_owned())
        }
        (_, _, _, Some((name, _))) => wrong(name, "only #[every(..)] has `phase`".to_owned()),
    }
}

fn one(arguments: &Arguments, at: Span, example: &str) -> syn::Result<LitStr> {
    match &arguments.values[..] {
        [value] => text(value.clone()),
        [] => Err(syn::Error::new(at, format!("say when: {example}"))),
        [_, extra, ..] => Err(syn::Error::new(extra.span(), format!("one value is enough: {example}"))),
    }
}

fn none(arguments: &Arguments, example: &str) -> syn::Result<()> {
    match arguments.values.first() {
        None => Ok(()),
        Some(extra) => Err(syn::Error::new(extra.span(), format!("no value belongs here; write {example}"))),
    }
}

fn events(values: &[Lit], at: Span) -> syn::Result<Trigger> {
    if values.is_empty() {
        return Err(syn::Error::new(at, "name at least one event: #[on(\"shop/user.created\")]"));
    }
    let patterns = values.iter().map(|value| {
        let literal = text(value.clone())?;
        let pattern = literal.value();
        match pattern_fault(&pattern) {
            None => Ok(pattern),
            Some(message) => Err(syn::Error::new(literal.span(), message)),
        }
    });
    Ok(Trigger::Events(patterns.collect::<syn::Result<_>>()?))
}

fn pattern_fault(pattern: &str) -> Option<String> {
    let Some((provider, kind)) = pattern.split_once('/') else {
        return Some(format!(
            "{pattern:?} does not say who sends it; write \"PROVIDER/{pattern}\", as in \"shop/user.created\""
        ));
    };
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_*".contains(&b);
    if provider.is_empty() || !provider.bytes().all(letters) {
        return Some(format!("{provider:?} is no provider; before the slash stand a-z, 0-9, '-', '_' and '*'"));
    }
    if kind.is_empty() || kind.contains(char::is_whitespace) {
        return Some(format!("{kind:?} is no event type; write \"{provider}/*\" for all events of {provider}"));
    }
    None
}

/// Counts the fields and looks at their letters; the host reads what they say.
fn fields(literal: &LitStr) -> syn::Result<String> {
    let text = literal.value();
    let refuse = |message: String| Err(syn::Error::new(literal.span(), message));
    if text.starts_with('@') {
        return refuse(format!(
            "{text:?} is a nickname; use #[hourly], #[daily(\"09:00\")], #[weekly(..)] or #[monthly(..)]"
        ));
    }
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    if !(5..=6).contains(&fields.len()) {
        let count = fields.len();
        return refuse(format!(
            "a cron expression has five fields (minute hour day month weekday), or six with the seconds first, this one \
             has {count}"
        ));
    }
    let letters = |c: char| c.is_ascii_alphanumeric() || "*,-/#?".contains(c);
    match fields.iter().find(|field| !field.chars().all(letters)) {
        Some(field) => refuse(format!("{field:?} is no cron field; its letters are a-z, 0-9 and * , - / # ?")),
        None => Ok(fields.join(" ")),
    }
}

/// The period in milliseconds.
fn every(literal: &LitStr, arguments: &Arguments) -> syn::Result<u64> {
    let millis = duration::millis(literal, duration::SECOND, u64::MAX)?;
    match arguments.rules.get("phase") {
        Some((name, phase)) if duration::millis_or_none(&LitStr::new(phase, name.span()), u64::MAX)? >= millis => {
            Err(syn::Error::new(name.span(), format!("`phase` must be less than the interval {:?}", literal.value())))
        }
        _ => Ok(millis),
    }
}

fn every_minutes(arguments: &Arguments, at: Span) -> syn::Result<String> {
    let literal: LitInt = match &arguments.values[..] {
        [value] => integer(value.clone())?,
        [] => return Err(syn::Error::new(at, "say how many minutes: #[every_minutes(15)]")),
        [_, extra, ..] => return Err(syn::Error::new(extra.span(), "one number is enough: #[every_minutes(15)]")),
    };
    let cure = match literal.base10_parse::<u64>() {
        Ok(1) => return Ok("* * * * *".to_owned()),
        Ok(minutes @ 2..60) if 60 % minutes == 0 => return Ok(format!("*/{minutes} * * * *")),
        Ok(0) | Err(_) => "write a number from 1 to 30".to_owned(),
        Ok(60) => "write #[hourly]".to_owned(),
        Ok(minutes) => format!("write #[every(\"{minutes}m\")] for an interval that ignores the clock"),
    };
    let message = format!("{literal} minutes do not divide the hour evenly; {cure}");
    Err(syn::Error::new(literal.span(), message))
}

fn daily(literal: &LitStr) -> syn::Result<String> {
    match clock(&literal.value()) {
        Some((hour, minute)) => Ok(format!("{minute} {hour} * * *")),
        None => {
            Err(syn::Error::new(literal.span(), "must be a time of day, 00:00 to 23:59, as in #[daily(\"09:00\")]"))
        }
    }
}

fn weekly(literal: &LitStr) -> syn::Result<String> {
    const DAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
    let text = literal.value();
    let parts = text.split_once(' ').and_then(|(day, time)| Some((day.to_ascii_uppercase(), clock(time)?)));
    match parts {
        Some((day, (hour, minute))) if DAYS.contains(&day.as_str()) => Ok(format!("{minute} {hour} * * {day}")),
        _ => Err(syn::Error::new(
            literal.span(),
            "must be a weekday (MON to SUN) and a time, as in #[weekly(\"MON 09:00\")]",
        )),
    }
}

fn monthly(literal: &LitStr) -> syn::Result<String> {
    let text = literal.value();
    let parts = text.split_once(' ').and_then(|(day, time)| Some((day.parse::<u8>().ok()?, clock(time)?)));
    let message = match parts {
        Some((day @ 1..=28, (hour, minute))) => return Ok(format!("{minute} {hour} {day} * *")),
        Some((day @ 29..=31, (hour, minute))) => format!(
            "not every month has a day {day}; write #[cron(\"{minute} {hour} {day} * *\")] to leave the others out"
        ),
        _ => "must be a day of the month (1 to 28) and a time, as in #[monthly(\"1 09:00\")]".to_owned(),
    };
    Err(syn::Error::new(literal.span(), message))
}

/// Hour and minute of `9:05` or `09:05`.
fn clock(text: &str) -> Option<(u8, u8)> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let shaped = (1..=2).contains(&hour.len()) && minute.len() == 2 && digits(hour) && digits(minute);
    let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
    (shaped && hour < 24 && minute < 60).then_some((hour, minute))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, arguments: &str) -> Result<Trigger, String> {
        let arguments = syn::parse_str::<Arguments>(arguments).map_err(|e| e.to_string())?;
        Trigger::read(kind, &arguments, Span::call_site()).map_err(|e| e.to_string())
    }

    fn cron(kind: Kind, arguments: &str) -> String {
        match read(kind, arguments) {
            Ok(Trigger::Cron { expression, .. }) => expression,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn words_become_cron_expressions() {
        assert_eq!(cron(Kind::EveryMinutes, "1"), "* * * * *");
        assert_eq!(cron(Kind::EveryMinutes, "15"), "*/15 * * * *");
        assert_eq!(cron(Kind::Hourly, ""), "0 * * * *");
        assert_eq!(cron(Kind::Hourly, "minute = 15"), "15 * * * *");
        assert_eq!(cron(Kind::Daily, "\"09:05\""), "5 9 * * *");
        assert_eq!(cron(Kind::Weekly, "\"mon 9:00\""), "0 9 * * MON");
        assert_eq!(cron(Kind::Monthly, "\"28 23:59\""), "59 23 28 * *");
    }

    #[test]
    fn only_divisors_of_the_hour_are_minutes() {
        for minutes in 0..=120 {
            let good = minutes > 0 && minutes < 60 && 60 % minutes == 0;
            assert_eq!(read(Kind::EveryMinutes, &minutes.to_string()).is_ok(), good, "{minutes}");
        }
        assert!(read(Kind::EveryMinutes, "45").unwrap_err().contains("#[every(\"45m\")]"));
        assert!(read(Kind::EveryMinutes, "60").unwrap_err().contains("#[hourly]"));
    }

    #[test]
    fn a_time_of_day_is_checked() {
        for time in ["24:00", "9:60", "9", "9:5", ":00", "+9:00", "09:00:00", "nine"] {
            assert!(read(Kind::Daily, &format!("{time:?}")).is_err(), "{time}");
        }
    }

    #[test]
    fn a_day_that_some_months_lack_is_refused_with_the_cure() {
        assert!(read(Kind::Monthly, "\"31 09:00\"").unwrap_err().contains("#[cron(\"0 9 31 * *\")]"));
        assert!(read(Kind::Monthly, "\"0 09:00\"").is_err());
    }

    #[test]
    fn a_pattern_names_its_provider() {
        let patterns = "\"shop/user.created\", \"github/pull_request.*\", \"*/*\"";
        let expected = ["shop/user.created", "github/pull_request.*", "*/*"].map(str::to_owned);
        assert_eq!(read(Kind::On, patterns), Ok(Trigger::Events(expected.into())));
        assert!(read(Kind::On, "\"user.created\"").unwrap_err().contains("\"PROVIDER/user.created\""));
        for pattern in ["/x", "Shop/x", "shop/", "sh op/x", "shop/a b"] {
            assert!(read(Kind::On, &format!("{pattern:?}")).is_err(), "{pattern}");
        }
        assert!(read(Kind::On, "").is_err());
    }

    #[test]
    fn a_time_zone_belongs_to_a_cron_schedule() {
        let zoned = read(Kind::Cron, "\"0 9 * * MON-FRI\", tz = \"Europe/London\"");
        let (expression, options) = ("0 9 * * MON-FRI".to_owned(), vec![("timezone", "Europe/London".to_owned())]);
        assert_eq!(zoned, Ok(Trigger::Cron { expression, options }));
        assert!(read(Kind::Every, "\"5m\", tz = \"UTC\"").is_err());
        assert!(read(Kind::On, "\"a/b\", tz = \"UTC\"").is_err());
        assert!(read(Kind::Daily, "\"09:00\", tz = \"not a zone\"").is_err());
    }

    #[test]
    fn a_fixed_interval_is_at_least_a_second() {
        assert_eq!(read(Kind::Every, "\"90s\""), Ok(Trigger::Every { millis: 90_000, options: vec![] }));
        assert!(read(Kind::Every, "\"500ms\"").is_err());
    }

    #[test]
    fn rules_belong_to_a_schedule() {
        let every = read(Kind::Every, "\"1h\", overlap = \"allow\", phase = \"5m\"");
        let options = vec![("phase", "5m".to_owned()), ("overlap", "allow".to_owned())];
        assert_eq!(every, Ok(Trigger::Every { millis: 3_600_000, options }));
        let cron = read(Kind::Cron, "\"0 9 13 * FRI\", day_rule = \"and\", tz = \"UTC\"");
        let options = vec![("timezone", "UTC".to_owned()), ("day_rule", "and".to_owned())];
        assert_eq!(cron, Ok(Trigger::Cron { expression: "0 9 13 * FRI".to_owned(), options }));
        assert!(read(Kind::Daily, "\"09:00\", jitter = \"5m\"").is_ok());
        for (kind, arguments, part) in [
            (Kind::On, "\"a/b\", overlap = \"skip\"", "only a schedule has `overlap`"),
            (Kind::Job, "phase = \"5m\"", "only a schedule has `phase`"),
            (Kind::Daily, "\"09:00\", day_rule = \"and\"", "only #[cron(..)] has `day_rule`"),
            (Kind::Every, "\"1h\", day_rule = \"and\"", "only #[cron(..)] has `day_rule`"),
            (Kind::Cron, "\"0 9 * * *\", phase = \"5m\"", "only #[every(..)] has `phase`"),
            (Kind::Every, "\"1h\", phase = \"60m\"", "less than the interval \"1h\""),
        ] {
            let refusal = read(kind, arguments).unwrap_err();
            assert!(refusal.contains(part), "{arguments}: {refusal}");
        }
    }

    #[test]
    fn options_are_checked() {
        for (options, part) in [
            ("timeout = \"2h\"", "at most 1h"),
            ("timeout = 30", "text in quotes"),
            ("attempts = 0", "must be 1 to 100"),
            ("attempts = \"3\"", "without quotes"),
            ("backoff = \"soon\"", "is no duration"),
            ("name = \"Not a name\"", "is no handler name"),
            ("retries = 3", "unknown option `retries`"),
            ("attempts = 3, attempts = 4", "given twice"),
            ("attempts = 3, \"late\"", "values come before"),
            ("minute = 5", "only #[hourly(..)]"),
            ("filter = \"true\"", "only #[on(..)]"),
            ("filter = \" \"", "such as \"data.amount > 1000\""),
            ("filter = true", "text in quotes"),
        ] {
            let refusal = read(Kind::Job, options).unwrap_err();
            assert!(refusal.contains(part), "{options}: {refusal}");
        }
    }
}
