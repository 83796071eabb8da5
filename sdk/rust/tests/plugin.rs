//! A plugin of one file, run by the host in memory.

use std::time::Duration;

use hookbox_sdk::testing::{self, Level, Trigger, When};
use hookbox_sdk::{
    Context, Error, Event, Job, Json, Outcome, Result, config, cron, error, every, hourly, http, info, job, json, kv,
    log, on, queue, weekly,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    id: u32,
    currency: String,
}

/// Books an order.
///
/// At length.
#[on("shop/order.*", "*/order", timeout = "5s", attempts = 8, backoff = "2s")]
fn book(Json(order): Json<Order>, event: &Event, context: &Context) -> Result<Json<u32>> {
    kv::add("orders", 1)?;
    kv::set("last", &event.id)?;
    queue::job("ship").json(&order)?.unique(format!("ship-{}", order.id)).enqueue()?;
    queue::event("order.booked").subject(order.id.to_string()).json(&order)?.emit()?;
    info!(order = order.id, attempt = context.attempt, "booked {}", order.currency);
    match order.currency.as_str() {
        "EUR" => Ok(Json(order.id)),
        "" => Err(Error::permanent("no currency")),
        _ => Err(Error::retry_after("no rate", Duration::from_secs(60))),
    }
}

#[job]
fn ship(Json(order): Json<Order>, job: Job) -> Result<Outcome> {
    kv::set_json(&format!("shipped/{}", order.id), &job.id)?;
    Ok(Outcome::skipped("nothing to carry"))
}

#[weekly("MON 09:00", tz = "Europe/London", description = "Counts.")]
fn count() -> Result {
    kv::add("last", 1)?;
    Ok(())
}

#[every("90s", name = "tick_tock")]
fn tick() -> Result {
    config::required("channel")?;
    config::required_secret("token")?;
    Ok(())
}

#[cron("*/5 * * * *")]
fn flood() -> Result {
    for _ in 0..101 {
        queue::event("drop").emit()?;
    }
    Ok(())
}

#[hourly]
fn again() -> Result {
    queue::job("again").run_at(testing::now() + Duration::from_secs(60)).unique("again").enqueue()?;
    Ok(())
}

fn order(currency: &str) -> Event {
    testing::event("shop/order.paid", &json!({ "id": 7, "currency": currency }))
}

#[test]
fn a_handler_that_completes_leaves_its_effects_and_its_result() {
    let outcome = testing::send("book", order("EUR")).unwrap();
    assert_eq!(outcome, Outcome::json(&7).unwrap());
    assert_eq!(testing::kv_text("orders").unwrap(), "1");
    assert_eq!(testing::jobs()[0].unique_key.as_deref(), Some("ship-7"));
    assert_eq!(
        (testing::events()[0].type_.as_str(), testing::events()[0].subject.as_deref()),
        ("order.booked", Some("7"))
    );
    let line = &testing::logs()[0];
    assert_eq!((line.level, line.message.as_str()), (Level::Info, "booked EUR"));
    assert_eq!(line.fields, [("order".to_owned(), "7".to_owned()), ("attempt".to_owned(), "1".to_owned())]);
}

#[test]
fn a_handler_that_fails_leaves_its_log_only() {
    testing::send("book", order("EUR")).unwrap();
    let before = testing::kv("last");
    let error = testing::send("book", order("GBP")).unwrap_err();
    assert_eq!(error, Error::retry_after("no rate", Duration::from_secs(60)));
    assert_eq!(testing::send("book", order("")), Err(Error::permanent("no currency")));
    assert_eq!((testing::kv("last"), testing::kv_text("orders").unwrap().as_str()), (before, "1"));
    assert_eq!((testing::jobs().len(), testing::events().len(), testing::logs().len()), (1, 1, 3));
}

#[test]
fn a_payload_that_does_not_fit_fails_for_good() {
    let event = testing::event("shop/order.paid", &json!({ "id": "seven" }));
    let error = testing::send("book", event).unwrap_err();
    assert!(error.is_permanent() && error.message().contains("at `id`"), "{error}");
}

#[test]
fn an_enqueued_job_runs_once_and_a_unique_one_waits_once() {
    testing::send("book", order("EUR")).unwrap();
    testing::send("book", order("EUR")).unwrap();
    assert_eq!(testing::jobs().len(), 1);
    assert_eq!(testing::run_next(), Some(Ok(Outcome::skipped("nothing to carry"))));
    assert_eq!(testing::run_next(), None);
    assert!(testing::kv_text("shipped/7").unwrap().starts_with("\"job-"));
}

