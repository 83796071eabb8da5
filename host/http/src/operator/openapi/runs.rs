use serde_json::{Value, json};

use super::document::Document;
use crate::operator::searches::SearchView;
use crate::operator::sort::By;
use crate::operator::streams::NAMES as STREAMED;
use crate::operator::waits::WAIT_SECONDS_MAX;
use crate::operator::{bulk, holds, jobs, runs, searches};
use crate::view::Page;
use crate::view::hold::HoldView;
use crate::view::run::{BulkView, JobMadeView, ReplayView, RunDetailView, RunView};

const RUNS: &str = "runs";
const HOLDS: &str = "holds";
const SEARCHES: &str = "searches";

pub(super) fn describe(api: &mut Document) {
    api.get(RUNS, "/api/v1/runs", "List runs")
        .says(
            "Newest first unless `sort` says otherwise, without logs and results. By `created`, either way, all runs are in order; by \
             anything else the newest 20,000 that fit at most, and `sorted` says how many they were. A filter that is given \
             several times finds what fits any of its values, and after `not_` leaves out what fits any.",
        )
        .paged(cursor())
        .query("sort", sorts(), "With - before it, the greatest or latest come first")
        .filtered()
        .answers::<runs::RunsView>("200", "A page");
    let text = || json!({ "type": "string" });
    STREAMED
        .iter()
        .fold(api.get(RUNS, "/api/v1/runs/stream", "Watch runs as they change"), |operation, name| {
            operation.filtered_by(name)
        })
        .says(
            "Events are `ready` at first, `run` with a run as lists have it, and `missed` where some are left out: list them then. A comment \
             comes every 15 seconds. 64 streams are open at one time at most.",
        )
        .header("Last-Event-ID", text(), "Go on behind this event")
        .answers_in("200", "Server-sent events", "text/event-stream", text());
    api.get(RUNS, "/api/v1/runs/{id}/logs/stream", "Watch the log of a run until it ends")
        .says(
            "Events are `log` for each line, `attempt` where one has ended, and `end` with the run's state. Lines \
             come while their attempt is under way; those of one that begins again come again. A line that was named and is \
             not in what is kept of its attempt has the attempt told from its first line on; an id that is none has all of \
             it told.",
        )
        .header("Last-Event-ID", text(), "Go on behind this event")
        .answers_in("200", "Server-sent events", "text/event-stream", text())
        .says_nothing("204", "The run has ended, and its last event is behind the one that was named");
    api.get(RUNS, "/api/v1/runs/{id}", "Show a run")
        .answers::<RunDetailView>("200", "The run with its attempts, their logs, and the result");
    api.get(RUNS, "/api/v1/runs/{id}/result", "Fetch the bytes of a run's result")
        .says("404 where it has none, and where it has not ended. 64 requests wait at one time at most.")
        .query("wait", wait(), "Seconds to wait for the end of the run")
        .answers_in("200", "As the handler returned them, under its own content type", "*/*", json!({}));
    api.post(RUNS, "/api/v1/runs/{id}/cancel", "Cancel a run")
        .says("One that is executed is stopped, and nothing that it wrote is kept.")
        .answers::<RunView>("200", "The run, cancelled");
    api.post(RUNS, "/api/v1/runs/{id}/replay", "Replay a run")
        .says("With `data`, `text` or `base64` in place of its payload where one is given.")
        .body::<runs::Asked>()
        .makes::<ReplayView>("The run that was made");
    api.post(RUNS, "/api/v1/runs/cancel", "Cancel many runs")
        .says("At most 10,000 in one request: `next` is `cursor` of the next one.")
        .body::<bulk::Asked>()
        .answers::<BulkView>("200", "What was done, or would be");
    api.post(RUNS, "/api/v1/runs/replay", "Replay many runs")
        .says("Dead letters, unless the filter names another state; each once, unless `again`.")
        .body::<bulk::Asked>()
        .answers::<BulkView>("200", "What was done, or would be");
    api.post(RUNS, "/api/v1/handlers/{plugin}/{handler}/run", "Make a job by hand")
        .says("With `wait` it answers once the run has ended or the wait is over; `waited` says how it is then.")
        .query("wait", wait(), "Seconds to wait for the end of the run")
        .body::<jobs::Asked>()
        .answers::<JobMadeView>("200", "None was made: the run that is told has its unique key and is alive")
        .makes::<JobMadeView>("The run that was made");
    api.get(SEARCHES, "/api/v1/searches", "List the searches that are kept")
        .answers::<Page<SearchView>>("200", "All of them");
    api.get(SEARCHES, "/api/v1/searches/{name}", "Show a search that is kept")
        .answers::<SearchView>("200", "What it looks for")
        .tagged();
    api.put(SEARCHES, "/api/v1/searches/{name}", "Keep a search for the list of runs")
        .conditional()
        .body::<searches::Asked>()
        .answers::<SearchView>("200", "It is kept")
        .tagged();
    api.delete(SEARCHES, "/api/v1/searches/{name}", "Forget a search")
        .conditional()
        .says_nothing("204", "It is forgotten");
    api.get(HOLDS, "/api/v1/holds", "List what is held").answers::<Page<HoldView>>("200", "All of it");
    api.get(HOLDS, "/api/v1/holds/{target}", "Show what is held").answers::<HoldView>("200", "It is held").tagged();
    api.put(HOLDS, "/api/v1/holds/{target}", "Hold the runs of the host (`*`), a plugin or a handler")
        .conditional()
        .body::<holds::Asked>()
        .answers::<HoldView>("200", "What is held")
        .tagged();
    api.delete(HOLDS, "/api/v1/holds/{target}", "Release what is held")
        .conditional()
        .answers::<HoldView>("200", "What was held");
}

fn sorts() -> Value {
    let both = By::ALL.into_iter().flat_map(|by| [by.code().to_owned(), format!("-{}", by.code())]);
    json!({ "type": "string", "enum": both.collect::<Vec<_>>(), "default": "-created" })
}

fn wait() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": WAIT_SECONDS_MAX })
}

/// A run; in another order also which runs are in it, and where.
fn cursor() -> Value {
    let run = "run_[0-7][0-9A-HJKMNP-TV-Z]{25}";
    json!({ "type": "string", "pattern": format!(r"^{run}(\.({run})?\.{run}\.-?[a-z]+\.[a-z0-9/._-]{{0,140}})?$") })
}
