//! Removing what is older than it must be kept, a step at a time.

use std::ops::ControlFlow;

use hookbox_core::id::{EventId, RunId};
use hookbox_core::run::{RunStatus, Work};
use hookbox_core::time::{Millis, Timestamp};

use super::Ledger;
use crate::codec::{self, DedupeV1, StoredEvent, StoredRun};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::query;
use crate::types::{Pruned, Retention};
use crate::values;

/// Rows that one step looks at: the commit thread has others to serve.
const STEP_ROWS: usize = 256;

/// Keys that one step removes, in bytes: a large body has many chunks.
const STEP_BYTES: usize = 256 << 10;

/// Where the next step goes on: a pass looks at the runs, then the events, then what was suppressed, then the audit log, then what writes with a key were answered, then the plugins' keys. Lost at a restart,
/// which begins a pass anew.
#[derive(Debug, Default, Clone)]
pub(crate) struct PruneCursor {
    stage: Stage,
    from: Option<Vec<u8>>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Stage {
    #[default]
    Runs,
    Events,
    Suppressed,
    Audit,
    Requests,
    Kv,
}

impl Ledger<'_> {
    pub(crate) fn prune(
        &mut self,
        cursor: &mut PruneCursor,
        now: Timestamp,
        retention: &Retention,
    ) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        loop {
            let from = cursor.from.take();
            let (next, then) = match cursor.stage {
                Stage::Runs => (self.prune_runs(from, now, retention, &mut pruned)?, Some(Stage::Events)),
                Stage::Events => (self.prune_events(from, now, retention, &mut pruned)?, Some(Stage::Suppressed)),
                Stage::Suppressed => (self.prune_suppressed(from, now, retention, &mut pruned)?, Some(Stage::Audit)),
                Stage::Audit => (self.prune_audit(now, retention, &mut pruned)?, Some(Stage::Requests)),
                Stage::Requests => (self.prune_requests(now)?, Some(Stage::Kv)),
                Stage::Kv => (self.prune_kv(from, now, &mut pruned)?, None),
            };
            if next.is_some() {
                cursor.from = next;
                pruned.more = true;
                return Ok(pruned);
            }
            cursor.stage = then.unwrap_or_default();
            if then.is_none() {
                return Ok(pruned);
            }
        }
    }

    fn prune_runs(
        &mut self,
        from: Option<Vec<u8>>,
        now: Timestamp,
        retention: &Retention,
        pruned: &mut Pruned,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let from = from.unwrap_or_else(|| vec![keys::ENDED_RUN]);
        // A run ends after it is made, so a young one cannot be too old; only a surplus reaches it.
        let young = retention.succeeded_for.min(retention.dead_for).min(retention.cancelled_for);
        let surplus = self.counts.succeeded > retention.succeeded_max
            || self.counts.dead > retention.dead_max
            || self.counts.cancelled > retention.cancelled_max;
        let old = |id| surplus || now.since(RunId::from_bytes(id).time()) > young;
        let (rows, next) = self.rows(&from, keys::ENDED_RUN, old)?;
        let full = self.tree.bytes() + STEP_BYTES;
        for (id, key) in rows {
            if self.tree.bytes() > full {
                return Ok(Some(key));
            }
            let id = RunId::from_bytes(id);
            let Some(row) = values::get(&self.tree, &key)? else { continue };
            let stored = codec::decode_run(id, &row)?;
            let (kept_for, kept, max) = match stored.run.status() {
                RunStatus::Dead => (retention.dead_for, self.counts.dead, retention.dead_max),
                RunStatus::Cancelled => (retention.cancelled_for, self.counts.cancelled, retention.cancelled_max),
                _ => (retention.succeeded_for, self.counts.succeeded, retention.succeeded_max),
            };
            let ended = stored.run.finished().unwrap_or(now);
            if now.since(ended) > kept_for || kept > max {
                pruned.dead += u64::from(stored.run.status() == RunStatus::Dead);
                pruned.runs += 1;
                self.remove_run(stored)?;
            }
        }
        Ok(next)
    }

    fn remove_run(&mut self, stored: StoredRun) -> Result<(), StoreError> {
        let run = stored.run;
        for number in stored.apart {
            values::remove(&mut self.tree, keys::attempt_detail(run.id, number))?;
        }
        let mut unique = run.unique;
        match run.work {
            Work::Job(job) => {
                let row = values::get(&self.tree, &keys::job(job))?;
                unique = unique.or(row.map(|row| codec::unique_of_job(&row)).transpose()?.flatten());
                values::remove(&mut self.tree, keys::job(job))?;
            }
            Work::Event(event) => self.tree.delete(keys::replay(event, run.id)),
        }
        if let Some(key) = unique.map(|hash| keys::unique(&run.target, &hash))
            && values::get(&self.tree, &key)?.is_some_and(|holder| holder == run.id.to_bytes())
        {
            self.tree.delete(key);
        }
        values::remove(&mut self.tree, keys::ended_run(run.id))?;
        values::remove(&mut self.tree, keys::aside(run.id))?;
        if let Some(maker) = run.made_by {
            self.tree.delete(keys::made_by(maker, run.id));
        }
        self.counts.runs_pruned += 1;
        match run.status() {
            RunStatus::Dead => {
                self.counts.dead = self.counts.dead.saturating_sub(1);
                if run.replayed.is_some() {
                    self.counts.dead_replayed(|runs| runs.saturating_sub(1));
                }
            }
            RunStatus::Cancelled => self.counts.cancelled = self.counts.cancelled.saturating_sub(1),
            _ => self.counts.succeeded = self.counts.succeeded.saturating_sub(1),
        }
        Ok(())
    }

    fn prune_events(
        &mut self,
        from: Option<Vec<u8>>,
        now: Timestamp,
        retention: &Retention,
        pruned: &mut Pruned,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let from = from.unwrap_or_else(|| vec![keys::EVENT]);
        let old = |id| now.since(EventId::from_bytes(id).time()) > retention.events_for.max(Millis(1));
        let (rows, next) = self.rows(&from, keys::EVENT, old)?;
        let full = self.tree.bytes() + STEP_BYTES;
        for (id, key) in rows {
            if self.tree.bytes() > full {
                return Ok(Some(key));
            }
            let id = EventId::from_bytes(id);
            let Some(row) = values::get(&self.tree, &key)? else { continue };
            let stored = codec::decode_event(id, &row)?;
            let mut runs = stored.runs.clone();
            runs.extend(query::replays(&self.tree, id)?);
            let kept = self.any_is_kept(&runs)?;
            let Some(marks) = self.expired_marks(&stored, now)?.filter(|_| !kept) else { continue };
            for mark in marks {
                self.tree.delete(mark);
            }
            if stored.body_apart {
                values::remove(&mut self.tree, keys::event_body(id))?;
            }
            values::remove(&mut self.tree, key)?;
            self.remove_unrouted_mark(id)?;
            pruned.events += 1;
        }
        Ok(next)
    }

    /// A duplicate waits for an operator as long as an event that no handler wanted.
    fn prune_suppressed(
        &mut self,
        from: Option<Vec<u8>>,
        now: Timestamp,
        retention: &Retention,
        pruned: &mut Pruned,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let from = from.unwrap_or_else(|| vec![keys::SUPPRESSED]);
        let old = |id| now.since(EventId::from_bytes(id).time()) > retention.events_for.max(Millis(1));
        let (rows, next) = self.rows(&from, keys::SUPPRESSED, old)?;
        let full = self.tree.bytes() + STEP_BYTES;
        for (id, key) in rows {
            if self.tree.bytes() > full {
                return Ok(Some(key));
            }
            self.remove_suppressed(EventId::from_bytes(id))?;
            pruned.suppressed += 1;
        }
        Ok(next)
    }

    /// The dedupe keys that are still the event's own; nothing while one of them holds: a duplicate is told its id.
    fn expired_marks(&self, stored: &StoredEvent, now: Timestamp) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        let mut own = Vec::new();
        for key in stored.dedupe.iter().map(keys::dedupe) {
            let mark = values::get(&self.tree, &key)?.map(|row| codec::decode::<DedupeV1>(&row)).transpose()?;
            if let Some(mark) = mark.filter(|mark| mark.event == stored.event.id.to_bytes()) {
                if mark.until > now.0 {
                    return Ok(None);
                }
                own.push(key);
            }
        }
        Ok(Some(own))
    }

    fn any_is_kept(&self, runs: &[RunId]) -> Result<bool, StoreError> {
        for run in runs {
            if self.is_alive(*run)? || self.tree.get(&keys::ended_run(*run))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next few keys with a prefix of one byte and an id, as long as the id is old enough; and where to go on.
    #[expect(clippy::type_complexity, reason = "an id, its key, and a cursor: a type for it would say no more")]
    fn rows(
        &self,
        from: &[u8],
        prefix: u8,
        old: impl Fn([u8; 16]) -> bool,
    ) -> Result<(Vec<([u8; 16], Vec<u8>)>, Option<Vec<u8>>), StoreError> {
        let (mut rows, mut next) = (Vec::new(), None);
        self.tree.scan(from, &keys::end_of(&[prefix]), Order::Ascending, &mut |key, _| {
            let Some(id) = keys::id_of(key).filter(|id| old(*id)) else { return Ok(ControlFlow::Break(())) };
            if rows.len() == STEP_ROWS {
                next = Some(key.to_vec());
                return Ok(ControlFlow::Break(()));
            }
            rows.push((id, key.to_vec()));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((rows, next))
    }
}
