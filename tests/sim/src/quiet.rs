//! The end: nothing fails any more, and everything must come to its end.

use hookbox_core::attempt::Outcome;
use hookbox_core::clock::Clock;
use hookbox_core::run::RunStatus;
use hookbox_core::time::Millis;
use hookbox_engine::Settings;
use hookbox_store::Store;
use hookbox_store::types::{Claimable, PageRequest, RunFilter};

use crate::model::Seen;
use crate::node::{DOERS, PRUNER, SCHEDULER};
use crate::operator::NAMES;
use crate::stage::Finish;
use crate::watch::at_once;
use crate::world::World;

/// Rounds after which something will never end.
const ROUNDS_MAX: usize = 3000;

impl World {
    pub(crate) async fn come_to_rest(&mut self) {
        self.trace.note(format_args!("from here on nothing fails"));
        self.faults.end();
        self.shared.stage.end_offspring();
        self.shared.settings.store(Settings::default().into());
        for handler in &self.handlers {
            self.shared.stage.put(handler.clone(), true);
        }
        // What is late is done by then.
        self.round().await;
        self.pass(Millis(61_000)).await;
        for held in self.watch.store().holds().0.keys() {
            let _ = self.ingress.hold(held.clone(), None).await;
        }
        self.decide_all().await;
        let _ = self.ingress.declare_schedules(Vec::new(), self.clock.now()).await;
        for name in NAMES {
            let _ = self.ingress.remove_schedule(&name.parse().unwrap(), self.clock.now()).await;
        }
        for _ in 0..ROUNDS_MAX {
            self.round().await;
            if self.is_at_rest() || self.trace.first_broken().is_some() {
                return;
            }
            self.wait_for_work().await;
        }
        self.trace.broken("what is pending does not end".to_owned());
    }

    /// Every slot that is due has its verdict once the scheduler has looked.
    async fn decide_all(&mut self) {
        if self.nodes.is_empty() {
            self.add_node().await;
        }
        let now = self.clock.now();
        self.nodes.iter().for_each(|node| node.tick(SCHEDULER));
        self.settle().await;
        self.watch.check_all_decided(now);
    }

    /// Every doer has its turn, every sender is answered, every execution ends.
    async fn round(&mut self) {
        if self.nodes.is_empty() {
            self.add_node().await;
        }
        for doer in 0..DOERS {
            // Pruning is no hurry.
            if doer < PRUNER || self.rng.one_in(20) {
                self.nodes.iter().for_each(|node| node.tick(doer));
            }
        }
        let unanswered: Vec<u64> =
            self.deliveries().iter().filter(|(_, event)| event.is_none()).map(|(number, _)| *number).collect();
        for number in unanswered {
            self.deliver(number);
        }
        self.settle().await;
        for id in self.shared.stage.waiting() {
            self.shared.stage.finish(id, Finish::With(Outcome::Completed { output: None }));
        }
        self.pass(Millis(50)).await;
    }

    fn is_at_rest(&self) -> bool {
        let model = self.watch.model();
        let alive = model.count(RunStatus::Pending) + model.count(RunStatus::Leased);
        let running: usize = self.nodes.iter().map(|node| node.running()).sum();
        alive + running == 0 && self.deliveries().values().all(Option::is_some)
    }

    async fn wait_for_work(&self) {
        let handlers: Vec<_> = self.handlers.iter().cloned().map(Claimable::new).collect();
        let due = at_once(self.watch.store().next_due(&handlers)).and_then(Result::ok).flatten();
        let leased = self.watch.model().count(RunStatus::Leased);
        let wait = match due {
            Some(due) if leased == 0 => due.since(self.clock.now()).min(Millis(2 * Millis::HOUR.0)),
            _ => Millis::SECOND,
        };
        self.pass(wait.max(Millis(1))).await;
    }

    /// What must hold when everything is over.
    pub(crate) async fn check_end(&self) {
        self.check_runs();
        self.check_store().await;
        self.check_keys();
    }

    fn check_runs(&self) {
        let model = self.watch.model();
        for (id, run) in &model.runs {
            let Seen::Ended(status) = run.state else {
                self.trace.broken(format!("{id} of {} is still {:?}", run.target, run.state));
                continue;
            };
            if run.successes != u64::from(status == RunStatus::Succeeded) {
                self.trace.broken(format!("{id} is {status:?} with {} successes", run.successes));
            }
        }
        let ended = |run| model.runs.get(run).is_some_and(|run| run.state.status().is_terminal());
        for (id, runs) in &model.events {
            if !runs.iter().all(ended) {
                self.trace.broken(format!("{id} was accepted and does not end"));
            }
        }
        for (number, event) in self.deliveries().iter() {
            if !event.is_some_and(|event| model.events.contains_key(&event)) {
                self.trace.broken(format!("delivery {number} was acknowledged as {event:?}, which there is not"));
            }
        }
    }

    async fn check_store(&self) {
        let (store, mut before, mut found) = (self.watch.store(), None, 0);
        loop {
            let page = PageRequest { before, limit: 100 };
            let Ok(page) = store.runs(page, RunFilter::default()).await else { return };
            let model = self.watch.model();
            for run in page.runs {
                found += 1;
                let seen = model.runs.get(&run.id).map(|run| run.state.status());
                if seen != Some(run.status()) {
                    self.trace.broken(format!("{} is {:?} in the store, seen was {seen:?}", run.id, run.status()));
                }
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let (model, counts) = (self.watch.model(), store.counts());
        let kept = model.runs.values().filter(|run| !run.pruned).count();
        if found != kept {
            self.trace.broken(format!("the store lists {found} runs, {kept} should be there"));
        }
        let counted = [counts.succeeded, counts.dead, counts.cancelled, counts.pending, counts.leased];
        let statuses =
            [RunStatus::Succeeded, RunStatus::Dead, RunStatus::Cancelled, RunStatus::Pending, RunStatus::Leased];
        if model.untold > 0 {
            self.trace.broken(format!("{} runs are gone that no pass has told of", model.untold));
        }
        if counts.slots != model.slots {
            self.trace.broken(format!("the store counts {:?}, there were {:?}", counts.slots, model.slots));
        }
        let seen = statuses.map(|status| model.count(status) as u64);
        if counted != seen {
            self.trace.broken(format!("the store counts {counted:?} of {statuses:?}, there are {seen:?}"));
        }
    }

    fn check_keys(&self) {
        let (model, now) = (self.watch.model(), self.clock.now());
        for (plugin, key) in model.keys.keys() {
            self.watch.check_key(&model, &plugin, &key, now);
        }
    }
}
