//! Sums up on every weekday morning what happened since the last time.
//!
//! A plugin's store is its own, so this one listens to what the others emit,
//! counts it, and emits `digest.ready` with the summary.

use std::collections::BTreeMap;

use hookbox_sdk::{Event, Outcome, Result, cron, info, kv, on, queue};
use serde::{Deserialize, Serialize};

/// What counters are called: `count/github-notify/pushed`.
const COUNTERS: &str = "count/";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Digest {
    text: String,
    total: i64,
    /// By sender and type, such as `shop/user.created`.
    counts: BTreeMap<String, i64>,
}

/// Counts what happens.
#[on("github-notify/*", "payments/*", "shop/user.created", timeout = "5s")]
fn collect(event: &Event) -> Result {
    let sender = event.source.rsplit('/').next().unwrap_or(&event.source);
    kv::add(&format!("{COUNTERS}{sender}/{}", event.type_), 1)?;
    Ok(())
}

/// Sums up what was counted.
// An event that is counted while this runs changes what was read: then the attempt
// is repeated, and no event is lost between reading a counter and deleting it.
#[cron("0 9 * * MON-FRI", tz = "Europe/London", attempts = 8)]
fn digest() -> Result<Outcome> {
    let mut counts = BTreeMap::new();
    for key in kv::list(COUNTERS)? {
        let count = kv::number(&key)?;
        kv::delete(&key)?;
        counts.insert(key.strip_prefix(COUNTERS).unwrap_or(&key).to_owned(), count);
    }
    if counts.is_empty() {
        return Ok(Outcome::skipped("nothing happened"));
    }
    let lines: Vec<_> = counts.iter().map(|(what, &count)| line(what, count)).collect();
    let digest = Digest { text: lines.join(", "), total: counts.values().sum(), counts };
    queue::event("digest.ready").json(&digest)?.emit()?;
    info!("summed up {} events", digest.total);
    Ok(Outcome::json(&digest)?)
}

fn line(what: &str, count: i64) -> String {
    let noun = match what {
        "github-notify/pushed" => "push|es",
        "github-notify/pull-request" => "pull request|s",
        "payments/payment.booked" => "payment|s",
        "shop/user.created" => "new user|s",
        other => return format!("{count} x {other}"),
    };
    let (one, ending) = noun.split_once('|').unwrap_or((noun, ""));
    format!("{count} {one}{}", if count == 1 { "" } else { ending })
}

#[cfg(test)]
mod tests {
    use hookbox_sdk::{json, testing};

    use super::*;

    fn collect(name: &str, times: usize) {
        let mut event = testing::event(name, &json!({}));
        if !name.starts_with("shop/") {
            event.source = event.source.replace("provider/", "plugin/");
        }
        for _ in 0..times {
            assert_eq!(testing::handlers_for(&event), ["collect"], "{name}");
            testing::send("collect", &event).unwrap();
        }
    }

    fn emitted() -> Digest {
        testing::events()[0].json().unwrap()
    }

    #[test]
    fn what_happened_is_summed_up_and_the_count_begins_again() {
        collect("github-notify/pushed", 3);
        collect("github-notify/pull-request", 1);
        collect("payments/payment.booked", 2);
        collect("payments/refund.booked", 1);
        collect("shop/user.created", 1);
        testing::run("digest", testing::empty_job()).unwrap();
        let digest = emitted();
        assert_eq!(digest.text, "1 pull request, 3 pushes, 2 payments, 1 x payments/refund.booked, 1 new user");
        assert_eq!((digest.total, digest.counts["github-notify/pushed"]), (8, 3));
        assert_eq!(testing::events()[0].type_, "digest.ready");
        assert!(testing::kv_keys().is_empty());
    }

    #[test]
    fn a_quiet_day_has_no_digest() {
        let outcome = testing::run("digest", testing::empty_job());
        assert_eq!(outcome, Ok(Outcome::skipped("nothing happened")));
        assert!(testing::events().is_empty());
    }

    #[test]
    fn a_digest_that_fails_keeps_the_counts() {
        collect("shop/user.created", 1);
        testing::set_kv("count/x/y", "no number");
        assert!(testing::run("digest", testing::empty_job()).is_err());
        assert_eq!(testing::kv_text("count/shop/user.created").unwrap(), "1");
    }

    #[test]
    fn it_runs_on_weekdays_at_nine_in_london() {
        let plugin = testing::describe();
        let testing::Trigger::Schedule(schedule) = plugin.handler("digest").unwrap().trigger else { panic!() };
        assert_eq!(schedule.when, testing::When::Cron("0 9 * * MON-FRI"));
        assert_eq!(schedule.options, [("timezone", "Europe/London")]);
    }

    #[test]
    fn its_own_digest_is_not_collected() {
        let event = testing::event("daily-digest/digest.ready", &json!({}));
        assert!(testing::handlers_for(&event).is_empty());
    }
}
