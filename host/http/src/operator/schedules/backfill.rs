//! Running the slots of a range, whatever became of them.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::name::ScheduleName;
use hookbox_core::schedule::{ScheduleRow, Slots};
use hookbox_core::time::{Millis, NotATime, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::operator::query::{Named, Query};
use crate::operator::{Api, BODY_BYTES_MAX, Operator, asked_in, audited};
use crate::problem::Problem;
use crate::view::schedule::BackfillView;

/// Slots of one backfill.
const SLOTS_MAX: usize = 1000;
/// Slots that are counted where there are more.
const COUNTED_MAX: usize = 100_000;
/// What one commit takes: others wait for it.
const BATCH_MAX: usize = 100;
const BATCH_BYTES: usize = 1 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BackfillRequest")]
pub(in crate::operator) struct Asked {
    from: String,
    to: String,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
}

/// Makes a run for each slot from `from` to before `to`. Slots and verdicts of the schedule stay what they are.
///
/// Each slot has one job of a backfill, whatever range it was asked for with: while that is kept, another is not made.
/// So the same may be asked again after a failure.
pub(in crate::operator) async fn backfill(
    State(operator): Api,
    Named(name): Named<ScheduleName>,
    uri: Uri,
    body: Body,
) -> Result<Json<BackfillView>, Problem> {
    Query::read(&uri, &[])?;
    let asked: Asked = asked_in(body, BODY_BYTES_MAX).await?;
    let (from, to) = range(&asked, operator.clock.now())?;
    let row = operator.store.schedule(&name).await?;
    let slots = row.slots().map_err(|error| Problem::conflict().because(error.to_string()))?;
    // Up to some 100 ms of work: no request should wait for that.
    let counted = tokio::task::spawn_blocking(move || slots_of(&slots, from, to)).await;
    let slots = counted.map_err(|_| Problem::damaged())??;
    if asked.dry_run {
        return Ok(Json(BackfillView::of(&slots, None)));
    }
    operator.has_room_for(slots.len())?;
    let made = audited("backfill schedule", &name, make(&operator, &row, &slots).await)?;
    Ok(Json(BackfillView::of(&slots, Some(made))))
}

fn range(asked: &Asked, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
    let wrong = |name: &str, why: String| Problem::bad_parameter().because(format!("{name}: {why}"));
    let time =
        |name: &str, text: &str| text.parse::<Timestamp>().map_err(|error: NotATime| wrong(name, error.to_string()));
    let (from, to) = (time("from", &asked.from)?, time("to", &asked.to)?);
    if from >= to {
        return Err(wrong("to", format!("must be later than {from}, got {to}")));
    }
    if to > now.plus(Millis(1)) {
        return Err(wrong("to", format!("must not be later than now, {now}: slots to come fire by themselves")));
    }
    Ok((from, to))
}

fn slots_of(slots: &Slots, from: Timestamp, to: Timestamp) -> Result<Vec<Timestamp>, Problem> {
    let first = match from {
        Timestamp(0) => slots.next_after(from),
        from => slots.next_after(from.minus(Millis(1))),
    };
    let all = std::iter::successors(first, |slot| slots.next_after(*slot)).take_while(|slot| *slot < to);
    let all: Vec<Timestamp> = all.take(COUNTED_MAX + 1).collect();
    if all.len() > SLOTS_MAX {
        let number = if all.len() > COUNTED_MAX { format!("over {COUNTED_MAX}") } else { all.len().to_string() };
        let cure = format!("the range has {number} slots, at most {SLOTS_MAX} are taken: ask for parts of it");
        return Err(Problem::bad_parameter().because(cure));
    }
    Ok(all)
}

/// Returns how many runs were made.
async fn make(operator: &Operator, row: &ScheduleRow, slots: &[Timestamp]) -> Result<usize, Problem> {
    let (schedule, catalogue) = (&row.schedule, operator.store.catalogue());
    let bytes = schedule.payload.as_ref().map_or(0, |payload| payload.data.len()).max(1);
    let mut made = 0;
    for batch in slots.chunks((BATCH_BYTES / bytes).clamp(1, BATCH_MAX)) {
        let now = operator.clock.now();
        let job = |slot: &Timestamp| {
            let (key, id) = schedule.backfill_key(*slot);
            let mut new = catalogue.new_extra(schedule, *slot, (id, operator.mint.run(now)), key, now);
            // Among themselves they keep to the schedule's rule.
            new.run.terms.gate = new.run.terms.gate.take().or_else(|| schedule.backfill_gate());
            new
        };
        made += operator.store.enqueue_all(batch.iter().map(job).collect(), now).await?.len();
    }
    Ok(made)
}
