//! Random histories, run on both stores side by side: what can be observed is
//! the same, and the embedded one's data passes the doctor.

mod step;

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use hookbox_core::clock::Monotonic;
use hookbox_core::effects::KvWrite;
use hookbox_core::event::JobOrigin;
use hookbox_core::gate::{Gate, Order};
use hookbox_core::hold::{Held, Hold};
use hookbox_core::id::{EventId, RunId};
use hookbox_core::name::ScheduleName;
use hookbox_core::policy::Terms;
use hookbox_core::queue::Room;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{BootId, CancelCause, Run, RunEvent};
use hookbox_core::schedule::{Origin, Rules, Schedule, When, decide};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::Store;
use hookbox_store::embedded::SledStore;
use hookbox_store::memory::MemoryStore;
use hookbox_store::types::{
    Again, Cancellable, Changes, Claim, Claimable, Edited, Firing, KvPage, NewEvent, NewJob, NewRun, PageRequest,
    Replay, Rescue, Retention, RunFilter,
};
use proptest::prelude::*;
use step::{End, Step, Wait, Write, step};
use tempfile::TempDir;

use crate::world::{
    NOW, add, attempt, bytes, check, delete, delivery_at, ended, failed, handler, job, new_run, plugin_name, read, set,
    writes,
};

const TARGETS: [&str; 3] = ["a/one", "a/two", "ab/one"];

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

fn terms(wait: &Wait) -> Terms {
    let order = |in_order| if in_order { Order::Accepted } else { Order::Due };
    Terms {
        gate: wait.gate.map(|(key, in_order)| Gate::new(&key.to_string(), order(in_order))),
        unique: wait.unique.map(|key| key.to_string()),
        expires: wait.expires.map(|minutes| Millis(minutes * 60_000)),
        delay: Millis(wait.delay * 60_000),
        ..Terms::default()
    }
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
            Step::Accept { keys, fingerprint, targets, length, wait } => {
                let mut new = self.event(&keys, fingerprint, &targets, length);
                new.runs.iter_mut().for_each(|run| run.terms = terms(&wait));
                both!(self, store => store.accept(new.clone()).await).unwrap();
            }
            Step::Enqueue { target, unique, length, wait } => {
                let mut new = self.job(target, unique, length);
                new.run.terms = Terms { unique: new.run.terms.unique, ..terms(&wait) };
                new.due = now.plus(new.run.terms.delay);
                both!(self, store => store.enqueue(new.clone()).await).unwrap();
            }
            Step::Claim { target, limit, concurrency } => {
                let handlers: Arc<[_]> = [Claimable { concurrency, ..Claimable::new(handler(TARGETS[target])) }].into();
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
                both!(self, store => store.abandon(handler(TARGETS[target]), None, now, 3).await).unwrap();
            }
            Step::Replay { pick, edited } => {
                if let Some(run) = self.pick(pick) {
                    let new = self.new_id();
                    let edited = edited.then(|| Edited {
                        content_type: "text/plain".to_owned(),
                        data: bytes(pick * 9, 4),
                        gate: Some(Gate::new("1", Order::Accepted)),
                    });
                    let replay = Replay { run, new, edited };
                    let _ = both!(self, store => store.replay(replay.clone(), now).await);
                }
            }
            Step::ReplayAll { picks, again } => {
                let runs: Vec<RunId> = picks.into_iter().filter_map(|pick| self.pick(pick)).collect();
                let pairs: Vec<_> = runs.into_iter().map(|run| (run, self.new_id())).collect();
                let again = if again { Again::Yes } else { Again::No };
                both!(self, store => store.replay_all(pairs.clone(), again, now).await).unwrap();
            }
            Step::Cancel { picks } => {
                let runs: Vec<RunId> = picks.into_iter().filter_map(|pick| self.pick(pick)).collect();
                both!(self, store => store.cancel(runs.clone(), Cancellable::Alive, CancelCause::Operator, now).await)
                    .unwrap();
            }
            Step::Expire { limit } => {
                both!(self, store => store.expire(now, limit).await).unwrap();
            }
            Step::Hold { target, held } => {
                let hold = held.then(|| Hold::new(now, Some("why")));
                let held = Held::Handler(handler(TARGETS[target]));
                both!(self, store => store.hold(held.clone(), hold.clone()).await).unwrap();
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

    fn pick(&self, pick: usize) -> Option<RunId> {
        self.runs.get(pick % self.runs.len().max(1)).copied()
    }

    fn new_id(&mut self) -> RunId {
        let new = new_run(TARGETS[0]).id;
        self.runs.push(new);
        new
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
            End::Revoke => (RunEvent::Revoked { attempt: failed(&run), due: self.now }, None),
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
        let firing =
            Firing { schedule: name, basis: row.basis(), decision, jobs, room: Room(1_000_000), now: self.now };
        both!(self, store => store.fire(firing.clone()).await).unwrap();
    }

    async fn prune(&mut self, days: u64, max: u64) {
        let span = Millis(days * Millis::DAY.0);
        let retention = Retention {
            succeeded_for: span,
            succeeded_max: max,
            dead_for: span,
            dead_max: max,
            cancelled_for: span,
            cancelled_max: max,
            events_for: span,
            audit_for: span,
            audit_max: max,
        };
        let now = self.now;
        while both!(self, store => store.prune(now, retention).await).unwrap().more {}
    }

    async fn compare(&self) {
        both!(self, store => store.counts());
        both!(self, store => store.holds());
        both!(self, store => store.schedules(None, 99).await).unwrap();
        both!(self, store => store.schedule_counts(self.now));
        both!(self, store => {
            let mut waiting = store.waiting().await.unwrap();
            waiting.sort_by(|a, b| (&a.handler, a.kind).cmp(&(&b.handler, b.kind)));
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
