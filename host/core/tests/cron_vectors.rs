//! Every vector of tests/fixtures/cron.json: an expression, a zone, a time and the five times after it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::path::Path;

use chrono::DateTime;
use hookbox_core::cron::{CronExpr, Zone};
use hookbox_core::time::Timestamp;
use serde_json::Value;

const VECTORS: usize = 208;

fn instant(text: &str) -> Timestamp {
    Timestamp::from_utc(DateTime::parse_from_rfc3339(text).unwrap().to_utc())
}

/// `Err` says what is wrong with the vector or with us.
fn check(vector: &Value) -> Result<(), String> {
    let text = |key: &str| vector[key].as_str().unwrap();
    let (expr, zone, from) = (CronExpr::parse(text("expr")), Zone::parse(text("tz")).unwrap(), instant(text("from")));
    let Some(expected) = vector["expected"].as_array() else {
        let never = matches!(&expr, Ok(expr) if text("cat") == "never" && expr.next_after(from, &zone).is_none());
        return if never || expr.is_err() { Ok(()) } else { Err("must be refused".to_owned()) };
    };
    let expr = expr.map_err(|error| error.to_string())?;
    assert_eq!(expected.len(), 5);
    let mut last = from;
    for wanted in expected {
        let wanted = instant(wanted.as_str().unwrap());
        let next = expr.next_after(last, &zone).ok_or_else(|| format!("nothing after {last}, wanted {wanted}"))?;
        if next != wanted {
            return Err(format!("after {last} comes {next}, wanted {wanted}"));
        }
        last = next;
    }
    Ok(())
}

#[test]
fn every_vector_gives_its_times_or_is_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/cron.json");
    let vectors: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let failures: Vec<String> = vectors
        .iter()
        .filter_map(|vector| check(vector).err().map(|why| format!("{} {}: {why}", vector["id"], vector["expr"])))
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), vectors.len(), failures.join("\n"));
    assert_eq!(vectors.len(), VECTORS);
}
