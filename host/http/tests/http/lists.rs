//! Lists of runs: their order, their columns, any of several values, and what is offered to whom.

use axum::http::StatusCode;
use hookbox_core::attempt::Outcome;
use hookbox_core::clock::Clock;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{Run, RunEvent};
use hookbox_core::time::Millis;
use hookbox_store::types::Claim;
use serde_json::{Value, json};

use crate::access_table::with_roles;
use crate::harness::{Host, shop};
use crate::operator::{attempt, die, host, one, succeed, welcome};
use crate::tokens::by;

async fn deliver(host: &Host, id: &str) {
    host.deliver(shop(&json!({ "type": "user.created", "event_id": id, "note": id }).to_string())).await;
}

/// Ends the next run, which took so long.
async fn took(host: &Host, wall_us: u64, message: &str) -> Run {
    let run = host.store.claim(Claim { now: host.clock.now(), ..one() }).await.unwrap().remove(0);
    let mut attempt = attempt(&run, Outcome::Permanent { message: message.to_owned() });
    (attempt.cost.wall_us, attempt.cost.cpu_us) = (wall_us, 1);
    crate::operator::end(host, &run, RunEvent::FailedForGood { attempt, cause: DeadCause::Permanent }).await;
    run
}

async fn ids(host: &Host, query: &str) -> Vec<String> {
    let answer = host.get(&format!("/api/v1/runs?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
    let text = |run: &Value| run["id"].as_str().unwrap().to_owned();
    answer.json()["items"].as_array().unwrap().iter().map(text).collect()
}

/// Runs that took 30, 10 and 20 ms, in the order in which they were made, and one that waits.
async fn three_and_one() -> (Host, Vec<String>) {
    let (host, _) = host().await;
    let mut made = Vec::new();
    for (at, wall_us) in [30_000, 10_000, 20_000].into_iter().enumerate() {
        made.push(took(&host, wall_us, &format!("error {at}")).await.id.to_string());
        host.clock.advance(Millis(1000));
        deliver(&host, &format!("e-{}", at + 2)).await;
    }
    made.push(ids(&host, "state=pending").await.remove(0));
    (host, made)
}

#[tokio::test]
async fn runs_are_sorted_by_what_is_asked_for_page_by_page() {
    let (host, made) = three_and_one().await;
    let [slow, fast, middle, waiting] = [0, 1, 2, 3].map(|at| made[at].clone());
    for (sort, expected) in [
        ("created", [&slow, &fast, &middle, &waiting]),
        ("-created", [&waiting, &middle, &fast, &slow]),
        ("duration", [&fast, &middle, &slow, &waiting]),
        ("-duration", [&slow, &middle, &fast, &waiting]),
        ("state", [&waiting, &middle, &fast, &slow]),
        ("-state", [&middle, &fast, &slow, &waiting]),
        // Equal ones: the newest first.
        ("handler", [&waiting, &middle, &fast, &slow]),
        ("-attempts", [&middle, &fast, &slow, &waiting]),
        ("cpu", [&middle, &fast, &slow, &waiting]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(ids(&host, &format!("sort={sort}")).await, expected, "{sort}");
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = host.get(&format!("/api/v1/runs?sort={sort}&limit=1{cursor}")).await.json();
            walked.push(page["items"][0]["id"].as_str().unwrap().to_owned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(walked, expected, "{sort}, one by one");
    }
    let page = host.get("/api/v1/runs?sort=-duration&state=dead").await.json();
    assert_eq!(page["sorted"], json!({ "runs": 3, "since": null }));
    assert_eq!(host.get("/api/v1/runs?sort=created").await.json()["sorted"], Value::Null);
}

#[tokio::test]
async fn an_order_that_is_not_known_is_refused_with_those_that_are() {
    let (host, _) = host().await;
    for path in ["/api/v1/runs?sort=colour", "/runs?sort=colour"] {
        let refused = host.get(path).await;
        assert_eq!(refused.status, 422, "{path}");
        assert!(refused.body.contains("must be one of created, started, ended, handler, state"), "{refused:?}");
    }
    assert_eq!(host.get("/api/v1/runs?sort=created&sort=state").await.status, 422);
    let id = "run_01JABCDEFGHJKMNPQRSTVWXYZ0";
    for other in [
        format!("sort=created&cursor={id}..{id}.state.0"),
        format!("sort=-state&cursor={id}..{id}.state.0"),
        format!("sort=state&cursor={id}..{id}..0"),
        format!("sort=state&cursor={id}"),
    ] {
        let refused = host.get(&format!("/api/v1/runs?{other}")).await;
        assert!(refused.status == 422 && refused.body.contains("begin with the first page"), "{refused:?}");
    }
}

#[tokio::test]
async fn pages_of_an_order_fit_together_while_runs_come_and_go_on() {
    let (host, made) = three_and_one().await;
    let [slow, fast, middle, waiting] = [0, 1, 2, 3].map(|at| made[at].clone());
    deliver(&host, "e-8").await;
    let last = ids(&host, "state=pending&sort=-created").await.remove(0);
    let first = host.get("/api/v1/runs?sort=duration&limit=4").await.json();
    let next = first["next"].as_str().unwrap().to_owned();
    let behind = async |next: &str| ids(&host, &format!("sort=duration&limit=4&cursor={next}")).await;
    let listed: Vec<_> = first["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()).collect();
    assert_eq!(listed, [&fast, &middle, &slow, &last]);
    assert_eq!(behind(&next).await, std::slice::from_ref(&waiting));
    let second = host.get(&format!("/api/v1/runs?sort=duration&limit=4&cursor={next}")).await.json();
    assert_eq!((&first["sorted"], &second["sorted"]), (&json!({ "runs": 5, "since": null }), &first["sorted"]));
    host.clock.advance(Millis(1000));
    deliver(&host, "e-9").await;
    assert_eq!(behind(&next).await, std::slice::from_ref(&waiting), "what has come since is in the next list");
    // Both that waited are done, and the page ended with one of them: what comes behind it is where it was.
    took(&host, 5000, "quick").await;
    took(&host, 1000, "quicker").await;
    assert_eq!(behind(&next).await, Vec::<String>::new());
    assert_eq!(ids(&host, "sort=duration&limit=2").await, [last, waiting]);
}

#[tokio::test]
async fn a_heading_sorts_and_says_which_way() {
    let (host, made) = three_and_one().await;
    let page = host.get("/runs?sort=-duration&state=dead&state=pending&columns=run,duration").await.body;
    assert!(page.contains("aria-sort=\"descending\""), "{page}");
    assert_eq!(page.matches("aria-sort").count(), 1);
    // The other way, with what else is asked for.
    let other = "/runs?sort=duration&amp;state=dead";
    assert!(page.contains("sort=duration") && !page.contains(other), "{page}");
    assert!(page.contains("state=dead&amp;state=pending"), "{page}");
    assert!(page.contains("all 4 runs that fit"), "{page}");
    let (slow, fast) = (page.find(&made[0]).unwrap(), page.find(&made[1]).unwrap());
    assert!(slow < fast);
}

#[tokio::test]
async fn columns_are_chosen_and_kept_with_a_search() {
    let (host, made) = three_and_one().await;
    let headings = async |query: &str| {
        let page = host.get(&format!("/runs?{query}")).await.body;
        let head = page.split_once("<thead>").unwrap().1.split_once("</thead>").unwrap().0.to_owned();
        (["Made", "Took", "From", "Type", "Payload", "Result", "Version"].map(|name| head.contains(name)), page)
    };
    let (usual, _) = headings("").await;
    assert_eq!(usual, [true, false, false, false, false, false, false]);
    let (chosen, page) = headings("columns=run&columns=source&columns=topic&columns=size,duration").await;
    assert_eq!(chosen, [false, true, true, true, true, false, false]);
    for shown in ["my-shop", "user.created", " B<", "30 ms", &made[0]] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    // The next page and the filter have them, too.
    let (_, page) = headings("columns=run,topic&limit=1").await;
    assert!(page.contains("columns=run%2Ctopic&amp;cursor="), "{page}");
    assert!(page.contains("name=\"columns\" value=\"run,topic\""), "{page}");
    let keep = async |query: &str| host.write("PUT", "/api/v1/searches/slow", json!({ "query": query })).await;
    assert_eq!(keep("state=dead&sort=-duration&columns=run,duration").await.status, StatusCode::OK);
    for (bad, cure) in [("columns=colour", "known: run, handler"), ("sort=colour", "must be one of created")] {
        let refused = keep(bad).await;
        assert!(refused.status == 422 && refused.body.contains(cure), "{refused:?}");
    }
    let (_, page) = headings("").await;
    assert!(page.contains("/runs?state=dead&amp;sort=-duration&amp;columns=run,duration"), "{page}");
}

#[tokio::test]
async fn a_result_is_shown_by_its_beginning_as_text() {
    let (host, _) = host().await;
    let output = hookbox_core::attempt::Output {
        content_type: "text/plain".into(),
        data: [b"<b>\0".as_slice(), &[b'x'; 500]].concat(),
    };
    succeed(&host, output).await;
    let page = host.get("/runs?columns=result").await.body;
    let shown = format!("&lt;b&gt; {}...", "x".repeat(116));
    assert!(page.contains(&shown), "{page}");
}

#[tokio::test]
async fn of_a_filter_that_is_given_twice_either_may_fit() {
    let (host, made) = three_and_one().await;
    let [slow, fast, middle, waiting] = [0, 1, 2, 3].map(|at| made[at].clone());
    for (query, expected) in [
        ("state=pending&state=dead", vec![&waiting, &middle, &fast, &slow]),
        ("state=cancelled&state=pending", vec![&waiting]),
        ("error=error%200&error=ERROR%202", vec![&middle, &slow]),
        ("error=error%200&error=error%202&not_error=0&not_error=1", vec![&middle]),
        ("not_state=dead&not_state=pending", vec![]),
        ("payload=e-2&payload=e-3&plugin=welcome&plugin=other", vec![&middle, &fast]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(ids(&host, query).await, expected, "{query}");
    }
    let total = host.get("/api/v1/runs?state=pending&state=dead&limit=1").await.json()["total"].take();
    assert_eq!(total, json!({ "count": 4, "exact": true }));
    for bad in ["since=2026-01-01T00:00:00Z&since=2026-01-01T00:00:00Z", &["state=dead"; 21].join("&")] {
        assert_eq!(host.get(&format!("/api/v1/runs?{bad}")).await.status, 422, "{bad}");
    }
    // A second field for each that was filled in.
    let page = host.get("/runs?error=one&error=two").await.body;
    assert_eq!(page.matches("type=\"search\" name=\"error\"").count(), 3, "{page}");
    assert_eq!(page.matches("name=\"provider\"").count(), 1, "{page}");
    let bulk = async |filter: Value| {
        host.write("POST", "/api/v1/runs/replay", json!({ "filter": filter, "dry_run": true })).await
    };
    assert_eq!(bulk(json!({ "error": ["error 0", "error 2"] })).await.json()["matched"], 2);
    assert_eq!(bulk(json!({ "error": "error 0", "state": ["dead", "cancelled"] })).await.json()["matched"], 1);
    assert_eq!(bulk(json!({ "state": ["dead", "pending"] })).await.status, 422);
    assert_eq!(bulk(json!({ "error": [] })).await.status, 422);
}

#[tokio::test]
async fn only_what_somebody_may_do_is_offered_to_them() {
    let host = with_roles().await;
    host.store.put_plugin(welcome()).await.unwrap();
    deliver(&host, "e-1").await;
    let dead = die(&host).await.id;
    deliver(&host, "e-2").await;
    let waiting = by(&host, "admin", "GET", "/api/v1/runs?state=pending", json!({})).await.json();
    let waiting = waiting["items"][0]["id"].as_str().unwrap().to_owned();
    let search = json!({ "query": "state=dead" });
    assert_eq!(by(&host, "operator", "PUT", "/api/v1/searches/failed", search).await.status, StatusCode::OK);
    for (path, offered) in [
        (format!("/runs/{dead}"), ["/replay", "Edit and replay"]),
        (format!("/runs/{waiting}"), ["/cancel", "Cancel"]),
        ("/runs?state=dead".to_owned(), ["Replay all that fit", "Keep this search"]),
        ("/runs?state=pending".to_owned(), ["Cancel all that fit", "Drop the search"]),
    ] {
        for (role, may) in [("viewer", false), ("operator", true), ("admin", true)] {
            let page = by(&host, role, "GET", &path, json!({})).await.body;
            let main = page.split_once("<main").unwrap().1;
            for what in offered {
                assert_eq!(main.contains(what), may, "{role} {path} {what}");
            }
        }
    }
}

#[tokio::test]
async fn every_page_leads_to_the_documents_and_takes_a_theme() {
    let (host, _) = host().await;
    let page = host.get("/").await.body;
    assert!(page.contains("href=\"/api/v1/openapi.json\"") && page.contains("Documentation"), "{page}");
    assert!(page.contains("id=\"theme\""), "{page}");
    let head = page.split_once("</head>").unwrap().0;
    let (_, script) = head.split_once("theme.js\"").unwrap();
    assert!(script.starts_with("></script>"), "it runs before anything is drawn: {head}");
    let lost = host.get("/nowhere").await;
    assert!(lost.status == 404 && lost.body.contains("/api/v1/openapi.json"), "{lost:?}");
}
