//! How many there are: known at once where a counter is kept, else counted as far as that is cheap.

use std::ops::ControlFlow;

use crate::counts::Counts;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::types::{Listed, Total};

/// Keys that are looked at for one count: some tens of milliseconds.
const KEYS_MAX: u64 = 20_000;

pub(crate) fn total(tree: &dyn Read, counts: &Counts, listed: Listed) -> Result<Total, StoreError> {
    match listed {
        Listed::Events => keys_of(tree, keys::EVENT),
        Listed::Unrouted => Ok(Total { count: counts.unrouted, exact: true }),
        Listed::Suppressed => keys_of(tree, keys::SUPPRESSED),
    }
}

fn keys_of(tree: &dyn Read, place: u8) -> Result<Total, StoreError> {
    let (mut count, mut exact) = (0, true);
    tree.scan(&[place], &keys::end_of(&[place]), Order::Descending, &mut |_, _| {
        if count == KEYS_MAX {
            exact = false;
            return Ok(ControlFlow::Break(()));
        }
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Total { count, exact })
}
