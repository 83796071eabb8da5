//! Random histories, run on both stores side by side: what can be observed is
//! the same, and the embedded one's data passes the doctor.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use hookbox_core::clock::Monotonic;
use hookbox_core::effects::KvWrite;
use hookbox_core::event::JobOrigin;
use hookbox_core::id::{EventId, RunId};
use hookbox_core::name::ScheduleName;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{BootId, Run, RunEvent};
use hookbox_core::schedule::{Origin, Rules, Schedule, When, decide};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::Store;
use hookbox_store::embedded::SledStore;
use hookbox_store::memory::MemoryStore;
use hookbox_store::types::{
    Changes, Claim, Claimable, Firing, KvPage, NewEvent, NewJob, NewRun, PageRequest, Replay, Rescue, Retention,
    RunFilter,
};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::world::{
    NOW, add, attempt, bytes, check, delete, delivery_at, ended, failed, handler, job, new_run, plugin_name, read, set,
    writes,
};

const TARGETS: [&str; 3] = ["a/one", "a/two", "ab/one"];

#[derive(Debug, Clone)]
enum Step {
    Accept { keys: Vec<u8>, fingerprint: u8, targets: Vec<usize>, length: usize },
    Enqueue { target: usize, unique: Option<u8>, length: usize },
    Claim { target: usize, limit: usize },
    Record { pick: usize, end: End },
    Rescue { attempts_max: u32 },
    Abandon { target: usize },
    Replay { pick: usize },
    Route { pick: usize, targets: Vec<usize> },
    Declare { schedules: Vec<(u8, u64)> },
    Fire { schedule: u8 },
    Prune { days: u64, max: u64 },
    Wait { minutes: u64 },
    Reopen,
}

#[derive(Debug, Clone)]
enum End {
    Success { writes: Vec<(u8, Write)>, stale: bool, quota: u64, emits: usize, jobs: usize },
    Retry { log: usize },
    Bury,
    Drain,
}

#[derive(Debug, Clone)]
enum Write {
    Set { length: usize, ttl: Option<u64> },
    Add(i64),
    Delete,
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0usize..300, 2 => 4000usize..4200, 1 => 8000usize..40_000]
}

fn end() -> impl Strategy<Value = End> {
    let write = prop_oneof![
        3 => (length(), prop::option::of(0u64..100_000)).prop_map(|(length, ttl)| Write::Set { length, ttl }),
        2 => any::<i8>().prop_map(|delta| Write::Add(delta.into())),
        1 => Just(Write::Delete),
    ];
    let writes = prop::collection::vec((0u8..6, write), 0..5);
    prop_oneof![
        6 => (writes, prop::bool::weighted(0.2), prop_oneof![4 => Just(1u64 << 20), 1 => 0u64..9000], 0usize..3, 0usize..3)
            .prop_map(|(writes, stale, quota, emits, jobs)| End::Success { writes, stale, quota, emits, jobs }),
        2 => length().prop_map(|log| End::Retry { log }),
        1 => Just(End::Bury),
        1 => Just(End::Drain),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (
            prop::collection::vec(0u8..8, 0..3),
            0u8..2,
            prop::collection::vec(0usize..3, 0..4),
            prop_oneof![3 => Just(5usize), 1 => length()],
        ).prop_map(|(keys, fingerprint, targets, length)| Step::Accept { keys, fingerprint, targets, length }),
        3 => (0usize..3, prop::option::of(0u8..3), length())
            .prop_map(|(target, unique, length)| Step::Enqueue { target, unique, length }),
        6 => (0usize..3, 0usize..5).prop_map(|(target, limit)| Step::Claim { target, limit }),
        8 => (any::<prop::sample::Index>(), end()).prop_map(|(pick, end)| Step::Record { pick: pick.index(1000), end }),
        1 => (0u32..4).prop_map(|attempts_max| Step::Rescue { attempts_max }),
        1 => (0usize..3).prop_map(|target| Step::Abandon { target }),
        2 => (0usize..1000).prop_map(|pick| Step::Replay { pick }),
        2 => (0usize..1000, prop::collection::vec(0usize..3, 0..3))
            .prop_map(|(pick, targets)| Step::Route { pick, targets }),
        1 => prop::collection::vec((0u8..3, 1u64..4), 0..3).prop_map(|schedules| Step::Declare { schedules }),
        2 => (0u8..3).prop_map(|schedule| Step::Fire { schedule }),
        1 => (0u64..4, 0u64..6).prop_map(|(days, max)| Step::Prune { days, max }),
        2 => (1u64..1000).prop_map(|minutes| Step::Wait { minutes }),
        1 => Just(Step::Reopen),
    ]
}

