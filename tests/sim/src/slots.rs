//! The slots of schedules, by plain arithmetic: each has one verdict.

use std::collections::{BTreeMap, BTreeSet};

use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::run::RunStatus;
use hookbox_core::schedule::{OPEN_MAX, Overlap, ScheduleRow, SlotCounts, SlotRecord, Verdict, When};
use hookbox_core::time::Timestamp;
use hookbox_store::types::{Fired, Firing, NewJob};
use hookbox_store::{Store, StoreError};

use crate::model::Model;
use crate::watch::{Watch, at_once, follow};

#[derive(Default)]
pub(crate) struct Slots(BTreeMap<ScheduleName, Seen>);

struct Seen {
    row: ScheduleRow,
    /// Slots that had a verdict of their own since it was begun anew.
    decided: BTreeSet<Timestamp>,
    counts: SlotCounts,
    /// Runs of its slots that may be alive.
    open: Vec<RunId>,
    /// Nobody declares it; when it went so many of its slots had come and were undecided.
    gone: Option<u64>,
}

impl Seen {
    fn new(row: &ScheduleRow) -> Seen {
        Seen { decided: BTreeSet::new(), counts: row.counts, open: row.open.clone(), gone: None, row: row.clone() }
    }

    /// Slots that have come and are undecided up to a time: when its rule ends, they are missed.
    fn undecided(&self, until: Timestamp) -> u64 {
        if self.row.left() == Some(0) { 0 } else { slots(&self.row, self.row.decided, until).0 }
    }

    /// Its rule ends, and another begins or the same anew.
    fn close(&mut self, paused: bool, now: Timestamp) {
        let now = now.minus(self.row.schedule.put_off());
        let all = self.undecided(now);
        let in_pause = self.row.paused_until.map_or(0, |until| self.undecided(until.min(now)));
        let in_pause = if paused { all } else { in_pause };
        self.counts.paused += in_pause;
        self.counts.missed += all - in_pause;
    }

    /// It is back: what it had goes on, and what came while it was gone never was.
    fn is_back(&mut self, row: &ScheduleRow, now: Timestamp) -> Result<(), String> {
        let over = self.gone.take().unwrap_or_default();
        let (before, after) = (self.counts, row.counts);
        let passed = |counts: SlotCounts| counts.missed + counts.paused;
        self.counts = SlotCounts { missed: after.missed, paused: after.paused, ..before };
        let phase = self.row.schedule.when == row.schedule.when && self.row.anchor != row.anchor;
        if passed(before) + over != passed(after) || phase || row.decided < self.row.decided.max(now) {
            return Err(format!("it had {before:?} and {over} slots at {:?}, it has {row:?}", self.row.decided));
        }
        Ok(())
    }
}

/// Slots after `from` up to `to`: how many, and the last.
fn slots(row: &ScheduleRow, from: Timestamp, to: Timestamp) -> (u64, Option<Timestamp>) {
    let (anchor, period) = match &row.schedule.when {
        When::Every { period, phase } => (phase.map_or(row.anchor.0, |phase| phase.0), period.0),
        When::Cron { expression, .. } => (0, if expression.starts_with("*/10") { 10_000 } else { 60_000 }),
        When::Once { at } => (at.0, u64::MAX),
    };
    // How many there are up to a time, the anchor itself among them.
    let up_to = |at: Timestamp| at.0.checked_sub(anchor).map_or(0, |gone| gone / period + 1);
    let count = up_to(to).saturating_sub(up_to(from));
    (count, (count > 0).then(|| Timestamp(anchor + (up_to(to) - 1) * period)))
}

