//! The ends of attempts: under one live lease, once, with all of their effects or none.

use hookbox_core::run::RunEvent;
use hookbox_core::time::Timestamp;
use hookbox_store::types::*;
use hookbox_store::{Store, StoreError};

use crate::model::{Model, Seen};
use crate::watch::{Watch, at_once, state_after};

impl Watch {
    pub(crate) fn recorded(&self, node: usize, record: &Record, answer: &Result<Recorded, StoreError>) {
        self.trace.note(format_args!("{node} records {} {}: {answer:?}", record.run, record.event.code()));
        let Ok(recorded) = answer else { return };
        let checked = self.record(&mut self.model(), node, record, recorded);
        self.check("record", checked);
    }

    fn record(&self, model: &mut Model, node: usize, record: &Record, recorded: &Recorded) -> Result<(), String> {
        let id = record.run;
        let Some(run) = model.runs.get_mut(&id) else { return Err(format!("nobody made {id}")) };
        let held = match run.state {
            Seen::Leased { lease, node: holder, .. } => lease == record.lease && holder == node,
            _ => false,
        };
        match recorded {
            Recorded::Stale if held => {
                return Err(format!("{node} holds the lease of {id}, and its record was refused"));
            }
            Recorded::Stale => model.tally.stale += 1,
            _ if !held => return Err(format!("{node} recorded {id} without its lease: {:?}", run.state)),
            Recorded::Conflict => model.tally.conflicts += 1,
            Recorded::Refused(_) | Recorded::QueueFull => model.tally.refused += 1,
            Recorded::Done => return self.done(model, node, record),
        }
        Ok(())
    }

    fn done(&self, model: &mut Model, node: usize, record: &Record) -> Result<(), String> {
        let id = record.run;
        let run = model.runs.get_mut(&id).ok_or("it is gone")?;
        run.state = state_after(&record.event).ok_or_else(|| format!("{:?} ends no attempt", record.event))?;
        let status = run.state.status();
        match &record.event {
            RunEvent::Drained { .. } => model.tally.put_back += 1,
            RunEvent::Succeeded { .. } => {
                run.ended += 1;
                run.successes += 1;
                model.tally.succeeded += 1;
                if run.successes > 1 {
                    return Err(format!("{id} succeeded twice"));
                }
            }
            _ => {
                run.ended += 1;
                model.tally.failed += 1;
            }
        }
        let stored = self.stored(id).map(|run| run.status());
        if stored != Some(status) {
            return Err(format!("{id} is {stored:?} in the store, it should be {status:?}"));
        }
        match &record.changes {
            Some(changes) if status.is_terminal() => self.committed(model, node, record, changes),
            Some(_) => Err(format!("{id} has effects without a success")),
            None => Ok(()),
        }
    }

    fn committed(&self, model: &mut Model, node: usize, record: &Record, changes: &Changes) -> Result<(), String> {
        let (id, now) = (record.run, record.now);
        let told = self
            .stage
            .get()
            .and_then(|stage| stage.told(node, id, record.lease.attempt))
            .ok_or("it was not executed")?;
        self.trace.note(format_args!("{id} at {} was told {told:?}", now.0));
        model.keys.commit(&changes.plugin, &told, now).map_err(|why| format!("{id} was not alone: {why}"))?;
        for (op, _) in &told {
            self.same_value(model, changes, op.key(), now)?;
        }
        for job in &changes.jobs {
            self.enqueue(model, job)?;
        }
        for event in &changes.events {
            model.events.insert(event.event.id, event.runs.iter().map(|run| run.id).collect());
            model.insert_all(&event.runs, event.event.time)?;
        }
        Ok(())
    }

    fn same_value(&self, model: &Model, changes: &Changes, key: &str, now: Timestamp) -> Result<(), String> {
        if key.is_empty() {
            return Ok(());
        }
        let stored = at_once(self.store().kv_get(&changes.plugin, key, now)).and_then(Result::ok).flatten();
        let stored = stored.map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
        let serial = model.keys.value(&changes.plugin, key, now);
        if stored.as_deref() == serial {
            return Ok(());
        }
        Err(format!("{key:?} of {} holds {stored:?}, it should be {serial:?}", changes.plugin))
    }
}
