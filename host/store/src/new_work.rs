//! Runs as they are taken in: queued as the policies of their handlers say.

use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::id::{JobId, RunId};
use hookbox_core::name::HandlerRef;
use hookbox_core::policy::Terms;
use hookbox_core::route::filter::Subject;
use hookbox_core::schedule::Schedule;
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
        NewJob { job, run: NewRun { id: run, target, dead: None, terms }, due }
    }

    /// A firing of a schedule, for this slot. `key` is its idempotency key.
    pub fn new_firing(
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
        let job = Job { id: job, origin, scheduled_at: slot, content_type, data, hops: 0 };
        let mut new = self.new_job(job, run, schedule.target.clone(), now);
        let terms = &mut new.run.terms;
        terms.own = schedule.rules.policy;
        terms.idempotency_key = Some(key);
        // A key of the handler's own keeps apart the runs of one schedule, too: all carry the same payload.
        terms.gate = terms.gate.take().or_else(|| schedule.gate());
        new
    }
}
