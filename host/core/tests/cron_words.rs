//! What an expression is in English.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::HashMap;

use hookbox_core::cron::{Calendar, CronExpr, DESCRIPTION_CHARS_MAX, DayRule, Every, Zone, kinds};
use hookbox_core::time::{Millis, Timestamp};
use proptest::prelude::*;

fn words(text: &str) -> String {
    CronExpr::parse(text).unwrap().describe()
}

fn words_of_both(text: &str) -> String {
    CronExpr::parse(text).unwrap().with_day_rule(DayRule::And).describe()
}

fn said(table: &[(&str, &str)]) {
    for (text, wanted) in table {
        assert_eq!(words(text), *wanted, "{text}");
    }
}

#[test]
fn times_of_day_are_told() {
    said(&[
        ("0 9 * * *", "at 09:00, every day"),
        ("0,30 9,17 * * *", "at 09:00, 09:30, 17:00 and 17:30, every day"),
        ("*/15 9 * * *", "at 09:00, 09:15, 09:30 and 09:45, every day"),
        ("0 */6 * * *", "at 00:00, 06:00, 12:00 and 18:00, every day"),
        ("30 9 0 * * *", "at 00:09:30, every day"),
        ("* * * * *", "every minute"),
        ("? ? ? ? ?", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/30 * * * *", "every 30 minutes"),
        ("*/45 * * * *", "at minutes 0 and 45 of every hour"),
        ("*/7 * * * *", "every 7 minutes from minute 0 through 56 of every hour"),
        ("5/15 * * * *", "every 15 minutes from minute 5 through 50 of every hour"),
        ("59/15 * * * *", "every hour at minute 59"),
        ("10-40/10 * * * *", "every 10 minutes from minute 10 through 40 of every hour"),
        ("10-20 * * * *", "every minute from minute 10 through 20 of every hour"),
        ("55-5 * * * *", "at minutes 0 through 5 and 55 through 59 of every hour"),
        ("0 * * * *", "every hour"),
        ("5 * * * *", "every hour at minute 5"),
        ("15 5 * * * *", "every hour at minute 5 and second 15"),
        ("0 9-17 * * *", "every hour from 09:00 through 17:00"),
        ("5 */2 * * *", "every 2 hours from 00:05 through 22:05"),
        ("0 22-4 * * *", "every hour from 00:00 through 04:00 and from 22:00 through 23:00"),
        ("5 1-9,12 * * *", "at minute 5 of hours 1 through 9 and 12"),
        ("*/15 9-17 * * *", "every 15 minutes from 09:00 through 17:45"),
        ("* 22-2 * * *", "every minute from 00:00 through 02:59 and from 22:00 through 23:59"),
        ("* 9 * * *", "every minute from 09:00 through 09:59"),
        ("*/30 */2 * * *", "every 30 minutes of every 2nd hour from 0 through 22"),
        ("5,20,50 8-10 * * *", "at minutes 5, 20 and 50 of hours 8 through 10"),
    ]);
}

#[test]
fn seconds_are_told() {
    said(&[
        ("* * * * * *", "every second"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("30 * * * * *", "at second 30 of every minute"),
        ("5-20 * * * * *", "every second from second 5 through 20 of every minute"),
        ("*/10 * 9-10 * * *", "every 10 seconds from 09:00:00 through 10:59:50"),
        ("*/10 */5 * * * *", "every 10 seconds of every 5th minute from 0 through 55 of every hour"),
        ("*/10 0 9 * * *", "at 09:00:00, 09:00:10, 09:00:20, 09:00:30, 09:00:40 and 09:00:50, every day"),
        ("*/5 0 9 * * *", "every 5 seconds of minute 0 of hour 9"),
        ("30 * 1,5,9,13 * * *", "at second 30 of every minute of every 4th hour from 1 through 13"),
        ("* * */2 * * *", "every second of every 2nd hour from 0 through 22"),
    ]);
}

#[test]
fn days_of_the_month_are_told() {
    said(&[
        ("0 9 13 * *", "at 09:00, on the 13th of the month"),
        ("0 9 1,2,3,22,31 * *", "at 09:00, on the 1st through the 3rd, the 22nd and the 31st of the month"),
        ("0 9 28-2 * *", "at 09:00, on the 1st, the 2nd and the 28th through the 31st of the month"),
        ("0 9 */2 * *", "at 09:00, on every 2nd day from the 1st through the 31st of the month"),
        ("0 9 L * *", "at 09:00, on the last day of the month"),
        ("0 9 LW * *", "at 09:00, on the last weekday of the month"),
        ("0 9 15W * *", "at 09:00, on the weekday nearest to the 15th of the month"),
        ("0 9 1,15W,L * *", "at 09:00, on the 1st, the weekday nearest to the 15th and the last day of the month"),
        ("0 9 1 1 *", "at 09:00, on the 1st of January"),
        ("0 9 1 jan,JUL *", "at 09:00, on the 1st of January and July"),
        ("0 9 L nov-feb *", "at 09:00, on the last day of the month, from November through February"),
        ("0 9 * 6 *", "at 09:00, every day in June"),
        ("0 9 * 1,6-8 *", "at 09:00, every day in January and from June through August"),
        ("*/5 * * */3 *", "every 5 minutes, in January, April, July and October"),
    ]);
}

#[test]
fn days_of_the_week_are_told() {
    said(&[
        ("0 9 * * FRI", "at 09:00, on any Friday"),
        ("0 9 * * 7", "at 09:00, on any Sunday"),
        ("0 9 * * 0,6", "at 09:00, on any Saturday or Sunday"),
        ("0 9 * * mon,wed,fri", "at 09:00, on any Monday, Wednesday or Friday"),
        ("0 9 * * 1-5", "at 09:00, on any day from Monday through Friday"),
        ("0 9 * * fri-mon", "at 09:00, on any day from Friday through Monday"),
        ("0 9 * * 5-7", "at 09:00, on any day from Friday through Sunday"),
        ("0 9 * * */2", "at 09:00, on any Tuesday, Thursday, Saturday or Sunday"),
        ("0 9 * * 5#2", "at 09:00, on the second Friday of the month"),
        ("0 9 * * 5L", "at 09:00, on the last Friday of the month"),
        ("0 9 * * L5", "at 09:00, on the last Friday of the month"),
        ("0 9 * * mon,5#2,0L", "at 09:00, on any Monday, the second Friday or the last Sunday of the month"),
        ("0 9 * 6 fri", "at 09:00, on any Friday in June"),
        ("0 9 * 6 5#5", "at 09:00, on the fifth Friday of June"),
        ("0 9 * 6 mon,5#1", "at 09:00, on any Monday or the first Friday of the month, in June"),
        ("0 9 * 6-8 fri", "at 09:00, on any Friday from June through August"),
        ("*/5 9-17 * * MON-FRI", "every 5 minutes from 09:00 through 17:55, on any day from Monday through Friday"),
    ]);
}

#[test]
fn the_day_rule_is_told_where_it_counts() {
    said(&[
        ("0 9 13 * FRI", "at 09:00, on the 13th of the month or on any Friday"),
        ("0 9 13 6 FRI", "at 09:00, on the 13th of the month or on any Friday, in June"),
        ("0 9 1,L * 5#2,1", "at 09:00, on the 1st and the last day of the month or on any Monday or the second Friday"),
        ("0 0 1-31 * 1", "at 00:00, every day"),
        ("0 0 1 * 0-6", "at 00:00, every day"),
        (
            "0 9 */2 * 1",
            "at 09:00, on every 2nd day from the 1st through the 31st of the month, but only if that is a Monday",
        ),
        (
            "0 9 13 * */2",
            "at 09:00, on the 13th of the month, but only if that is a Tuesday, Thursday, Saturday or Sunday",
        ),
    ]);
    let both = [
        ("0 9 13 * FRI", "at 09:00, on the 13th of the month, but only if that is a Friday"),
        ("0 9 13 6 FRI", "at 09:00, on the 13th of June, but only if that is a Friday"),
        (
            "0 9 1-7 6-8 1-5",
            "at 09:00, on the 1st through the 7th of the month, but only if that is a day from Monday through Friday, from June through August",
        ),
        ("0 9 13 * 5#2", "at 09:00, on the 13th of the month, but only if that is the second Friday"),
        ("0 0 1-31 * 1", "at 00:00, on any Monday"),
        ("0 9 * * FRI", "at 09:00, on any Friday"),
        ("0 9 13 * *", "at 09:00, on the 13th of the month"),
    ];
    for (text, wanted) in both {
        assert_eq!(words_of_both(text), wanted, "{text}");
    }
}

#[test]
fn aliases_and_named_kinds_are_told_as_what_they_stand_for() {
    said(&[
        ("@yearly", "at 00:00, on the 1st of January"),
        ("@annually", "at 00:00, on the 1st of January"),
        ("@monthly", "at 00:00, on the 1st of the month"),
        ("@weekly", "at 00:00, on any Sunday"),
        ("@daily", "at 00:00, every day"),
        ("@midnight", "at 00:00, every day"),
        ("@hourly", "every hour"),
    ]);
    assert_eq!(words(&kinds::weekly("mon 09:00").unwrap()), "at 09:00, on any Monday");
}

#[test]
fn a_long_list_says_how_much_is_left_out() {
    let minutes = "0,2,3,5,7,8,10,12,15,18 * * * *";
    assert_eq!(words(minutes), "at minutes 0, 2, 3, 5, 7, 8, 10 and 3 more of every hour");
    let long = "1,3,8,11,13,18,22,25,41 2,4,9,12,14,19,23,27,39 0,2,5,7,11,13,17,19,23 1W,3W,6W,9W,11W,14W,17W,20W,23W \
                1,2,4,5,7,8,10,11 1#1,2#1,3#2,4#2,5#3,1#3,2#4,3#4,1L,2L";
    let text = words(long);
    assert!(text.len() <= DESCRIPTION_CHARS_MAX && text.contains(" more"), "{text}");
}

#[test]
fn a_calendar_tells_its_zone_too() {
    let zone = Zone::parse("Europe/London").unwrap();
    let cron = Calendar::Cron { expr: CronExpr::parse("0 9 * * FRI").unwrap(), zone };
    assert_eq!(cron.describe(), "at 09:00, on any Friday (Europe/London)");
    let every = Calendar::Every(Every::new(Millis(90_000), Timestamp(0)).unwrap());
    assert_eq!(every.describe(), "every 90s");
}

/// Whatever has the same words fires at the same times.
#[test]
fn words_leave_nothing_out_that_counts() {
    let minutes =
        ["*", "0", "5", "*/15", "*/30", "5/15", "0-14", "5-20/5", "0,30", "*/7", "0,5,20", "55-5", "*/2", "1-58"];
    let hours = ["*", "9", "*/2", "1/2", "9-17", "22-2", "0,12", "1,2,3", "1,5,9,13", "0-3,9,20-22", "*/6"];
    let days = ["*", "1", "*/2", "L", "LW", "15W", "1-7", "1-31", "2,L", "13,15W"];
    let months = ["*", "6", "1,7", "11-2", "6-8", "1,6-8", "*/2"];
    let weekdays = ["*", "5", "1-5", "5-1", "5#2", "L5", "1,5#2", "*/2", "0-6", "sat,sun"];
    let times = minutes.iter().flat_map(|minute| hours.iter().map(move |hour| format!("{minute} {hour} 1 1 *")));
    let dates = days.iter().flat_map(|day| {
        let of_week = move |month: &'static str| weekdays.map(|weekday| format!("0 0 {day} {month} {weekday}"));
        months.into_iter().flat_map(of_week)
    });
    let mut by_words: HashMap<String, (String, Vec<Timestamp>)> = HashMap::new();
    for text in times.chain(dates) {
        for rule in [DayRule::Or, DayRule::And] {
            let expr = CronExpr::parse(&text).unwrap().with_day_rule(rule);
            let calendar = Calendar::Cron { expr: expr.clone(), zone: Zone::default() };
            let fires = calendar.upcoming(Timestamp(1_790_000_000_000), 100);
            let (other, theirs) = by_words.entry(expr.describe()).or_insert_with(|| (text.clone(), fires.clone()));
            assert_eq!(*theirs, fires, "{} is said of {other} and of {text} ({rule:?})", expr.describe());
        }
    }
    assert!(by_words.len() > 500, "{}", by_words.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_expression_has_words_and_not_too_many(
        fields in proptest::collection::vec("([0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}|L|[0-9]W|[0-7]#[1-5]|[0-7]L|\\*)(,([0-9]{1,2}|[0-9]W|[0-7]#[1-5])){0,12}", 5..=6),
        both in any::<bool>(),
    ) {
        if let Ok(expr) = CronExpr::parse(&fields.join(" ")) {
            let expr = expr.with_day_rule(if both { DayRule::And } else { DayRule::Or });
            let text = expr.describe();
            prop_assert!(!text.is_empty() && text.chars().count() <= DESCRIPTION_CHARS_MAX, "{expr}: {text}");
        }
    }

    #[test]
    fn the_longest_lists_have_words_too(
        seconds in list(0..60), minutes in list(0..60), hours in list(0..24), days in list(1..32), months in list(1..13), weeks in list(0..35),
    ) {
        let weeks: Vec<String> = weeks.iter().map(|nth| format!("{}#{}", nth % 7, nth / 7 + 1)).collect();
        let join = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let fields = [join(&seconds), join(&minutes), join(&hours), join(&days), join(&months), weeks.join(",")];
        for rule in [DayRule::Or, DayRule::And] {
            if let Ok(expr) = CronExpr::parse(&fields.join(" ")) {
                let text = expr.with_day_rule(rule).describe();
                prop_assert!(!text.is_empty() && text.chars().count() <= DESCRIPTION_CHARS_MAX, "{fields:?}: {text}");
            }
        }
    }
}

fn list(numbers: std::ops::Range<u32>) -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(numbers, 1..20)
}
