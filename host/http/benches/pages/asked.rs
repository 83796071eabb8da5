//! What is asked for: every path of the router that is read, from the table of who may do what. A path that has names needs
//! to be said here with what to ask.

use hookbox_core::id::{EventId, RunId};
use hookbox_http::operator::RULES;

/// Streams, which end when their reader does, files in the binary, and what leads to a provider and back.
const UNASKED: [&str; 6] = [
    "/live",
    "/api/v1/runs/stream",
    "/api/v1/runs/{id}/logs/stream",
    "/assets/{name}",
    "/login/oidc",
    "/login/callback",
];

pub(crate) struct Ids {
    pub(crate) run: RunId,
    pub(crate) event: EventId,
    pub(crate) suppressed: EventId,
    /// Where the first page of a list ends that is in the order of duration.
    pub(crate) in_order: String,
}

/// Paths with what stands where they have names, and with the queries that cost most.
pub(crate) fn all(ids: &Ids) -> Vec<String> {
    let mut paths: Vec<String> = RULES
        .iter()
        .filter(|rule| rule.method == "GET" && !UNASKED.contains(&rule.path))
        .map(|rule| named(rule.path, ids))
        .collect();
    paths.extend(queries(ids));
    paths
}

fn named(path: &str, ids: &Ids) -> String {
    let Some((before, rest)) = path.split_once('{') else { return path.to_owned() };
    let (_, after) = rest.split_once('}').unwrap();
    let name = match before {
        "/runs/" | "/api/v1/runs/" => ids.run.to_string(),
        "/events/" | "/api/v1/events/" => ids.event.to_string(),
        "/suppressed/" | "/api/v1/suppressed/" => ids.suppressed.to_string(),
        "/schedules/" | "/api/v1/schedules/" => "schedule-007".to_owned(),
        "/plugins/" | "/api/v1/plugins/" => "plugin-007".to_owned(),
        "/providers/" | "/api/v1/providers/" => "sender-007".to_owned(),
        "/api/v1/searches/" => "search%207".to_owned(),
        "/api/v1/holds/" => "plugin-007/welcome".to_owned(),
        _ => panic!("{path}: say what to ask for"),
    };
    format!("{before}{name}{after}")
}

fn queries(ids: &Ids) -> Vec<String> {
    let Ids { run, event, in_order, .. } = ids;
    let runs = [
        "state=succeeded",
        "state=dead",
        "state=dead&error=needle",
        "state=dead&replayed=true",
        "state=pending",
        "plugin=nobody",
        "provider=nobody",
        "version=ff",
        "error=nobody-says-this",
        "result=nobody-says-this",
        "payload=nobody-says-this",
        "not_state=succeeded",
        "not_payload=x",
        "since=2100-01-01T00:00:00Z",
        "until=2000-01-01T00:00:00Z",
    ];
    let mut paths = vec![
        "/?span=6h".to_owned(),
        "/runs?sort=created".to_owned(),
        "/runs?sort=-duration".to_owned(),
        "/runs?sort=handler&state=dead&state=cancelled".to_owned(),
        "/runs?columns=run,source,topic,size,result".to_owned(),
        "/runs?sort=-duration&columns=run,source,topic,size,result&count=true".to_owned(),
        format!("/runs?made_by={run}"),
        format!("/runs?sort=-duration&cursor={in_order}"),
        format!("/api/v1/runs?sort=-duration&cursor={in_order}"),
        "/?span=24h".to_owned(),
        format!("/runs?cursor={run}"),
        format!("/events?cursor={event}"),
        "/runs?not_payload=x&count=true".to_owned(),
        "/events?unrouted=true".to_owned(),
        "/audit?who=nobody".to_owned(),
        "/audit?text=nothing-says-this".to_owned(),
        format!("/api/v1/runs?cursor={run}&limit=200"),
        format!("/api/v1/events?cursor={event}&limit=200"),
        "/api/v1/events?unrouted=true&limit=200".to_owned(),
        "/api/v1/audit?text=nothing-says-this&limit=200".to_owned(),
        "/api/v1/schedules?limit=200".to_owned(),
        "/new-schedule?name=x&target=plugin-007/repair&kind=daily&when=09:00".to_owned(),
    ];
    for query in runs {
        paths.push(format!("/runs?{query}"));
        paths.push(format!("/api/v1/runs?{query}&limit=200"));
    }
    paths
}
