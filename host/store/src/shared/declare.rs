//! Changes of schedules that are more than one commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_core::name::ScheduleName;
use hookbox_core::schedule::Schedule;
use hookbox_core::time::Timestamp;

use super::{Backend, Ledgered};
use crate::Store;
use crate::error::StoreError;
use crate::ledger::{Ending, is_declared_by};
use crate::query;

/// Schedules whose declarations one commit changes.
const DECLARED_AT_ONCE: usize = 1000;

/// Makes these the declarations of plugins and hooks.yaml. Returns once all of it is on disk; what a stop leaves
/// undone is declared at the next start.
pub(super) async fn declare<B: Backend>(
    store: &Ledgered<B>,
    declared: Vec<Schedule>,
    now: Timestamp,
) -> Result<(), StoreError> {
    // One at a time: what is declared stays what is seen here. Most of it is so already, and is no work for a group.
    let _turn = store.backend.state().declaring.lock().await;
    let mut declarations = BTreeMap::<ScheduleName, Vec<Schedule>>::new();
    for schedule in declared {
        declarations.entry(schedule.name.clone()).or_default().push(schedule);
    }
    let (mut changed, mut far_behind, mut after) = (BTreeMap::new(), Vec::new(), None);
    loop {
        let rows = store.schedules(after.as_ref(), query::PAGE_MAX).await?;
        for row in &rows {
            let name = &row.schedule.name;
            let mut declared = declarations.remove(name).unwrap_or_default();
            if !is_declared_by(row, &mut declared) {
                far_behind.extend(row.is_far_behind(now).then(|| (name.clone(), declared.clone())));
                changed.insert(name.clone(), declared);
            }
        }
        after = match rows.last() {
            Some(last) if rows.len() == query::PAGE_MAX => Some(last.schedule.name.clone()),
            _ => break,
        };
        tokio::task::yield_now().await;
    }
    changed.append(&mut declarations);
    for (name, declared) in far_behind {
        close(store, &name, Ending::Declared(declared), now).await?;
    }
    while !changed.is_empty() {
        let rest = changed.keys().nth(DECLARED_AT_ONCE).cloned().map(|first| changed.split_off(&first));
        let some = std::mem::replace(&mut changed, rest.unwrap_or_default());
        store.change(move |ledger| ledger.declare_schedules(some, now)).await?;
    }
    Ok(())
}

/// Gives the slots of a schedule that end their verdicts, in steps, where they are very many. What is left is few.
pub(super) async fn close<B: Backend>(
    store: &Ledgered<B>,
    name: &ScheduleName,
    ending: Ending,
    now: Timestamp,
) -> Result<(), StoreError> {
    match store.schedule(name).await {
        Ok(row) if row.is_far_behind(now) => {}
        Ok(_) | Err(StoreError::NotFound(_)) => return Ok(()),
        Err(error) => return Err(error),
    }
    let ending = Arc::new(ending);
    loop {
        let (name, ending) = (name.clone(), Arc::clone(&ending));
        if !store.change(move |ledger| ledger.close_some(&name, &ending, now)).await? {
            return Ok(());
        }
    }
}