impl Watch {
    /// Definitions changed: the store is believed, except that nothing is decided anew unless somebody asked for it, and
    /// that slots whose rule ended are counted.
    pub(crate) fn rescheduled<T>(
        &self,
        what: &str,
        now: Timestamp,
        reset: Option<ScheduleName>,
        answer: &Result<T, StoreError>,
    ) {
        if answer.is_err() {
            return;
        }
        let rows = at_once(self.store().schedules(None, usize::MAX)).and_then(Result::ok).unwrap_or_default();
        self.trace.note(format_args!("{what}: {} schedules", rows.len()));
        let mut model = self.model();
        let (known, mut ended) = (&mut model.slots.0, 0);
        for (name, seen) in known.iter_mut().filter(|(_, seen)| seen.gone.is_none()) {
            if rows.iter().all(|row| row.schedule.name != *name) {
                let until = now.minus(seen.row.schedule.put_off());
                seen.gone = Some(seen.undecided(until));
                seen.row.decided =
                    seen.row.decided.max(slots(&seen.row, seen.row.decided, until).1.unwrap_or_default());
            }
        }
        for row in rows {
            let name = row.schedule.name.clone();
            let seen = known.entry(name.clone()).or_insert_with(|| Seen::new(&row));
            let is_reset = reset.as_ref() == Some(&name);
            if seen.gone.is_some() {
                self.check(what, seen.is_back(&row, now).map_err(|why| format!("{name} is back: {why}")));
            } else if is_reset || seen.row.schedule.when != row.schedule.when {
                let before = seen.counts;
                seen.close(row.pause.is_some(), now);
                ended += seen.counts.missed - before.missed;
            }
            if is_reset {
                seen.decided.clear();
            } else if row.decided < seen.row.decided {
                self.trace.broken(format!("{what}: the mark of {name} goes back from {:?}", seen.row.decided));
            }
            if seen.counts != row.counts {
                self.trace.broken(format!("{what}: {name} has {:?}, seen were {:?}", row.counts, seen.counts));
            }
            let (old, new) = (&seen.row.schedule, &row.schedule);
            let same = (&old.when, &old.target, old.origin) == (&new.when, &new.target, new.origin);
            if row.counted != if same { seen.row.counted } else { 0 } {
                self.trace.broken(format!("{what}: {name} has counted {}, before {}", row.counted, seen.row.counted));
            }
            seen.row = row;
        }
        model.tally.changed += ended;
    }

    pub(crate) fn fired(&self, firing: &Firing, answer: &Result<Fired, StoreError>) {
        let (name, to) = (&firing.schedule, firing.decision.to);
        self.trace.note(format_args!("fire {name} up to {}: {answer:?}", to.0));
        let Ok(Fired::Decided(records)) = answer else { return };
        let checked = self.fire(&mut self.model(), firing, records);
        self.check("fire", checked);
    }

    fn fire(&self, model: &mut Model, firing: &Firing, records: &[SlotRecord]) -> Result<(), String> {
        let (name, decision) = (&firing.schedule, &firing.decision);
        let seen = model.slots.0.get_mut(name).ok_or_else(|| format!("nobody declared {name}"))?;
        if decision.from != seen.row.decided || decision.to.plus(seen.row.schedule.put_off()) > firing.now {
            // A mark may be ahead of a clock that was set back; nothing is decided then.
            if decision.from != decision.to || decision.from != seen.row.decided {
                return Err(format!("{name} is decided from {:?}, its mark is {:?}", decision.from, seen.row.decided));
            }
        }
        let (count, last) = slots(&seen.row, decision.from, decision.to);
        let verdicts = decision.paused.slots + decision.missed.slots + decision.fire.len() as u64;
        if count != verdicts || (count > 0 && last != Some(decision.to)) {
            return Err(format!("{name} has {count} slots up to {last:?}, {verdicts} are decided: {decision:?}"));
        }
        if decision.fire.iter().any(|slot| !seen.decided.insert(*slot)) {
            return Err(format!("{name} decides a slot twice: {:?}", decision.fire));
        }
        seen.row.decided = decision.to;
        seen.counts.missed += decision.missed.slots;
        seen.counts.paused += decision.paused.slots;
        model.tally.missed += decision.missed.slots;
        for (slot, job) in decision.fire.iter().zip(&firing.jobs) {
            let record = records.iter().find(|record| {
                record.slot == *slot && !matches!(record.verdict, Verdict::Missed { .. } | Verdict::Paused { .. })
            });
            let record = record.ok_or_else(|| format!("{slot:?} of {name} has no verdict"))?;
            self.verdict(model, name, record, job)?;
        }
        self.next_is_right(model, name)
    }