#[test]
fn a_unique_job_is_not_made_while_it_runs() {
    testing::run("again", testing::empty_job()).unwrap();
    assert_eq!(testing::run_next(), None);
    testing::advance(Duration::from_secs(60));
    assert_eq!(testing::run_next(), Some(Ok(Outcome::completed())));
    assert!(testing::jobs().is_empty());
}

#[test]
fn adding_to_what_is_no_number_fails_at_the_commit() {
    testing::set_kv("last", "text");
    assert!(testing::run("count", testing::empty_job()).unwrap_err().is_permanent());
    testing::set_kv("last", "41");
    testing::run("count", testing::empty_job()).unwrap();
    assert_eq!(testing::kv_text("last").unwrap(), "42");
}

#[test]
fn settings_that_are_missing_are_asked_for() {
    let run = || testing::run("tick_tock", testing::empty_job());
    assert!(run().unwrap_err().message().contains("no setting `channel`"));
    testing::set_config("channel", "#dev");
    assert!(run().unwrap_err().message().contains("no secret `token`"));
    testing::set_secret("token", "t");
    assert_eq!(run(), Ok(Outcome::completed()));
}

#[test]
fn a_flood_of_events_is_stopped() {
    let error = testing::run("flood", testing::empty_job()).unwrap_err();
    assert!(!error.is_permanent() && error.message().contains("more than 100"), "{error}");
    assert!(testing::events().is_empty());
}

#[test]
fn a_handler_is_run_for_what_it_declared() {
    assert!(testing::run("book", testing::empty_job()).unwrap_err().is_permanent());
    assert!(testing::send("ship", order("EUR")).unwrap_err().is_permanent());
    assert!(testing::send("nobody", order("EUR")).unwrap_err().is_permanent());
    assert_eq!(testing::handlers_for(&order("EUR")), ["book"]);
    assert_eq!(testing::handlers_for(&testing::event("forge/order", &())), ["book"]);
    assert!(testing::handlers_for(&testing::event("forge/order.paid", &())).is_empty());
}

#[test]
fn a_handler_is_described_as_its_attribute_says() {
    let info = testing::describe();
    assert_eq!((info.name, info.handlers.len()), ("hookbox-sdk", 6));
    let book = info.handler("book").unwrap();
    assert_eq!(book.trigger, Trigger::Events(&["shop/order.*", "*/order"]));
    let options = [("timeout", "5s"), ("attempts", "8"), ("backoff", "2s"), ("description", "Books an order.")];
    assert_eq!(book.options, options);
    assert_eq!(testing::context("book").max_attempts, 8);
    let Trigger::Schedule(weekly) = info.handler("count").unwrap().trigger else { panic!("no schedule") };
    assert_eq!((weekly.when, weekly.options), (When::Cron("0 9 * * MON"), &[("timezone", "Europe/London")][..]));
    assert_eq!(info.handler("count").unwrap().option("description"), Some("Counts."));
    let Trigger::Schedule(tick) = info.handler("tick_tock").unwrap().trigger else { panic!("no schedule") };
    assert_eq!(tick.when, When::Every(Duration::from_secs(90)));
    assert_eq!(info.handler("ship").unwrap().trigger, Trigger::Manual);
}

#[test]
fn the_store_keeps_its_limits() {
    assert!(matches!(kv::get(""), Err(kv::Error::LimitExceeded(_))));
    assert!(matches!(kv::get(&"k".repeat(129)), Err(kv::Error::LimitExceeded(_))));
    assert!(matches!(kv::set("k", vec![0; 65_537]), Err(kv::Error::LimitExceeded(_))));
    kv::set(&"k".repeat(128), vec![0; 65_536]).unwrap();
    let fill = (0..300).try_for_each(|n| kv::set(&n.to_string(), vec![0; 65_536]));
    assert!(matches!(fill, Err(kv::Error::LimitExceeded(_))));
}

