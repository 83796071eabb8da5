//! Cancelling and replaying many runs at once, a bounded number of them: `next` says where to go on.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::id::RunId;
use hookbox_core::run::{CancelCause, Run, RunStatus};
use hookbox_store::StoreError;
use hookbox_store::types::{Again, Cancellable, PageRequest, RunFilter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::query::{Query, listed};
use super::{Api, BODY_BYTES_MAX, Operator, asked_in, audited, counted, filter};
use crate::problem::Problem;
use crate::view::run::BulkView;

/// Runs that one request changes, unless it asks for fewer.
const RUNS_MAX: usize = 10_000;
/// Runs that are looked for at one time.
const PAGE: usize = 500;
/// Pages that one request looks for: a page looks through some thousand rows, and may find few.
const PAGES_MAX: usize = 100;
/// Runs that one commit changes: others wait for it.
const BATCH: usize = 256;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BulkRequest")]
pub(super) struct Asked {
    /// By the names that a list takes.
    #[serde(default)]
    filter: BTreeMap<String, Texts>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
    /// Without a filter, too.
    #[serde(default)]
    all: bool,
    /// Replay also what was replayed before.
    #[serde(default)]
    again: bool,
    limit: Option<usize>,
    /// Where the request before ended, or began: `next` or `cursor` of its answer.
    #[schemars(with = "Option<String>")]
    cursor: Option<RunId>,
}

/// One value, or several of which any may be so.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a string, or a list of strings")]
enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Texts {
    fn all(&self) -> Vec<&str> {
        match self {
            Texts::One(text) => vec![text],
            Texts::Several(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

/// The store failed when it was done with some runs already.
struct Stopped {
    done: usize,
    problem: Problem,
}

impl<E: Into<Problem>> From<E> for Stopped {
    fn from(error: E) -> Stopped {
        Stopped { done: 0, problem: error.into() }
    }
}

/// What is done with the runs that are found.
#[derive(Clone, Copy)]
enum Change {
    Cancel(Cancellable),
    Replay(Again),
}

/// Takes runs that are pending or leased off the queue.
pub(super) async fn cancel(State(operator): Api, uri: Uri, body: Body) -> Result<Json<BulkView>, Problem> {
    Query::read(&uri, &[])?;
    let asked: Asked = asked_in(body, BODY_BYTES_MAX).await?;
    if asked.again {
        return Err(Problem::bad_parameter().because("again: is for replays alone"));
    }
    let found = RunFilter { alive: true, ..asked.filter()? };
    if found.status.iter().any(|status| status.is_terminal()) {
        return Err(Problem::bad_parameter().because("state: only pending and leased runs can be cancelled"));
    }
    // One that has changed its state since it was found is not meant.
    let is_meant =
        |status| (found.status.is_empty() || found.status.contains(&status)) && !found.not.status.contains(&status);
    let which = match (is_meant(RunStatus::Pending), is_meant(RunStatus::Leased)) {
        (true, false) => Cancellable::Pending,
        (false, true) => Cancellable::Leased,
        _ => Cancellable::Alive,
    };
    let done = sweep(&operator, &asked, found, Change::Cancel(which)).await;
    Ok(Json(asked.audited("cancel runs", done)?))
}

/// Makes new runs of those that have ended: of dead letters, unless another state is asked for.
pub(super) async fn replay(State(operator): Api, uri: Uri, body: Body) -> Result<Json<BulkView>, Problem> {
    Query::read(&uri, &[])?;
    let mut asked: Asked = asked_in(body, BODY_BYTES_MAX).await?;
    let without_filter = asked.filter.is_empty();
    asked.filter.entry("state".to_owned()).or_insert_with(|| Texts::One("dead".to_owned()));
    let found = asked.filter()?;
    if !found.status.iter().all(|status| status.is_terminal()) {
        return Err(Problem::bad_parameter().because("state: only runs that have ended can be replayed"));
    }
    if without_filter {
        asked.needs_all()?;
    }
    let again = if asked.again { Again::Yes } else { Again::No };
    let done = sweep(&operator, &asked, found, Change::Replay(again)).await;
    Ok(Json(asked.audited("replay runs", done)?))
}

impl Asked {
    fn filter(&self) -> Result<RunFilter, Problem> {
        if let Some(unknown) = self.filter.keys().find(|name| !filter::NAMES.contains(&name.as_str())) {
            let (unknown, known): (String, _) = (unknown.chars().take(40).collect(), listed(&filter::NAMES));
            return Err(Problem::unknown_parameter().because(format!("{unknown:?} is not known; known: {known}")));
        }
        if self.limit.is_some_and(|limit| !(1..=RUNS_MAX).contains(&limit)) {
            return Err(Problem::bad_parameter().because(format!("limit: must be a number from 1 to {RUNS_MAX}")));
        }
        if let Some((name, _)) = self.filter.iter().find(|(_, texts)| texts.all().is_empty()) {
            return Err(Problem::bad_parameter().because(format!("{name}: must have a value, or be left out")));
        }
        if self.filter.is_empty() {
            self.needs_all()?;
        }
        filter::read(|name| self.filter.get(name).map(Texts::all).unwrap_or_default())
    }

    /// A filter that was forgotten must not change everything.
    fn needs_all(&self) -> Result<(), Problem> {
        match self.dry_run || self.all {
            true => Ok(()),
            false => Err(Problem::bad_parameter().because("filter: is empty: name some runs, or say \"all\": true")),
        }
    }

    /// Counting changes nothing, and is not audited.
    fn audited(&self, what: &'static str, done: Result<BulkView, Stopped>) -> Result<BulkView, Problem> {
        let runs = done.as_ref().map_or_else(|stopped| stopped.done, |view| view.done);
        let done = done.map_err(|stopped| stopped.problem);
        if self.dry_run {
            return counted(done);
        }
        let each = self.filter.iter().flat_map(|(name, texts)| texts.all().into_iter().map(move |text| (name, text)));
        let filter: Vec<String> = each.map(|(name, text)| format!("{name}={text}")).collect();
        let filter: String = filter.join(" ").chars().filter(|c| !c.is_control()).collect();
        audited(what, format!("[{filter}] {runs}"), done)
    }
}

async fn sweep(operator: &Operator, asked: &Asked, filter: RunFilter, change: Change) -> Result<BulkView, Stopped> {
    let now = operator.clock.now();
    // Runs that come in meanwhile, and those that are made here, are left out.
    let start = operator.mint.run(now);
    let mut before = asked.cursor.map_or(start, |cursor| cursor.min(start));
    let (limit, mut found, mut next) = (asked.limit.unwrap_or(RUNS_MAX), Vec::new(), None);
    let cursor = before.to_string();
    let mut view = BulkView { dry_run: asked.dry_run, matched: 0, done: 0, left_out: 0, cursor, next: None };
    for _ in 0..PAGES_MAX {
        let page = PageRequest { before: Some(before), limit: PAGE.min(limit - view.matched) };
        let page = operator.store.runs(page, filter.clone()).await?;
        view.matched += page.runs.len();
        view.left_out += page.runs.iter().filter(|run| change.leaves_out(run)).count();
        found.extend(page.runs.iter().filter(|run| !change.leaves_out(run)).map(|run| run.id));
        next = page.next;
        match next {
            Some(next) if view.matched < limit => before = next,
            _ => break,
        }
    }
    view.next = next.map(|next| next.to_string());
    if !asked.dry_run {
        if let Change::Replay(_) = change {
            operator.has_room_for(found.len())?;
        }
        // The oldest first: where runs wait for one another, they go on in their old order.
        found.reverse();
        for batch in found.chunks(BATCH) {
            let done = match change.apply(operator, batch).await {
                Ok(done) => done,
                Err(error) if view.done > 0 => {
                    let done = view.done;
                    let told =
                        format!("it was done with {done} runs, and not with the rest: ask for them anew ({error})");
                    return Err(Stopped { done, problem: Problem::from(error).because(told).and_done() });
                }
                Err(error) => return Err(error.into()),
            };
            view.done += done;
            view.left_out += batch.len() - done;
        }
    }
    Ok(view)
}

impl Change {
    fn leaves_out(self, run: &Run) -> bool {
        matches!(self, Change::Replay(Again::No)) && run.replayed.is_some()
    }

    /// How many it was done with.
    async fn apply(self, operator: &Operator, runs: &[RunId]) -> Result<usize, StoreError> {
        let now = operator.clock.now();
        match self {
            Change::Cancel(which) => {
                let done = operator.store.cancel(runs.to_vec(), which, CancelCause::Operator, now).await;
                done.map(|done| done.len())
            }
            Change::Replay(again) => {
                let runs = runs.iter().map(|run| (*run, operator.mint.run(now))).collect();
                operator.store.replay_all(runs, again, now).await.map(|done| done.made.len())
            }
        }
    }
}
