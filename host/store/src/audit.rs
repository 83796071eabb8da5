//! Reading who is let in, and the log of what they did.

use std::ops::ControlFlow;

use hookbox_core::access::{AccessRows, AccessToken, AuditEntry, AuditOutcome, Session};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::query::PAGE_MAX;
use crate::types::{AuditFilter, AuditPage, Audited, PageRequest, Total};
use crate::values;

/// Entries that one page, and one count, looks at: what a filter leaves out is skipped in steps.
const LOOKED_AT_MAX: usize = 10_000;

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct AuditV1 {
    pub(crate) entry: AuditEntry,
    pub(crate) outcome: Option<AuditOutcome>,
}

pub(crate) fn access(tree: &dyn Read) -> Result<AccessRows, StoreError> {
    let mut rows = AccessRows::default();
    tree.scan(&[keys::TOKEN], &keys::end_of(&[keys::TOKEN]), Order::Ascending, &mut |key, stored| {
        if let Some(row) = values::current(tree, key, stored)? {
            let token: AccessToken = codec::decode(&row)?;
            rows.tokens.insert(token.name.clone(), token);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    tree.scan(&[keys::SESSION], &keys::end_of(&[keys::SESSION]), Order::Ascending, &mut |key, stored| {
        if let Some(row) = values::current(tree, key, stored)? {
            let session: Session = codec::decode(&row)?;
            rows.sessions.insert(session.hash, session);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

pub(crate) fn read(tree: &dyn Read, number: u64) -> Result<Option<AuditV1>, StoreError> {
    values::get(tree, &keys::audit(number))?.map(|row| codec::decode(&row)).transpose()
}

/// Newest first. A page may have fewer items than asked for, and still say where to go on.
pub(crate) fn page(tree: &dyn Read, page: PageRequest<u64>, filter: &AuditFilter) -> Result<AuditPage, StoreError> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let to = page.before.map_or_else(|| keys::end_of(&[keys::AUDIT]), keys::audit);
    let (mut items, mut next, mut last, mut looked_at) = (Vec::new(), None, None, 0);
    tree.scan(&[keys::AUDIT], &to, Order::Descending, &mut |key, stored| {
        let Some(number) = keys::audit_number(key) else { return Ok(ControlFlow::Continue(())) };
        if items.len() == limit || looked_at == LOOKED_AT_MAX {
            next = last;
            return Ok(ControlFlow::Break(()));
        }
        (last, looked_at) = (Some(number), looked_at + 1);
        if let Some(row) = values::current(tree, key, stored)? {
            let AuditV1 { entry, outcome } = codec::decode(&row)?;
            let one = Audited { number, entry, outcome };
            if fits(&one, filter) {
                items.push(one);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(AuditPage { items, next, total: total(tree, filter)? })
}

/// How many fit; of more than are looked at, those of the newest.
fn total(tree: &dyn Read, filter: &AuditFilter) -> Result<Total, StoreError> {
    let (mut total, mut looked_at) = (Total { count: 0, exact: true }, 0);
    let all = *filter == AuditFilter::default();
    tree.scan(&[keys::AUDIT], &keys::end_of(&[keys::AUDIT]), Order::Descending, &mut |key, stored| {
        let Some(number) = keys::audit_number(key) else { return Ok(ControlFlow::Continue(())) };
        if looked_at == LOOKED_AT_MAX {
            total.exact = false;
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        if all {
            total.count += 1;
        } else if let Some(row) = values::current(tree, key, stored)? {
            let AuditV1 { entry, outcome } = codec::decode(&row)?;
            total.count += u64::from(fits(&Audited { number, entry, outcome }, filter));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(total)
}

fn fits(one: &Audited, filter: &AuditFilter) -> bool {
    let Audited { entry, outcome, .. } = one;
    let says = |text: &String| {
        let detail = outcome.as_ref().map_or("", |outcome| &outcome.detail);
        [entry.what.as_str(), &entry.object, detail].iter().any(|told| told.contains(text.as_str()))
    };
    filter.who.as_ref().is_none_or(|who| entry.who == *who)
        && filter.text.as_ref().is_none_or(says)
        && filter.since.is_none_or(|since| entry.at >= since)
        && filter.until.is_none_or(|until| entry.at < until)
}
