//! How many rows all pages of a list have.

use hookbox_core::run::RunStatus;
use hookbox_store::StoreError;
use hookbox_store::types::{RunFilter, Total};

use super::{Operator, found};

/// Exact where the filter asks for nothing but states; else as far as the time allows.
pub(super) async fn runs(operator: &Operator, filter: &RunFilter) -> Result<Total, StoreError> {
    let counts = operator.store.counts();
    let plain = RunFilter { status: filter.status.clone(), order: filter.order, ..RunFilter::default() };
    if *filter == (RunFilter { status: vec![RunStatus::Dead], replayed: Some(false), ..plain.clone() }) {
        return Ok(Total { count: counts.dead_left(), exact: true });
    }
    if *filter != plain {
        let counted = found::count(operator, filter).await?;
        return Ok(Total { count: counted.runs, exact: counted.next.is_none() });
    }
    let of = |status| match status {
        RunStatus::Pending => counts.pending,
        RunStatus::Leased => counts.leased,
        RunStatus::Succeeded => counts.succeeded,
        RunStatus::Dead => counts.dead,
        RunStatus::Cancelled => counts.cancelled,
    };
    let meant = RunStatus::ALL.into_iter().filter(|status| filter.status.is_empty() || filter.status.contains(status));
    Ok(Total { count: meant.map(of).sum(), exact: true })
}
