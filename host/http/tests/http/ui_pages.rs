//! What single pages say, and what their forms would send.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookbox_core::attempt::{Cost, Executed, Outcome};
use hookbox_core::clock::{Clock, Monotonic};
use hookbox_core::retry::DeadCause;
use hookbox_core::run::RunEvent;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_http::operator::Access;
use serde_json::{Value, json};

use crate::harness::{Host, NOW, OPERATOR, ask, random, shop};
use crate::operator::{attempt, claim, end, host, target, welcome};

/// What stands behind an attribute, as a browser reads it.
fn attribute<'p>(page: &'p str, name: &str) -> Vec<String> {
    let start = format!(" {name}=\"");
    let values = page.split(start.as_str()).skip(1).filter_map(|rest: &'p str| rest.split('"').next());
    let plain =
        |text: &str| text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    values.map(plain).collect()
}

async fn bury(host: &Host, message: &str) -> String {
    let run = claim(host).await;
    let attempt = attempt(&run, Outcome::Permanent { message: message.to_owned() });
    end(host, &run, RunEvent::FailedForGood { attempt, cause: DeadCause::Permanent }).await;
    run.id.to_string()
}

#[tokio::test]
async fn runs_are_found_by_what_they_say_and_by_what_they_do_not() {
    let (host, _) = host().await;
    host.deliver(shop(r#"{"type":"user.created","event_id":"e-2","name":"Ada"}"#)).await;
    let (first, second) = (bury(&host, "no such user").await, bury(&host, "the mailbox is full").await);
    for (query, found, not) in [
        ("error=MAILBOX", &second, &first),
        ("not_error=mailbox", &first, &second),
        ("payload=ada", &second, &first),
        ("not_payload=ada&state=dead", &first, &second),
        ("provider=my-shop&error=no+such&version=", &first, &second),
    ] {
        let page = host.get(&format!("/runs?{query}")).await.body;
        assert!(page.contains(found.as_str()) && !page.contains(not.as_str()), "{query}: {page}");
        let api = host.get(&format!("/api/v1/runs?{}", query.trim_end_matches("&version="))).await.json();
        assert_eq!(api["items"].as_array().map(Vec::len), Some(1), "{query}: {api:#}");
    }
    let page = host.get("/runs?provider=nobody").await.body;
    assert!(page.contains("No run fits.") && page.contains("Count all that fit"), "{page}");
    let page = host.get("/runs?error=user&count=true").await.body;
    assert!(page.contains("<b>1</b> runs fit"), "{page}");
    let page = host.get("/runs").await.body;
    assert!(page.contains("<b>2</b> runs:") && page.contains("2 dead"), "{page}");
    // What a button would do is what the page shows.
    let page = host.get("/runs?state=dead&not_error=mailbox").await.body;
    let filter: Value = serde_json::from_str(&attribute(&page, "data-filter")[0]).unwrap();
    assert_eq!(filter, json!({ "state": "dead", "not_error": "mailbox" }));
    let counted = host.write("POST", "/api/v1/runs/replay", json!({ "filter": filter, "dry_run": true })).await.json();
    assert_eq!(counted["matched"], 1);
}

/// A clock by which each look takes long.
struct Slow(AtomicU64);

impl Clock for Slow {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.0.fetch_add(60, Ordering::Relaxed))
    }
}

#[tokio::test]
async fn a_page_that_ran_out_of_time_says_how_far_it_came_and_goes_on_there() {
    let (host, _) = host().await;
    let wanted = bury(&host, "the needle").await;
    for number in 0..60 {
        host.clock.advance(Millis::SECOND);
        let padding = "x".repeat(100_000);
        host.deliver(shop(&format!(r#"{{"type":"user.created","event_id":"more-{number}","pad":"{padding}"}}"#))).await;
    }
    let router = host
        .operator_by(Access::new(OPERATOR.parse().unwrap(), &[], None, random()), Arc::new(Slow(AtomicU64::new(0))));
    let get = async |path: &str| {
        let request = Request::get(path).header("host", OPERATOR).body(Body::empty()).unwrap();
        ask(router.clone(), request).await.body
    };
    let (mut path, mut pages) = ("/runs?payload=%22e-1%22".to_owned(), 0);
    let last = loop {
        let page = get(&path).await;
        pages += 1;
        if !page.contains("Search further") {
            break page;
        }
        assert!(page.contains("No run fits among those that were looked through"), "{page}");
        path = attribute(&page, "href").into_iter().find(|href| href.contains("cursor=")).unwrap();
    };
    assert!(pages > 1 && last.contains(&wanted), "{pages} pages: {last}");
    let counted = get("/runs?not_payload=nothing-like-it&count=true").await;
    assert!(counted.contains("At least") && counted.contains("older ones were not counted"), "{counted}");
}

#[tokio::test]
async fn a_search_is_kept_under_its_name_until_it_is_dropped() {
    let (host, _) = host().await;
    let path = "/api/v1/searches/failed%20%3Cpayments%3E";
    let kept = host.write("PUT", path, json!({ "query": "state=dead&not_error=timeout" })).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.body);
    let page = host.get("/runs").await.body;
    assert!(page.contains("href=\"/runs?state=dead&amp;not_error=timeout\""), "{page}");
    assert!(page.contains(">failed &lt;payments&gt;</a>"), "{page}");
    assert!(attribute(&page, "data-send").contains(&path.to_owned()), "{page}");
    let listed = host.get("/api/v1/searches").await.json();
    let kept = json!({ "name": "failed <payments>", "query": "state=dead&not_error=timeout" });
    assert_eq!(listed["items"], json!([kept]));
    for (path, query, cure) in [
        (path, "state=red", "must be one of pending"),
        (path, "colour=red", "known: state"),
        ("/api/v1/searches/%20", "state=dead", "1 to 64 bytes"),
        (path, "state=dead\n", "as in an address"),
    ] {
        let refused = host.write("PUT", path, json!({ "query": query })).await;
        assert!(refused.status.is_client_error() && refused.body.contains(cure), "{query:?}: {}", refused.body);
    }
    assert_eq!(host.write("DELETE", path, json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.write("DELETE", path, json!({})).await.status, StatusCode::NOT_FOUND);
    assert!(!host.get("/runs").await.body.contains("payments"));
}

#[tokio::test]
async fn the_overview_draws_how_it_went_and_says_what_is_not_healthy() {
    let (host, _) = host().await;
    host.look().await;
    host.clock.advance(Millis::MINUTE);
    for number in 0..60 {
        host.deliver(shop(&format!(r#"{{"type":"user.created","event_id":"more-{number}"}}"#))).await;
    }
    for number in 0..20 {
        let cost = Cost { wall_us: 3000, ..Cost::default() };
        let outcome = if number < 15 { Outcome::Lost } else { Outcome::Completed { output: None } };
        let executed = Executed { cost, ..Executed::bare(outcome) };
        host.spending.add(&target("welcome", "on-user"), &executed);
    }
    host.look().await;
    host.clock.advance(Millis(30_000));
    let page = host.get("/").await.body;
    for said in [
        "Not healthy:",
        "75% of the latest attempts failed",
        "a run that could begin waits since 90 s",
        "aria-label=\"Throughput, an hour: events is 0.7/s",
        "aria-label=\"Duration of attempts, an hour: 99 of 100 within is 5.0 ms",
        "aria-label=\"Attempts that failed, an hour: failed is 75%",
        "<path class=\"bars s0\" d=\"M",
    ] {
        assert!(page.contains(said), "{said:?} is missing: {page}");
    }
    let held = host.write("PUT", "/api/v1/holds/welcome", json!({})).await;
    assert!(held.status.is_success(), "{}", held.body);
    let page = host.get("/").await.body;
    assert!(!page.contains("a run that could begin") && page.contains("held targets, whose runs wait: 1"), "{page}");
    let page = host.get("/?span=24h").await.body;
    assert!(page.contains("How it went over a day"), "{page}");
    let page = host.get("/plugins/welcome").await.body;
    assert!(page.contains("3.0 ms") && !page.contains("None of its handlers"), "{page}");
}

#[tokio::test]
async fn a_schedule_is_previewed_in_words_and_dates_and_saved_as_it_was_shown() {
    let (host, _) = host().await;
    let page = host.get("/new-schedule?name=weekdays&target=welcome%2Frepair&kind=cron&when=0+8+*+*+mon-fri&timezone=Europe%2FLondon&jitter=5s&payload=%7B%22full%22%3Atrue%7D").await.body;
    assert!(page.contains("Monday") && page.contains("2025-06-26T08:00:00+01:00"), "{page}");
    assert_eq!(page.matches("<li>").count(), 10, "ten slots: {page}");
    let [sent] = &attribute(&page, "data-body")[..] else { panic!("no button: {page}") };
    let sent: Value = serde_json::from_str(sent).unwrap();
    let path = "/api/v1/schedules/weekdays";
    assert!(attribute(&page, "data-send").contains(&path.to_owned()), "{page}");
    let made = host.write("PUT", path, sent.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(attribute(&page, "data-over"), [""], "it is made where there is none of its name");
    // Changing nothing sends the same again, over what was seen.
    let page = host.get("/new-schedule?edit=weekdays").await.body;
    let again: Value = serde_json::from_str(&attribute(&page, "data-body")[0]).unwrap();
    assert_eq!(again, sent);
    let tag = host.get(path).await.header("etag").to_owned();
    assert_eq!(attribute(&page, "data-over"), std::slice::from_ref(&tag));
    let fields = "name=weekdays&target=welcome%2Frepair&kind=hourly&when=30";
    let page = host.get(&format!("/new-schedule?{fields}")).await.body;
    assert!(page.contains("already") && page.contains("Replace it"), "{page}");
    assert_eq!(attribute(&page, "data-over"), std::slice::from_ref(&tag));
    // Somebody else was faster.
    let other = json!({ "plugin": "welcome", "handler": "repair", "hourly": 15 });
    assert_eq!(host.write("PUT", path, other).await.status, StatusCode::OK);
    let seen: String = form_urlencoded::byte_serialize(tag.as_bytes()).collect();
    let page = host.get(&format!("/new-schedule?{fields}&seen={seen}")).await.body;
    assert!(page.contains("Somebody has changed"), "{page}");
    assert_eq!(attribute(&page, "data-over"), [tag], "and is not overwritten");
    let page = host.get("/schedules/weekdays").await.body;
    assert!(page.contains("edit=weekdays") && page.contains("Remove"), "{page}");
    let page = host.get("/schedules/nightly").await.body;
    assert!(page.contains("changed there") && !page.contains("edit=nightly"), "{page}");
}

#[tokio::test]
async fn what_is_wrong_with_a_schedule_is_said_and_cannot_be_saved() {
    let (host, _) = host().await;
    for (query, cure) in [
        ("name=x&target=welcome/repair&kind=cron&when=61+*+*+*+*", "cron"),
        ("name=x&target=welcome/repair&kind=every&when=0s", "every"),
        ("name=x&target=welcome/on-user&kind=daily&when=09:00", "takes events"),
        ("name=nightly&target=welcome/repair&kind=daily&when=09:00", "hooks.yaml"),
        ("name=No+Name&target=welcome/repair&kind=daily&when=09:00", "name:"),
        ("name=x&target=welcome/repair&kind=daily&when=09:00&payload=no", "must be JSON"),
        ("name=x&target=welcome/repair&kind=daily&when=09:00&overlap=queue", "buffer-one"),
    ] {
        let page = host.get(&format!("/new-schedule?{query}")).await.body;
        assert!(page.contains("verdict bad") && page.contains(cure), "{query}: {page}");
        assert!(!page.contains("data-method=\"PUT\""), "{query}");
    }
}

#[tokio::test]
async fn pages_tell_of_secrets_by_age_imports_beside_grants_and_replays() {
    let (host, _) = host().await;
    let page = host.get("/providers/my-shop").await.body;
    assert!(page.contains("env SECRET") && page.contains("3 days ago"), "{page}");
    let dead = bury(&host, "no such user").await;
    let made = host.write("POST", &format!("/api/v1/runs/{dead}/replay"), json!({})).await.json();
    let replay = made["id"].as_str().unwrap();
    let page = host.get(&format!("/runs/{dead}")).await.body;
    assert!(page.contains("Replays of it") && page.contains(replay), "{page}");
    let page = host.get(&format!("/runs/{replay}")).await.body;
    assert!(page.contains("Replay of") && page.contains(&dead), "{page}");
    let page = host.get("/plugins").await.body;
    assert!(page.contains("data-upload") && page.contains("type=\"file\""), "{page}");
}

#[tokio::test]
async fn pages_offer_what_the_api_does_to_schedules_handlers_and_the_host() {
    let host = Host::new();
    host.store.put_plugin(welcome()).await.unwrap();
    let nightly = json!({ "plugin": "welcome", "handler": "repair", "every": "1h" });
    host.write("PUT", "/api/v1/schedules/hourly", nightly).await;
    let page = host.get("/schedules/hourly").await.body;
    let sends = attribute(&page, "data-send");
    for path in ["run", "pause", "reset", "backfill"] {
        assert!(sends.contains(&format!("/api/v1/schedules/hourly/{path}")), "{path}: {sends:?}");
    }
    assert_eq!(attribute(&page, "data-count"), ["slots"], "they are counted first");
    let page = host.get("/plugins/welcome").await.body;
    assert!(attribute(&page, "data-send").contains(&"/api/v1/handlers/welcome/repair/run".to_owned()), "{page}");
    assert!(!page.contains("/api/v1/handlers/welcome/on-user/run"), "it takes events: {page}");
    for (target, place) in [("welcome", "/plugins/welcome"), ("welcome/repair", "/plugins/welcome"), ("*", "/system")] {
        let path = format!("/api/v1/holds/{target}");
        let free = host.get(place).await.body;
        assert!(attribute(&free, "data-send").contains(&path) && !free.contains("DELETE"), "{target}: {free}");
        assert_eq!(host.write("PUT", &path, json!({ "note": "by <b>ann</b>" })).await.status, StatusCode::OK);
        let held = host.get(place).await.body;
        assert!(held.contains("data-method=\"DELETE\"") && held.contains("by &lt;b&gt;ann"), "{target}: {held}");
        assert!(host.get("/system").await.body.contains(&format!("Release {target}")));
        assert_eq!(host.write("DELETE", &path, json!({})).await.status, StatusCode::OK);
    }
}
