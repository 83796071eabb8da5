//! The ends of attempts: under one live lease, once, with all of their effects or none.

use hookbox_core::run::RunEvent;
use hookbox_store::StoreError;
use hookbox_store::types::*;

use crate::model::{Model, Seen};
use crate::watch::{Watch, state_after};

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
        let state = state_after(&record.event).ok_or_else(|| format!("{:?} ends no attempt", record.event))?;
        model.moves(id, state)?;
        let run = model.runs.get_mut(&id).ok_or("it is gone")?;
        match &record.event {
            RunEvent::Drained { .. } | RunEvent::Revoked { .. } => model.tally.put_back += 1,
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
        match &record.changes {
            Some(changes) if state.status().is_terminal() => self.committed(model, node, record, changes),
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
        for key in told.iter().map(|(op, _)| op.key()).filter(|key| !key.is_empty()) {
            model.touched.keys.insert((changes.plugin.clone(), key.to_owned(), now));
        }
        for job in &changes.jobs {
            model.enqueue(job)?;
        }
        for event in &changes.events {
            model.events.insert(event.event.id, event.runs.iter().map(|run| run.id).collect());
            model.insert_all(&event.runs, event.event.time)?;
        }
        Ok(())
    }
}
