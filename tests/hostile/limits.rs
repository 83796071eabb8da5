//! Which guests prove which limit. The keys are those of `plugins.NAME.limits` in hooks.yaml, `grants.kv`, `engine.stack`
//! and, in words, what cannot be set.
//!
//! | limit | guests |
//! |---|---|
//! | `timeout` | `sleeps-in-handler`, `polls-what-is-never-ready`, `loops-in-handler-of-little-time` |
//! | `cpu` | `loops-in-handler`, `loops-in-realloc`, `loops-in-post-return`, `draws-random-numbers-without-end` |
//! | `memory` | `grows-until-it-breaks`, `grows-three-memories-in-turn`, `writes-to-all-of-its-memory` |
//! | `table_elements` | `grows-a-table-until-it-breaks`, `has-more-in-five-tables-than-it-may-have` |
//! | `instances` | `is-made-of-more-instances-than-it-may-be`, `is-made-of-a-hundred-instances` |
//! | `log` | `logs-sixty-megabytes`, `logs-more-than-the-little-it-may`, `prints-to-standard-error-without-end` |
//! | `result` | `returns-more-than-a-result-may-have`, `returns-more-than-the-little-it-may` |
//! | `queue_items` | `enqueues-jobs-without-end`, `enqueues-more-than-the-few-it-may` |
//! | `queue_data` | `enqueues-a-quarter-of-a-megabyte-each-time`, `emits-more-data-than-the-little-it-may` |
//! | `kv_data` | `reads-more-than-it-may`, `lists-more-than-it-may`, `writes-more-than-it-may` |
//! | `call` | `passes-one-text-thousands-of-times`, `passes-more-than-the-little-it-may` |
//! | `calls` | `calls-the-host-without-end` |
//! | `resources` | `opens-streams-without-end`, `opens-more-streams-than-the-few-it-may`, `makes-large-requests-without-end` |
//! | `random` | `wants-a-gigabyte-of-random-numbers`, `wants-a-few-more-random-numbers-than-it-may` |
//! | `requests` | `sends-without-end`, `may-send-no-request-at-all` |
//! | `requests_at_once` | `sends-more-at-one-time-than-it-may`, `keeps-answers-that-it-does-not-read` |
//! | `responses` | `reads-an-answer-without-end`, `reads-more-than-the-little-it-may` |
//! | `grants.kv` | `fills-the-little-that-it-was-granted`, `fills-its-bucket-with-large-values` |
//! | `engine.stack` | `recurses-in-handler`, `recurses-in-describe`, `recurses-in-start` |
//! | memories, tables | `has-five-memories`, `has-seventeen-tables` |
//! | `describe()` | `loops`, `waits`, `loops-in-start` |

use std::collections::BTreeSet;

use crate::attacks;
use crate::guest::Guest;

const README: &str = include_str!("../../README.md");
const MANUAL: &str = include_str!("../../hooks.yaml");

/// Keys that the manual has below `limits` of a plugin, and those of limits that stand elsewhere.
fn keys() -> BTreeSet<&'static str> {
    let plugins = MANUAL.split("\nplugins:\n").nth(1).unwrap();
    let limits = plugins.split("    # limits:\n").nth(1).unwrap().split("    # grants:\n").next().unwrap();
    let of_line = |line: &'static str| line.strip_prefix("    #   ")?.split_once(": ").map(|(key, _)| key);
    let keys =
        limits.lines().filter_map(of_line).filter(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    keys.chain(["grants.kv", "engine.stack"]).collect()
}

/// The key that a row is about, if there is one, and the guests in its last cell.
fn row(line: &str) -> (Option<&str>, Vec<&str>) {
    let line = line.trim_end().trim_end_matches(" |");
    let (limit, guests) = line.rsplit_once(" | ").unwrap();
    (limit.split('`').nth(1), guests.split('`').skip(1).step_by(2).collect())
}

fn assert_each_limit_has_its_guests<'t>(rows: impl Iterator<Item = &'t str>) {
    let all: Vec<Guest> = attacks::all();
    let mut proven = BTreeSet::new();
    for (key, guests) in rows.map(row) {
        assert!(!guests.is_empty(), "{key:?} is proven by nothing");
        for name in guests {
            assert!(all.iter().any(|guest| guest.name == name), "{name} is no guest, but proves {key:?}");
        }
        proven.extend(key);
    }
    let missing: Vec<&str> = keys().into_iter().filter(|key| !proven.contains(key)).collect();
    assert!(missing.is_empty(), "no guest proves {missing:?}: name one in the table");
}

#[test]
fn each_limit_has_its_guests_in_the_table_above() {
    assert!(keys().len() >= 19, "{:?}", keys());
    let rows = include_str!("limits.rs").lines().filter_map(|line| line.strip_prefix("//! "));
    assert_each_limit_has_its_guests(rows.filter(|line| line.starts_with("| ") && !line.starts_with("| limit")));
}

#[test]
fn each_limit_has_its_guests_in_the_readme() {
    let section = README.split("### What stops a plugin").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| limit"));
    assert_each_limit_has_its_guests(rows);
}
