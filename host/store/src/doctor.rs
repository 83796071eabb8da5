//! Reading a stopped host's data and checking it.

use std::ops::ControlFlow;
use std::path::Path;

use hookbox_core::id::{EventId, RunId};
use hookbox_core::run::{RunStatus, Work};

use crate::Store;
use crate::counts::Counts;
use crate::durable;
use crate::embedded::SledStore;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::shared::Backend;
use crate::{codec, query, suppressed, values};

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub events: u64,
    /// Of those: without runs.
    pub unrouted: u64,
    pub live_runs: u64,
    pub ended_runs: u64,
    pub schedules: u64,
    pub plugins: u64,
    pub kv_keys: u64,
    /// Everything that is not as it must be.
    pub faults: Vec<String>,
}

/// Faults that are listed; more than that are counted only.
const FAULTS_MAX: usize = 100;

impl Report {
    fn fault(&mut self, what: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(what);
        }
    }
}

/// Reads every row of every kind and checks that what belongs together is there: the runs of each event, the event or
/// job of each run, the body of each event, and nothing that belongs to something gone.
pub fn check(store: &SledStore) -> Result<Report, StoreError> {
    let tree = store.backend().tree()?;
    let tree = &*tree;
    let mut report = Report {
        schedules: query::schedules(tree, None, usize::MAX)?.len() as u64,
        plugins: query::plugins(tree)?.len() as u64,
        ..Report::default()
    };
    let counts = store.counts();
    let gone = check_events(tree, &mut report)?;
    if gone > counts.runs_pruned {
        report.fault(format!("events have {gone} runs that are not there, and {} were pruned", counts.runs_pruned));
    }
    let mut ended = Counts::default();
    for (place, live) in [(keys::LIVE_RUN, true), (keys::ENDED_RUN, false)] {
        check_runs(tree, place, live, &mut ended, &mut report)?;
    }
    let (counted, there) =
        ([counts.succeeded, counts.dead, counts.cancelled], [ended.succeeded, ended.dead, ended.cancelled]);
    if counted != there {
        report.fault(format!("runs succeeded, dead and cancelled are {there:?}, counted are {counted:?}"));
    }
    let (counted, there) = (counts.dead_replayed.unwrap_or(0), ended.dead_replayed.unwrap_or(0));
    if counted != there {
        report.fault(format!("dead letters that were replayed are {there}, counted are {counted}"));
    }
    check_aside(tree, ended.dead + ended.cancelled, &mut report)?;
    check_unrouted(tree, counts.unrouted, &mut report)?;
    check_suppressed(tree, &mut report)?;
    check_made_by(tree, &mut report)?;
    check_parts(tree, &mut report)?;
    tree.scan(&[keys::KV], &keys::end_of(&[keys::KV]), Order::Ascending, &mut |key, stored| {
        report.kv_keys += 1;
        match values::open(tree, key, stored)?.map(|row| codec::decode::<codec::KvV1>(&row)) {
            Some(Ok(_)) => {}
            _ => report.fault(format!("a key of a plugin does not read: {}", String::from_utf8_lossy(key))),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(report)
}

/// Returns how many runs of events are gone.
fn check_events(tree: &dyn Read, report: &mut Report) -> Result<u64, StoreError> {
    let mut gone = 0;
    tree.scan(&[keys::EVENT], &keys::end_of(&[keys::EVENT]), Order::Ascending, &mut |key, _| {
        let Some(id) = keys::id_of(key).map(EventId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        report.events += 1;
        match query::event(tree, id) {
            Err(error) => report.fault(format!("event {id}: {error}")),
            Ok(record) if record.event.data.len() as u64 != record.data_bytes => {
                report.fault(format!("event {id}: its body has another length"));
            }
            Ok(record) => {
                report.unrouted += u64::from(record.runs.is_empty());
                for run in record.runs {
                    match query::run(tree, run) {
                        Ok(_) => {}
                        Err(StoreError::NotFound(_)) => gone += 1,
                        Err(error) => report.fault(format!("event {id}: {error}")),
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(gone)
}

/// Every mark is of an event without runs, and every such event has one.
fn check_unrouted(tree: &dyn Read, counted: u64, report: &mut Report) -> Result<(), StoreError> {
    let mut marks = 0;
    tree.scan(&[keys::UNROUTED], &keys::end_of(&[keys::UNROUTED]), Order::Ascending, &mut |key, _| {
        marks += 1;
        let runs = keys::id_of(key).map(|id| query::event(tree, EventId::from_bytes(id)).map(|event| event.runs));
        if !matches!(runs, Some(Ok(runs)) if runs.is_empty()) {
            report.fault("an event is marked as unrouted, and is gone or has runs".to_owned());
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if (marks, counted) != (report.unrouted, report.unrouted) {
        let there = report.unrouted;
        report.fault(format!("{there} events are unrouted, {marks} are marked and {counted} counted"));
    }
    Ok(())
}

/// Every mark is of a run that has ended and did not succeed, and every such run has one.
fn check_aside(tree: &dyn Read, there: u64, report: &mut Report) -> Result<(), StoreError> {
    let mut marks = 0;
    tree.scan(&[keys::ASIDE], &keys::end_of(&[keys::ASIDE]), Order::Ascending, &mut |key, _| {
        marks += 1;
        let run = keys::id_of(key).map(|id| query::run(tree, RunId::from_bytes(id)).map(|run| run.status()));
        if !matches!(run, Some(Ok(RunStatus::Dead | RunStatus::Cancelled))) {
            report.fault("a run is marked as one that did not succeed, and is gone or did".to_owned());
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if marks != there {
        report.fault(format!("{there} runs have ended and did not succeed, {marks} are marked"));
    }
    Ok(())
}

/// Every duplicate that is kept reads, and its body is there unless that went with the first event's.
fn check_suppressed(tree: &dyn Read, report: &mut Report) -> Result<(), StoreError> {
    tree.scan(&[keys::SUPPRESSED], &keys::end_of(&[keys::SUPPRESSED]), Order::Ascending, &mut |key, _| {
        let Some(id) = keys::id_of(key).map(EventId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        match suppressed::one(tree, id) {
            Ok(one) if one.event.data.len() as u64 != one.data_bytes => {
                report.fault(format!("suppressed delivery {id}: its body has another length"));
            }
            Ok(_) | Err(StoreError::Conflict(_)) => {}
            Err(error) => report.fault(format!("suppressed delivery {id}: {error}")),
        }
        if let Some(row) = values::get(tree, key)? {
            let decoded = suppressed::decode(id, &row)?;
            let index = keys::suppressed_of(&decoded.shown.first.to_bytes(), &decoded.fingerprint);
            if values::get(tree, &index)?.is_none_or(|known| known != id.to_bytes()) {
                report.fault(format!("suppressed delivery {id} is not found by what it repeats"));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// Every mark of who asked for a run is of a run that says the same, and every such run has one.
fn check_made_by(tree: &dyn Read, report: &mut Report) -> Result<(), StoreError> {
    tree.scan(&[keys::MADE_BY], &keys::end_of(&[keys::MADE_BY]), Order::Ascending, &mut |key, _| {
        let ids = key.get(1..17).and_then(|id| id.first_chunk()).zip(key.get(17..).and_then(|id| id.first_chunk()));
        let made = ids.map(|(maker, run)| (RunId::from_bytes(*maker), query::run(tree, RunId::from_bytes(*run))));
        if !matches!(made, Some((maker, Ok(run))) if run.made_by == Some(maker)) {
            report.fault("a run is marked as asked for by another, and is gone or was not".to_owned());
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// Rows that belong to another row.
fn check_parts(tree: &dyn Read, report: &mut Report) -> Result<(), StoreError> {
    for kind in [keys::CHUNK, keys::BODY, keys::DETAIL, keys::DEDUPE, keys::UNIQUE, keys::SUPPRESSED_OF] {
        tree.scan(&[kind], &keys::end_of(&[kind]), Order::Ascending, &mut |key, stored| {
            let event = |id: [u8; 16]| Ok(tree.get(&keys::event(EventId::from_bytes(id)))?.is_some());
            let run = |id: [u8; 16]| match query::run(tree, RunId::from_bytes(id)) {
                Ok(_) => Ok(true),
                Err(StoreError::NotFound(_)) => Ok(false),
                Err(error) => Err(error),
            };
            let suppressed = |id: [u8; 16]| Ok(tree.get(&keys::suppressed(EventId::from_bytes(id)))?.is_some());
            let row = || values::open(tree, key, stored).map(Option::unwrap_or_default);
            let belongs = match kind {
                keys::CHUNK => values::is_in_use(tree, key, stored)?,
                keys::BODY => keys::id_of(key).map_or(Ok(false), |id| Ok(event(id)? || suppressed(id)?))?,
                keys::DETAIL => keys::id_of(key).map_or(Ok(false), run)?,
                keys::SUPPRESSED_OF => row()?.try_into().map_or(Ok(false), suppressed)?,
                keys::DEDUPE => event(codec::decode::<codec::DedupeV1>(&row()?)?.event)?,
                _ => row()?.try_into().map_or(Ok(false), run)?,
            };
            if !belongs {
                let kind = char::from(kind);
                report.fault(format!("a row of the kind {kind:?} belongs to nothing that is there"));
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(())
}

fn check_runs(
    tree: &dyn Read,
    place: u8,
    live: bool,
    ended: &mut Counts,
    report: &mut Report,
) -> Result<(), StoreError> {
    tree.scan(&[place], &keys::end_of(&[place]), Order::Ascending, &mut |key, _| {
        let Some(id) = keys::id_of(key).map(RunId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        let counter = if live { &mut report.live_runs } else { &mut report.ended_runs };
        *counter += 1;
        match query::run(tree, id) {
            Err(error) => report.fault(format!("run {id}: {error}")),
            Ok(run) => {
                if run.status().is_terminal() == live {
                    report.fault(format!("run {id}: a {} run is in the wrong place", run.status().code()));
                }
                match run.status() {
                    RunStatus::Succeeded => ended.succeeded += 1,
                    RunStatus::Dead => {
                        ended.dead += 1;
                        ended.dead_replayed(|runs| runs + u64::from(run.replayed.is_some()));
                    }
                    RunStatus::Cancelled => ended.cancelled += 1,
                    RunStatus::Pending | RunStatus::Leased => {}
                }
                let mark = run.made_by.map(|maker| tree.get(&keys::made_by(maker, id))).transpose()?;
                if matches!(mark, Some(None)) {
                    report.fault(format!("run {id} is not found by the run that asked for it"));
                }
                let work = match run.work {
                    Work::Event(event) => query::event(tree, event).map(|_| ()),
                    Work::Job(job) => query::job(tree, job).map(|_| ()),
                };
                if let Err(error) = work {
                    report.fault(format!("run {id}: {error}"));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// True if the event or run with this id is there.
pub fn has(store: &SledStore, id: &str) -> Result<bool, StoreError> {
    let tree = store.backend().tree()?;
    let tree = &*tree;
    let found = match (id.parse::<EventId>(), id.parse::<RunId>()) {
        (Ok(event), _) => query::event(tree, event).map(|_| ()),
        (_, Ok(run)) => query::run(tree, run).map(|_| ()),
        (Err(_), Err(_)) => return Ok(false),
    };
    match found {
        Ok(()) => Ok(true),
        Err(StoreError::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// True while somebody has the store in this folder open.
pub fn is_open(folder: &Path) -> Result<bool, StoreError> {
    durable::is_locked(folder)
}

/// Opens the data of a host that is not running.
pub fn open(folder: &Path) -> Result<SledStore, StoreError> {
    if !folder.join("db").exists() {
        return Err(StoreError::NotFound(format!("store in {}", folder.display())));
    }
    SledStore::open(folder)
}
