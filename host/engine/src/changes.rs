//! From what a handler wants to what is committed: routes, hops and quotas are
//! added by the host.

use hookbox_core::attempt::Call;
use hookbox_core::effects::{Effects, EventRequest, JobRequest};
use hookbox_core::event::{Event, HOPS_MAX, Job, JobOrigin, Source};
use hookbox_core::id::Mint;
use hookbox_core::queue::Room;
use hookbox_core::retry::DeadCause;
use hookbox_core::time::Timestamp;
use hookbox_core::trace::TRACEPARENT;
use hookbox_store::Catalogue;
use hookbox_store::types::{Changes, NewEvent, NewJob, NewRun};

pub(crate) struct Context<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) mint: &'a Mint,
    pub(crate) kv_bytes_max: u64,
    pub(crate) room: Room,
    pub(crate) now: Timestamp,
}

pub(crate) fn of(effects: Effects, call: &Call, context: &Context<'_>) -> Changes {
    let hops = call.hops.saturating_add(1);
    let plugin = call.target.plugin.clone();
    Changes {
        jobs: effects.jobs.into_iter().map(|job| new_job(job, call, hops, context)).collect(),
        events: effects.events.into_iter().map(|event| new_event(event, call, hops, context)).collect(),
        plugin,
        reads: effects.reads,
        scans: effects.scans,
        writes: effects.writes,
        kv_bytes_max: context.kv_bytes_max,
        room: context.room.after(call.hops),
    }
}

/// Runs among them that are dead letters from the start.
pub(crate) fn dead(changes: &Changes) -> usize {
    let of_events = changes.events.iter().flat_map(|event| &event.runs);
    let of_jobs = changes.jobs.iter().map(|job| &job.run);
    of_events.chain(of_jobs).filter(|run| run.dead.is_some()).count()
}

fn looped(hops: u8) -> Option<DeadCause> {
    (hops > HOPS_MAX).then_some(DeadCause::Loop)
}

fn new_job(request: JobRequest, call: &Call, hops: u8, context: &Context<'_>) -> NewJob {
    let job = Job {
        id: request.id,
        origin: JobOrigin::Plugin(call.target.plugin.clone()),
        scheduled_at: request.run_at.unwrap_or(context.now),
        content_type: request.content_type,
        data: request.data,
        hops,
        trace: call.trace.as_ref().map(|trace| trace.context),
    };
    let mut new = context.catalogue.new_job(job, request.run, request.target, context.now);
    new.run.dead = looped(hops);
    new.run.made_by = Some(call.run);
    // What the plugin asks for comes before what its policy says.
    new.due = request.run_at.unwrap_or(new.due);
    new.run.terms.unique = request.unique_key.or(new.run.terms.unique);
    new
}

fn new_event(request: EventRequest, call: &Call, hops: u8, context: &Context<'_>) -> NewEvent {
    let mut attributes = vec![
        ("emitted-by".to_owned(), call.target.to_string()),
        ("integrity".to_owned(), "full".to_owned()),
        ("run".to_owned(), call.run.to_string()),
    ];
    // What it leads to is in the same trace.
    attributes.extend(call.trace.as_ref().map(|trace| (TRACEPARENT.to_owned(), trace.context.to_string())));
    let event = Event {
        id: request.id,
        source: Source::Plugin(call.target.plugin.clone()),
        namespace: request.namespace,
        event_type: request.event_type,
        subject: request.subject,
        time: context.now,
        content_type: request.content_type,
        data: request.data,
        attributes,
        hops,
    };
    let targets = context.catalogue.reach(&event).into_iter();
    let id = || context.mint.run(context.now);
    let runs =
        targets.map(|(target, terms)| NewRun { id: id(), target, dead: looped(hops), made_by: Some(call.run), terms });
    NewEvent { runs: runs.collect(), event, dedupe: Vec::new(), fingerprint: [0; 16] }
}
