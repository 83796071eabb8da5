//! Runs that have ended and did not succeed: each has a mark, so that nobody looks for them among all that did.

use std::ops::ControlFlow;

use hookbox_core::id::RunId;
use hookbox_core::run::RunStatus;

use crate::codec;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Changed, Order, Read};
use crate::values;

/// Marks that one write sets.
const MARKS_MAX: usize = 4096;

/// Marks the runs of a store that older releases wrote. Cut off, it begins anew at the next start.
pub(crate) fn mark_all(
    tree: &dyn Read,
    mut write: impl FnMut(Changed) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if tree.get(keys::ALL_ASIDE)?.is_some() {
        return Ok(());
    }
    let mut marks = Changed::new();
    tree.scan(&[keys::ENDED_RUN], &keys::end_of(&[keys::ENDED_RUN]), Order::Ascending, &mut |key, stored| {
        let Some(id) = keys::id_of(key).map(RunId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        if let Some(row) = values::current(tree, key, stored)?
            && codec::decode_run(id, &row)?.run.status() != RunStatus::Succeeded
        {
            marks.insert(keys::aside(id), Some(vec![0]));
        }
        if marks.len() == MARKS_MAX {
            write(std::mem::take(&mut marks))?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    marks.insert(keys::ALL_ASIDE.to_vec(), Some(vec![0]));
    write(marks)
}
