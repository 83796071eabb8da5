//! Looking for runs within a time: the store reads a bounded number of bytes for each page, and of those pages as many are
//! asked for as the time allows.

use hookbox_core::id::RunId;
use hookbox_core::time::Millis;
use hookbox_store::StoreError;
use hookbox_store::types::{PageRequest, RunFilter, RunPage};

use super::Operator;

/// For a page of runs. A page of the store that is under way is waited for.
pub(super) const LOOK_FOR: Millis = Millis(70);

/// As [`hookbox_store::Store::runs`]. Where the time is over, the page has fewer runs than it may, and `next` says how far it
/// came.
pub(super) async fn runs(
    operator: &Operator,
    page: PageRequest<RunId>,
    filter: &RunFilter,
) -> Result<RunPage, StoreError> {
    let begun = operator.clock.monotonic();
    let (mut found, mut before) = (Vec::new(), page.before);
    loop {
        let asked = PageRequest { before, limit: page.limit - found.len() };
        let RunPage { runs, next } = operator.store.runs(asked, filter.clone()).await?;
        found.extend(runs);
        let is_over = operator.clock.monotonic().since(begun) >= LOOK_FOR;
        if next.is_none() || found.len() >= page.limit || is_over {
            return Ok(RunPage { runs: found, next });
        }
        before = next;
        // Others have their turn.
        tokio::task::yield_now().await;
    }
}

/// Runs that fit.
pub(super) struct Counted {
    pub(super) runs: u64,
    /// There may be more, and they are older.
    pub(super) next: Option<RunId>,
}

/// All that fit, as far as the time allows.
pub(super) async fn count(operator: &Operator, filter: &RunFilter) -> Result<Counted, StoreError> {
    const PAGE: usize = 500;

    let begun = operator.clock.monotonic();
    let (mut runs, mut before) = (0, None);
    loop {
        let page = operator.store.runs(PageRequest { before, limit: PAGE }, filter.clone()).await?;
        runs += page.runs.len() as u64;
        let is_over = operator.clock.monotonic().since(begun) >= LOOK_FOR;
        if page.next.is_none() || is_over {
            return Ok(Counted { runs, next: page.next });
        }
        before = page.next;
        tokio::task::yield_now().await;
    }
}
