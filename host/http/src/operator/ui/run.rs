//! `GET /runs/ID`: everything that is kept of one run.

use axum::extract::State;
use hookbox_core::id::RunId;
use hookbox_core::live_logs::SoFar;
use hookbox_core::run::{Run, Work};
use hookbox_core::time::Timestamp;
use hookbox_store::StoreError;
use hookbox_store::types::{PageRequest, RunFilter, RunPage};
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{Unshown, chart, parts, runs};
use crate::operator::access::may;
use crate::operator::events::RUNS_MAX;
use crate::operator::query::Named;
use crate::operator::runs::{Old, work_of};
use crate::operator::{Api, Operator};
use crate::view::payload::{DataView, PayloadView};
use crate::view::run::{AttemptView, JobView, LogLineView, RunDetailView, RunView};

/// Runs that it asked for, as far as they are shown with it.
const CHILDREN_MAX: usize = 20;

pub(super) async fn show(State(operator): Api, Named(id): Named<RunId>) -> Result<Page, Unshown> {
    let run = operator.store.run(id).await?;
    let work = work_of(&operator, &run).await?;
    let (job, payload) = match &work {
        Some(Old::Job(job)) => (Some(JobView::of(job)), Some(PayloadView::exact(&job.content_type, &job.data))),
        Some(Old::Event(event)) => (None, Some(PayloadView::exact(&event.content_type, &event.payload()))),
        None => (None, None),
    };
    let headers = match &work {
        Some(Old::Event(event)) => event.attributes.clone(),
        _ => Vec::new(),
    };
    let RunDetailView { run: view, job_detail, attempts, revoked, result } = RunDetailView::of(&run, job);
    let now = operator.clock.now();
    let replays = replays(&operator, &run).await?;
    let children = children(&operator, run.id).await?;
    let under_way = (view.state == "leased").then(|| operator.live_logs.of(run.id, 0)).flatten();
    let title = format!("Run of {}/{}", view.plugin, view.handler);
    Ok(Frame::new(At::Runs, &title).page(html! {
        h1 { (title) " " (parts::state(view.state)) }
        (facts(&view, job_detail.as_ref(), now))
        (together(&attempts, &revoked))
        (actions(&view, payload.as_ref()))
        h2 { "Attempts" }
        @match &under_way {
            Some(so_far) => (going_on(so_far)),
            None if attempts.is_empty() => p.dim { "None has ended yet." },
            None => {},
        }
        @for attempt in attempts.iter().rev() { (of_attempt(attempt, now)) }
        @if !revoked.is_empty() {
            h2 { "Put back" }
            p.dim { "These do not count: the host stopped them, and the run began anew." }
            @for attempt in revoked.iter().rev() { (of_attempt(attempt, now)) }
        }
        @if !replays.is_empty() { h2 { "Replays of it" } (runs::table(&replays, now)) }
        @if !children.runs.is_empty() {
            h2 { "Runs that it asked for" }
            (runs::table(&children.runs.iter().map(RunView::of).collect::<Vec<_>>(), now))
            @if children.next.is_some() {
                p.further { a href={ "/runs?made_by=" (view.id) } { "All of them" } }
            }
        }
        @if let Some(result) = &result {
            h2 { "Result" }
            (shown(result))
            p { a href={ "/api/v1/runs/" (view.id) "/result" } { "The bytes as they are" } }
        }
        h2 { "Payload" }
        @match &payload {
            Some(payload) => (shown(payload)),
            None => p.dim { "It has been pruned; a replay needs one of your own." },
        }
        @if !headers.is_empty() {
            h2 { "Attributes of the event" }
            dl { @for (name, value) in &headers { dt { (name) } dd { (value) } } }
        }
    }))
}

