//! Runs as they are taken in: queued as the policies of their handlers say.

use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::gate::Order;
use hookbox_core::id::{JobId, RunId};
use hookbox_core::name::HandlerRef;
use hookbox_core::policy::Terms;
use hookbox_core::route::filter::Subject;
use hookbox_core::schedule::{Overlap, Schedule};
use hookbox_core::time::Timestamp;

use crate::catalogue::Catalogue;
use crate::types::{NewJob, NewRun};

impl Catalogue {
    /// How a run of this event or job waits, by the handler's policy.
    pub fn terms(&self, target: &HandlerRef, subject: &Subject<'_>) -> Terms {
        self.handler(target).map(|handler| handler.policy.terms(subject)).unwrap_or_default()
    }

    /// A job of the handler: due at once, unless the handler's policy puts it off.
    pub fn new_job(&self, job: Job, run: RunId, target: HandlerRef, now: Timestamp) -> NewJob {
        let terms = self.terms(&target, &Subject::of_job(&job));
        let due = now.plus(terms.delay);
        NewJob { job, run: NewRun { id: run, target, dead: None, made_by: None, terms }, due }
    }

    /// The run of a slot. `key` is its idempotency key.
    pub fn new_firing(
        &self,
        schedule: &Schedule,
        slot: Timestamp,
        ids: (JobId, RunId),
        key: String,
        now: Timestamp,
    ) -> NewJob {
        let mut new = self.new_extra(schedule, slot, ids, key, now);
        let gate = &mut new.run.terms.gate;
        let waits = matches!(schedule.rules.overlap, Overlap::BufferOne | Overlap::BufferAll(_));
        match gate {
            // A key of the handler's own keeps apart the runs of one schedule, too: all carry the same payload.
            Some(own) if waits => own.order = Order::Accepted,
            Some(_) => {}
            None => *gate = schedule.gate(),
        }
        new
    }

    /// A run of a schedule that is none of its slots: made by hand or by a backfill. It waits for no run of a slot, and
    /// none waits for it.
    pub fn new_extra(
        &self,
        schedule: &Schedule,
        slot: Timestamp,
        (job, run): (JobId, RunId),
        key: String,
        now: Timestamp,
    ) -> NewJob {
        let payload = schedule.payload.clone().map(|payload| (payload.content_type, payload.data));
        let (content_type, data) = payload.unwrap_or_else(|| ("application/json".to_owned(), Vec::new()));
        let origin = JobOrigin::Schedule(schedule.name.clone());
        let job = Job { id: job, origin, scheduled_at: slot, content_type, data, hops: 0, trace: None };
        let mut new = self.new_job(job, run, schedule.target.clone(), now);
        let terms = &mut new.run.terms;
        terms.own = schedule.rules.policy;
        terms.idempotency_key = Some(key);
        new
    }
}
