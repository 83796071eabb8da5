//! A schedule's next time is later than now and the first one: from anywhere before it, it is the same. Any text
//! is an expression or is refused, and none takes long. Any expression has words, and not too many.
//!
//! An input is an expression, a time zone and milliseconds since 1970, each on its line.

#![no_main]

use hookbox_core::cron::{CronExpr, DESCRIPTION_CHARS_MAX, DayRule, Zone, kinds};
use hookbox_core::time::Timestamp;
use hookbox_fuzz::{line, pick};
use libfuzzer_sys::fuzz_target;

/// With changes of the clocks by an hour, by half of one, at midnight, by the whole of a day, and by two hours.
const ZONES: [&str; 7] = [
    "UTC",
    "Europe/London",
    "Australia/Lord_Howe",
    "America/Havana",
    "Pacific/Apia",
    "Antarctica/Troll",
    "Africa/Casablanca",
];

/// The beginning, a fold and a gap in London, the missing day in Apia, and when zone data and time itself end.
const INSTANTS: [u64; 6] =
    [0, 1_761_440_400_000, 1_774_746_000_000, 1_325_239_200_000, 4_102_444_799_999, Timestamp::MAX.0];

fuzz_target!(|input: &[u8]| {
    let (text, rest) = line(input);
    let (zone, rest) = line(rest);
    let Ok(text) = str::from_utf8(text) else { return };
    for written in [kinds::daily(text), kinds::weekly(text), kinds::monthly(text)].into_iter().flatten() {
        assert!(CronExpr::parse(&written).is_ok(), "{written}");
    }
    let expr = match CronExpr::parse(text) {
        Ok(expr) => expr,
        Err(error) => return assert!(!error.to_string().contains(char::is_control), "{error}"),
    };
    assert_eq!(CronExpr::parse(expr.as_str()).as_ref(), Ok(&expr));
    let zone: &&str = pick(&ZONES, zone, |known, name| known.as_bytes() == name);
    let zone = Zone::parse(zone).expect("a zone");
    let digits = rest.iter().filter(|byte| byte.is_ascii_digit()).take(14);
    let given = digits.fold(0, |sum: u64, byte| 10 * sum + u64::from(byte - b'0'));
    for expr in [expr.clone().with_day_rule(DayRule::And), expr] {
        let words = expr.describe();
        assert!(!words.is_empty() && words.chars().count() <= DESCRIPTION_CHARS_MAX, "{expr}: {words}");
        for after in INSTANTS.into_iter().chain([given]) {
            check(&expr, &zone, Timestamp(after));
        }
    }
});

fn check(expr: &CronExpr, zone: &Zone, after: Timestamp) {
    let Some(next) = expr.next_after(after, zone) else { return };
    assert!(after < next && next <= Timestamp::MAX, "{expr} in {zone} after {after}: {next}");
    assert_eq!(next.0 % 1000, 0, "{expr} in {zone} after {after}: {next}");
    for between in [after.0 + (next.0 - after.0) / 2, next.0 - 1] {
        let again = expr.next_after(Timestamp(between), zone);
        assert_eq!(again, Some(next), "{expr} in {zone} after {after} and after {}", Timestamp(between));
    }
}