#[test]
fn the_store_reads_what_was_written() {
    assert_eq!(kv::increment("n", 5), Ok(5));
    assert_eq!((kv::increment("n", -2), kv::number("n"), kv::number("none")), (Ok(3), Ok(3), Ok(0)));
    kv::set("text", "x").unwrap();
    assert_eq!((kv::increment("text", 1), kv::number("text")), (Err(kv::Error::WrongType), Err(kv::Error::WrongType)));
    assert!(matches!(kv::get_json::<u8>("text"), Err(kv::Error::Json(_))));
    kv::set_json("json", &[1, 2]).unwrap();
    assert_eq!(kv::get_json::<Vec<u8>>("json"), Ok(Some(vec![1, 2])));
    assert_eq!((kv::delete("json"), kv::delete("json")), (Ok(true), Ok(false)));
}

#[test]
fn a_swap_happens_only_where_the_value_is_expected() {
    assert_eq!(kv::compare_and_swap("k", Some(b"a"), Some(b"b")), Ok(false));
    assert_eq!(kv::compare_and_swap("k", None, Some(b"a")), Ok(true));
    assert_eq!(kv::compare_and_swap("k", None, Some(b"b")), Ok(false));
    assert_eq!(kv::compare_and_swap("k", Some(b"a"), None), Ok(true));
    assert_eq!(kv::get("k"), Ok(None));
}

#[test]
fn a_key_vanishes_when_its_time_is_over() {
    kv::set_with_ttl("k", "1", Duration::from_secs(10)).unwrap();
    kv::add("k", 1).unwrap();
    testing::advance(Duration::from_secs(9));
    assert_eq!(kv::get("k"), Ok(Some(b"2".to_vec())));
    testing::advance(Duration::from_secs(1));
    assert_eq!((kv::get("k"), kv::list("")), (Ok(None), Ok(vec![])));
}

#[test]
fn lists_go_over_all_pages() {
    (0..2500).for_each(|n| kv::set(&format!("a/{n:04}"), "").unwrap());
    kv::set("b", "").unwrap();
    assert_eq!(kv::list_page("a/", None).unwrap().keys.len(), 1000);
    let all = kv::list("a/").unwrap();
    assert_eq!((all.len(), all.is_sorted(), all.last().unwrap().as_str()), (2500, true, "a/2499"));
}

#[test]
fn what_is_not_granted_is_not_emitted() {
    assert!(matches!(queue::event("digest/ready").emit(), Err(queue::Error::LimitExceeded(_))));
    testing::grant_emit("digest/*");
    queue::event("digest/ready").emit().unwrap();
    assert_eq!(queue::job("book").enqueue(), Err(queue::Error::UnknownHandler));
    assert!(queue::job("ship").payload("text/plain", vec![b'x'; 262_145]).enqueue().is_err());
}

#[test]
fn a_job_for_another_plugin_is_made_where_it_is_granted() {
    assert!(matches!(queue::job("reports/nightly").enqueue(), Err(queue::Error::LimitExceeded(_))));
    testing::grant_enqueue("reports/*");
    queue::job("reports/nightly").enqueue().unwrap();
    assert_eq!(testing::jobs()[0].handler, "reports/nightly");
    assert!(testing::run_next().is_none(), "no other plugin is here to run it");
}

#[test]
fn servers_answer_as_they_are_told_to() {
    let denied = http::get("https://a.example/").send();
    assert!(matches!(denied, Err(http::Error::Denied(_))), "{denied:?}");
    testing::answer("GET https://a.example/", 200, "any");
    testing::answer("GET https://a.example/v1", 503, "later");
    assert_eq!(http::get("https://a.example/").send().unwrap().text(), "any");
    let late = http::get("https://a.example/v1/x").header("x-a", "b").send().unwrap().ok();
    assert!(matches!(late, Err(http::Error::Status { status: 503, .. })), "{late:?}");
    testing::answer_with("POST https://a.example/", Err(http::Error::TimedOut));
    assert_eq!(http::post("https://a.example/").json(&1).unwrap().send(), Err(http::Error::TimedOut));
    let sent = testing::requests();
    assert_eq!((sent.len(), sent[2].header("X-A"), sent[3].json::<u8>()), (4, Some("b"), Ok(1)));
}

#[test]
fn lines_are_logged_with_and_without_fields() {
    let reason = "late";
    error!("{reason}");
    log::warn("plain");
    let lines = testing::logs();
    assert_eq!((lines[0].level, lines[0].message.as_str()), (Level::Error, "late"));
    assert_eq!((lines[1].level, lines[1].fields.len()), (Level::Warn, 0));
    testing::reset();
    assert!(testing::logs().is_empty());
}