    /// One slot that is to fire.
    fn verdict(&self, model: &mut Model, name: &ScheduleName, record: &SlotRecord, job: &NewJob) -> Result<(), String> {
        let Some(mut seen) = model.slots.0.remove(name) else { return Ok(()) };
        let overlap = seen.row.schedule.rules.overlap;
        if overlap == Overlap::CancelRunning {
            self.cancelled_by_overlap(model, &seen.open)?;
        }
        seen.open.retain(|run| model.is_alive(*run));
        let open = seen.open.len();
        let most = match overlap {
            Overlap::Skip | Overlap::CancelRunning => 1,
            Overlap::BufferOne => 2,
            Overlap::BufferAll(most) => most as usize + 1,
            Overlap::Allow => usize::MAX,
        };
        let kept_out = model.holder(&job.run).is_some();
        let counts = &mut seen.counts;
        let (made, count, right) = match &record.verdict {
            Verdict::Fired { run } => (Some(*run), &mut counts.fired, open == 0 || overlap == Overlap::Allow),
            Verdict::Buffered { run } => (Some(*run), &mut counts.buffered, open > 0 && most > 1),
            Verdict::OverlapSkipped => {
                model.tally.overlapped += 1;
                (None, &mut counts.overlap_skipped, kept_out || (open > 0 && overlap == Overlap::Skip))
            }
            Verdict::Dropped => (None, &mut counts.dropped, open >= most),
            _ => (None, &mut counts.missed, false),
        };
        *count += 1;
        if !right || made.is_some_and(|run| run != job.run.id || open >= most) {
            return Err(format!("{name} has {open} runs alive with {overlap:?}: {record:?}"));
        }
        if let Some(run) = made {
            model.tally.fired += 1;
            seen.row.counted += 1;
            seen.open.push(run);
            let surplus = seen.open.len().saturating_sub(OPEN_MAX);
            seen.open.drain(..surplus);
            self.enqueue(model, job)?;
        }
        model.slots.0.insert(name.clone(), seen);
        Ok(())
    }

    fn cancelled_by_overlap(&self, model: &mut Model, open: &[RunId]) -> Result<(), String> {
        for id in open.iter().filter(|id| model.is_alive(**id)).copied().collect::<Vec<_>>() {
            match self.stored(id).filter(|run| run.status() == RunStatus::Cancelled) {
                Some(run) => follow(model, &run)?,
                None => return Err(format!("{id} goes on beside a later slot")),
            }
        }
        Ok(())
    }

    /// The store looks at a schedule when its next slot has come: a wrong one would be late, or never.
    fn next_is_right(&self, model: &Model, name: &ScheduleName) -> Result<(), String> {
        let stored = at_once(self.store().schedule(name)).and_then(Result::ok);
        let Some((stored, seen)) = stored.zip(model.slots.0.get(name)) else { return Ok(()) };
        let next = stored.slots().ok().and_then(|slots| slots.next_after(seen.row.decided));
        let next = next.filter(|_| stored.left() != Some(0));
        match stored.next == next {
            true => Ok(()),
            false => Err(format!("the next slot of {name} is {:?}, it should be {next:?}", stored.next)),
        }
    }

    /// Whether what the store says of its schedules is what was seen.
    pub(crate) fn check_schedules(&self) {
        let rows = at_once(self.store().schedules(None, usize::MAX)).and_then(Result::ok).unwrap_or_default();
        let model = self.model();
        for row in rows {
            let seen = model.slots.0.get(&row.schedule.name).map(|seen| (seen.row.decided, seen.counts));
            if seen != Some((row.decided, row.counts)) {
                let name = &row.schedule.name;
                self.trace.broken(format!("{name}: {:?} {:?}, seen were {seen:?}", row.decided, row.counts));
            }
        }
    }
}