/// Its replays: those of an event are listed with it, of a job the latest is known.
async fn replays(operator: &Operator, run: &Run) -> Result<Vec<RunView>, StoreError> {
    let mut ids: Vec<RunId> = match run.work {
        Work::Event(event) => match operator.store.event(event).await {
            Ok(record) => record.runs,
            Err(StoreError::NotFound(_)) => Vec::new(),
            Err(error) => return Err(error),
        },
        Work::Job(_) => Vec::new(),
    };
    ids.extend(run.replayed.filter(|replay| !ids.contains(replay)));
    let mut replays = Vec::new();
    for id in ids.into_iter().filter(|id| *id != run.id).take(RUNS_MAX) {
        match operator.store.run(id).await {
            Ok(other) if other.parent == Some(run.id) => replays.push(RunView::of(&other)),
            Ok(_) | Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(replays)
}

/// The latest runs that its attempts asked for.
async fn children(operator: &Operator, run: RunId) -> Result<RunPage, StoreError> {
    let filter = RunFilter { made_by: Some(run), ..RunFilter::default() };
    operator.store.runs(PageRequest { before: None, limit: CHILDREN_MAX }, filter).await
}

/// What all of its attempts cost.
fn together(attempts: &[AttemptView], revoked: &[AttemptView]) -> Markup {
    let all = || attempts.iter().chain(revoked);
    if all().count() < 2 {
        return html! {};
    }
    let sum = |of: fn(&AttemptView) -> u64| all().map(of).sum::<u64>() as f64;
    html! {
        p.dim {
            "Its " (all().count()) " attempts took " (chart::duration(sum(|attempt| attempt.cost.wall_us))) " together, "
            (chart::duration(sum(|attempt| attempt.cost.cpu_us))) " of CPU, and at most "
            (parts::bytes(all().map(|attempt| attempt.cost.memory_peak_bytes).max().unwrap_or_default())) " of memory."
        }
    }
}

fn facts(run: &RunView, job: Option<&JobView>, now: Timestamp) -> Markup {
    html! {
        dl {
            dt { "Id" }
            dd { code { (run.id) } " " button.scripted.small type="button" data-copy=(run.id) { "Copy the id" } }
            @if let Some(cause) = run.cause {
                dt { "Because" }
                dd {
                    (cause)
                    @if let Some(other) = &run.cause_run { ": " (parts::id("/runs", other)) }
                    @if let Some(reason) = run.reason { ": " (reason) }
                }
            }
            @if let Some(message) = &run.last_message { dt { "Last message" } dd { (message) } }
            dt { "Made" } dd { (parts::exact(&run.created, now)) }
            @if let Some(due) = &run.due { dt { "Due" } dd { (parts::exact(due, now)) } }
            @if let Some(finished) = &run.finished { dt { "Ended" } dd { (parts::exact(finished, now)) } }
            @if let Some(event) = &run.event { dt { "Event" } dd { (parts::id("/events", event)) } }
            @if let Some(job) = job {
                dt { "Job of" }
                dd {
                    @match job.origin.strip_prefix("schedule/") {
                        Some(name) => a href={ "/schedules/" (name) } { (job.origin) },
                        None => (job.origin),
                    }
                    ", slot " (parts::exact(&job.scheduled_at, now))
                }
            }
            @if let Some(maker) = &run.made_by { dt { "Asked for by" } dd { (parts::id("/runs", maker)) } }
            @if let Some(parent) = &run.parent { dt { "Replay of" } dd { (parts::id("/runs", parent)) } }
            @if let Some(replayed) = &run.replayed { dt { "Replayed as" } dd { (parts::id("/runs", replayed)) } }
            @if let Some(key) = &run.key { dt { "Key" } dd { code { (key) } @if let Some(order) = run.order { ", in order of " (order) } } }
            @if let Some(expires) = &run.expires { dt { "Begins before" } dd { (parts::exact(expires, now)) } }
            dt { "Idempotency key" } dd { code { (run.idempotency_key) } }
            dt { "Attempts begun" } dd { (run.attempts_begun) @if run.drains > 0 { ", put back " (run.drains) " times" } }
        }
    }
}

fn actions(run: &RunView, payload: Option<&PayloadView>) -> Markup {
    let path = format!("/api/v1/runs/{}", run.id);
    if matches!(run.state, "pending" | "leased") {
        return html! {
            @if may("cancel run") {
                div.actions.scripted {
                    button.danger type="button" data-send={ (path) "/cancel" } data-ask="Cancel this run?"
                        data-done="The run is cancelled." { "Cancel" }
                }
            }
        };
    }
    if !may("replay run") {
        return html! {};
    }
    let text = payload.and_then(|payload| payload.data.text()).unwrap_or_default();
    let crlf = text.contains("\r\n") && !text.replace("\r\n", "").contains('\n');
    // A browser leaves out a line end that a text begins with.
    html! {
        div.actions.scripted {
            @if payload.is_some() {
                button type="button" data-send={ (path) "/replay" } data-goto="/runs/" { "Replay" }
            }
            details.edit #edit {
                summary { "Edit and replay" }
                form data-send={ (path) "/replay" } data-goto="/runs/" {
                    label { "Content type" input name="content_type" value=[payload.map(|payload| &payload.content_type)]; }
                    label { "Payload" textarea name="text" required spellcheck="false" data-crlf[crlf] { "\n" (text) } }
                    button type="submit" { "Replay with this payload" }
                }
            }
        }
    }
}

/// What it has written so far; the page asks again by itself.
fn going_on(so_far: &SoFar) -> Markup {
    html! {
        section.attempt data-under-way {
            h3 { "Attempt " (so_far.attempt) " " (parts::state("under way")) }
            @if so_far.lines.is_empty() {
                p.dim { "It has logged nothing yet." }
            } @else {
                ol.log aria-label={ "Log of attempt " (so_far.attempt) } {
                    @for line in &so_far.lines { (of_line(&LogLineView::of(line))) }
                }
            }
        }
    }
}

fn of_line(line: &LogLineView) -> Markup {
    html! {
        li class=(line.level) {
            time.dim datetime=(line.at) { (line.at) } " "
            span.level { (line.level) } " " (line.message)
            @for (name, value) in &line.fields { " " span.dim { (name) "=" } (value) }
        }
    }
}

fn of_attempt(attempt: &AttemptView, now: Timestamp) -> Markup {
    let cost = &attempt.cost;
    html! {
        section.attempt {
            h3 { "Attempt " (attempt.number) " " (parts::state(attempt.outcome)) }
            @if let Some(message) = &attempt.message { p { (message) } }
            p.dim {
                "began " (parts::exact(&attempt.started, now))
                ", took " (chart::duration(cost.wall_us as f64)) ", " (chart::duration(cost.cpu_us as f64)) " of CPU, "
                (parts::bytes(cost.memory_peak_bytes)) " of memory"
                @if let Some(version) = &attempt.version { ", version " a href={ "/runs?version=" (version) } { code { (version) } } }
                @if let Some(after) = attempt.retry_after_ms { ", asked for a retry after " (after) " ms" }
            }
            @if !cost.host_calls.is_empty() {
                p.dim {
                    "Host calls: "
                    @for (at, (kind, calls)) in cost.host_calls.iter().enumerate() {
                        @if at > 0 { ", " } (parts::number(calls.calls)) " " (kind)
                    }
                }
            }
            @if !attempt.log.lines.is_empty() || attempt.log.bytes_dropped > 0 {
                ol.log aria-label={ "Log of attempt " (attempt.number) } {
                    @for line in &attempt.log.lines { (of_line(line)) }
                    @if attempt.log.bytes_dropped > 0 {
                        li.warn { (parts::bytes(attempt.log.bytes_dropped)) " more were over the limit and are dropped" }
                    }
                }
            }
            @if !attempt.requests.is_empty() { (requests(attempt)) }
            @for denied in &attempt.denied {
                p { (parts::state("denied")) " " (denied.kind) " " code { (denied.what) } ": " (denied.reason) }
            }
        }
    }
}

fn requests(attempt: &AttemptView) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label={ "Requests of attempt " (attempt.number) } {
            table {
                thead {
                    tr {
                        th scope="col" { "Request" }
                        th scope="col" { "End" }
                        th.number scope="col" { "Time" }
                        th.number scope="col" { "Sent" }
                        th.number scope="col" { "Received" }
                    }
                }
                tbody {
                    @for request in &attempt.requests {
                        tr {
                            td.message { code { (request.method) " " (request.url) } }
                            td {
                                (parts::state(request.end)) " "
                                @if let Some(status) = request.status { (status) }
                                @if let Some(reason) = &request.reason { (reason) }
                            }
                            td.number { (request.ms) " ms" }
                            td.number { (parts::bytes(request.sent_bytes)) }
                            td.number { (parts::bytes(request.received_bytes)) }
                        }
                    }
                }
            }
        }
        @if attempt.requests_dropped > 0 { p.dim { (attempt.requests_dropped) " more were only counted" } }
    }
}

pub(super) fn shown(payload: &PayloadView) -> Markup {
    html! {
        p.dim { (payload.content_type) @if payload.data.data_encoding == "base64" { ", shown in base64" } }
        (data(&payload.data))
    }
}

pub(super) fn data(data: &DataView) -> Markup {
    let (text, longer) = data.shown();
    html! {
        pre tabindex="0" { code { (text) } }
        @if longer { p.dim { "Only its beginning is shown; the API has all of it." } }
    }
}