struct Pair {
    memory: MemoryStore,
    embedded: Option<SledStore>,
    folder: TempDir,
    now: Timestamp,
    leased: Vec<Run>,
    runs: Vec<RunId>,
    events: BTreeSet<EventId>,
}

/// Runs the same call on both stores and gives the one result.
macro_rules! both {
    ($pair:expr, $store:ident => $call:expr) => {{
        let $store: &dyn Store = &$pair.memory;
        let memory = $call;
        let $store: &dyn Store = $pair.embedded.as_ref().unwrap();
        let embedded = $call;
        assert_eq!(shown(&memory), shown(&embedded));
        embedded
    }};
}

fn shown(value: &impl Debug) -> String {
    format!("{value:?}")
}

impl Pair {
    fn new() -> Pair {
        let folder = TempDir::new().unwrap();
        let embedded = Some(SledStore::open(folder.path()).unwrap());
        let memory = MemoryStore::new().unwrap();
        Pair { memory, embedded, folder, now: NOW, leased: vec![], runs: vec![], events: BTreeSet::new() }
    }

    async fn take(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Accept { keys, fingerprint, targets, length } => {
                let new = self.event(&keys, fingerprint, &targets, length);
                both!(self, store => store.accept(new.clone()).await).unwrap();
            }
            Step::Enqueue { target, unique, length } => {
                let new = self.job(target, unique, length);
                both!(self, store => store.enqueue(new.clone()).await).unwrap();
            }
            Step::Claim { target, limit } => {
                let handlers: Arc<[_]> = [Claimable::new(handler(TARGETS[target]))].into();
                let claim = Claim {
                    handlers,
                    limit,
                    per_plugin_max: usize::MAX,
                    boot: BootId(1),
                    now,
                    until: Monotonic(u64::MAX),
                };
                self.leased.extend(both!(self, store => store.claim(claim.clone()).await).unwrap());
            }
            Step::Record { pick, end } => self.record(pick, end).await,
            Step::Rescue { attempts_max } => {
                let attempts_max: HashMap<_, _> = [(handler(TARGETS[0]), attempts_max)].into();
                let rescue = Rescue { boot: BootId(2), now, monotonic: Monotonic(0), limit: 3, attempts_max };
                both!(self, store => store.rescue(rescue.clone()).await).unwrap();
            }
            Step::Abandon { target } => {
                both!(self, store => store.abandon(handler(TARGETS[target]), now, 3).await).unwrap();
            }
            Step::Replay { pick } => {
                if let Some(run) = self.runs.get(pick % self.runs.len().max(1)).copied() {
                    let new = RunId::from_bytes(new_run(TARGETS[0]).id.to_bytes());
                    self.runs.push(new);
                    let _ = both!(self, store => store.replay(Replay::new(run, new), now).await);
                }
            }
            Step::Route { pick, targets } => {
                let event = self.events.iter().nth(pick % self.events.len().max(1)).copied();
                if let Some(event) = event {
                    let runs: Vec<NewRun> = targets.iter().map(|target| new_run(TARGETS[*target])).collect();
                    self.runs.extend(runs.iter().map(|run| run.id));
                    let _ = both!(self, store => store.route(event, runs.clone(), now).await);
                }
            }
            Step::Declare { schedules } => self.declare(&schedules).await,
            Step::Fire { schedule } => self.fire(schedule).await,
            Step::Prune { days, max } => self.prune(days, max).await,
            Step::Wait { minutes } => self.now = self.now.plus(Millis(minutes * 60_000)),
            Step::Reopen => {
                self.embedded = None;
                self.embedded = Some(SledStore::open(self.folder.path()).unwrap());
            }
        }
    }

    fn event(&mut self, keys: &[u8], fingerprint: u8, targets: &[usize], length: usize) -> NewEvent {
        let mut new = delivery_at(self.now, keys, fingerprint);
        new.runs = targets.iter().map(|target| new_run(TARGETS[*target])).collect();
        new.event.data = bytes(length, fingerprint);
        // Two bodies of one fingerprint are the same.
        new.fingerprint[1..9].copy_from_slice(&(length as u64).to_be_bytes());
        self.runs.extend(new.runs.iter().map(|run| run.id));
        self.events.insert(new.event.id);
        new
    }

    fn job(&mut self, target: usize, unique: Option<u8>, length: usize) -> NewJob {
        let mut new = job(TARGETS[target]);
        new.run.terms.unique = unique.map(|key| key.to_string());
        new.job.data = bytes(length, 9);
        new.job.scheduled_at = self.now;
        new.due = self.now;
        self.runs.push(new.run.id);
        new
    }

    async fn record(&mut self, pick: usize, end: End) {
        let Some(run) = self.leased.get(pick % self.leased.len().max(1)).cloned() else { return };
        let (event, changes) = match end {
            End::Success { writes, stale, quota, emits, jobs } => {
                let changes = self.changes(&run, writes, stale, quota, emits, jobs);
                (RunEvent::Succeeded { attempt: attempt(&run) }, Some(changes))
            }
            End::Retry { log } => {
                let message = "x".repeat(log);
                let outcome = hookbox_core::attempt::Outcome::Trapped { message };
                let attempt = hookbox_core::attempt::Attempt { outcome, ..failed(&run) };
                (RunEvent::FailedForNow { attempt, due: self.now }, None)
            }
            End::Bury => (RunEvent::FailedForGood { attempt: failed(&run), cause: DeadCause::Permanent }, None),
            End::Drain => (RunEvent::Drained { at: self.now }, None),
        };
        let record = hookbox_store::types::Record { now: self.now, ..ended(&run, event, changes) };
        both!(self, store => store.record(record.clone()).await).unwrap();
    }

    fn changes(
        &mut self,
        run: &Run,
        wanted: Vec<(u8, Write)>,
        stale: bool,
        quota: u64,
        emits: usize,
        jobs: usize,
    ) -> Changes {
        let plugin = run.target.plugin.as_str().to_owned();
        let wanted: Vec<KvWrite> = wanted
            .into_iter()
            .map(|(key, write)| {
                let key = format!("k{key}");
                match write {
                    Write::Set { length, ttl } => KvWrite::Set { key, value: bytes(length, 3), ttl: ttl.map(Millis) },
                    Write::Add(delta) => add(&format!("n{key}"), delta),
                    Write::Delete => delete(&key),
                }
            })
            .chain([set("last", run.id.to_string())])
            .collect();
        Changes {
            reads: if stale { vec![read("last", Some(0))] } else { vec![] },
            events: (0..emits).map(|n| self.event(&[n as u8], 1, &[n], 100)).collect(),
            jobs: (0..jobs).map(|n| self.job(n, Some(n as u8), 100)).collect(),
            kv_bytes_max: quota,
            ..writes(&plugin, wanted)
        }
    }

    async fn declare(&mut self, schedules: &[(u8, u64)]) {
        let mut declared: Vec<Schedule> = Vec::new();
        for (name, minutes) in schedules {
            let name = ScheduleName::parse(&format!("s{name}")).unwrap();
            if declared.iter().all(|other| other.name != name) {
                let when = When::every(Millis(minutes * 60_000)).unwrap();
                let target = handler(TARGETS[0]);
                declared.push(Schedule {
                    name,
                    target,
                    when,
                    payload: None,
                    origin: Origin::Config,
                    rules: Rules::default(),
                });
            }
        }
        let now = self.now;
        both!(self, store => store.declare_schedules(declared.clone(), now).await).unwrap();
    }

    async fn fire(&mut self, schedule: u8) {
        let name = ScheduleName::parse(&format!("s{schedule}")).unwrap();
        let Ok(row) = both!(self, store => store.schedule(&name).await) else { return };
        let slots = row.slots().unwrap();
        let Some(decision) = decide(&slots, &row.schedule.rules, row.progress(), self.now) else { return };
        let mut jobs = Vec::new();
        for _ in &decision.fire {
            let mut job = self.job(0, None, 10);
            job.job.origin = JobOrigin::Schedule(name.clone());
            jobs.push(job);
        }
        let firing = Firing { schedule: name, basis: row.basis(), decision, jobs, now: self.now };
        both!(self, store => store.fire(firing.clone()).await).unwrap();
    }

    async fn prune(&mut self, days: u64, max: u64) {
        let span = Millis(days * Millis::DAY.0);
        let retention =
            Retention { succeeded_for: span, succeeded_max: max, dead_for: span, dead_max: max, events_for: span };
        let now = self.now;
        while both!(self, store => store.prune(now, retention).await).unwrap().more {}
    }

    async fn compare(&self) {
        both!(self, store => store.counts());
        both!(self, store => store.schedules(None, 99).await).unwrap();
        both!(self, store => {
            let mut waiting = store.waiting().await.unwrap();
            waiting.sort_by(|a, b| a.handler.cmp(&b.handler));
            waiting
        });
        both!(self, store => store.next_due(&TARGETS.map(handler).map(Claimable::new)).await).unwrap();
        for run in &self.runs {
            let _ = both!(self, store => store.run(*run).await);
        }
        for event in &self.events {
            let _ = both!(self, store => store.event(*event).await);
        }
        for limit in [3, 100] {
            let mut before = None;
            while let Some(next) = both!(self, store => store.events(PageRequest { before, limit }).await).unwrap().next
            {
                before = Some(next);
            }
            let mut before = None;
            while let Some(next) =
                both!(self, store => store.unrouted(PageRequest { before, limit }).await).unwrap().next
            {
                before = Some(next);
            }
            let mut after = None;
            while let Some(last) = both!(self, store => store.oldest_unrouted(after, limit).await).unwrap().last() {
                after = Some(*last);
            }
            let mut before = None;
            while let Some(next) =
                both!(self, store => store.runs(PageRequest { before, limit }, RunFilter::default()).await)
                    .unwrap()
                    .next
            {
                before = Some(next);
            }
        }
        for plugin in ["a", "ab"].map(plugin_name) {
            both!(self, store => store.kv_used(&plugin).await).unwrap();
            for now in [NOW, self.now] {
                let page = KvPage { prefix: String::new(), after: None, limit: 99 };
                for key in both!(self, store => store.kv_list(&plugin, page.clone(), now).await).unwrap() {
                    both!(self, store => store.kv_get(&plugin, &key, now).await).unwrap();
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_tell_the_same_story(steps in prop::collection::vec(step(), 1..90)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pair = runtime.block_on(async {
            let mut pair = Pair::new();
            for step in steps {
                pair.take(step).await;
            }
            pair.compare().await;
            pair.take(Step::Reopen).await;
            pair.compare().await;
            pair
        });
        let Pair { embedded, folder, .. } = pair;
        drop(embedded);
        check(folder.path());
    }
}
