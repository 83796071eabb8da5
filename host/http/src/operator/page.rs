//! `GET /`: the counts and where to read more. It has no script, no style and nothing that anybody wrote.

use axum::extract::State;
use axum::response::Html;

use super::Api;

pub(super) async fn show(State(operator): Api) -> Html<String> {
    let counts = operator.store.counts();
    let handlers = operator.store.catalogue().handlers().count();
    let rows = [
        ("handlers", handlers as u64),
        ("events", counts.events),
        ("events without a handler", counts.unrouted),
        ("duplicates", counts.duplicates),
        ("runs pending", counts.pending),
        ("runs leased", counts.leased),
        ("runs succeeded", counts.succeeded),
        ("runs dead", counts.dead),
        ("runs cancelled", counts.cancelled),
        ("attempts", counts.attempts),
    ];
    let rows: String = rows.map(|(what, count)| format!("<tr><td>{what}</td><td>{count}</td></tr>\n")).concat();
    let links = [
        "events",
        "events?unrouted=true",
        "suppressed",
        "routes",
        "runs",
        "runs?state=dead",
        "holds",
        "schedules",
        "plugins",
        "plugin-changes",
        "providers",
        "health",
    ];
    let links = links.map(|link| format!("<li><a href=\"/api/v1/{link}\">/api/v1/{link}</a></li>\n")).concat();
    Html(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>hookbox</title></head>\n<body>\n\
         <h1>hookbox</h1>\n<table>\n{rows}</table>\n<ul>\n{links}</ul>\n</body>\n</html>\n"
    ))
}
