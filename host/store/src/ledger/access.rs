//! Who is let in, and what they did.

use std::ops::ControlFlow;
use std::sync::Arc;

use hookbox_core::access::{
    AccessRows, AccessToken, AuditEntry, AuditOutcome, Holder, SESSIONS_MAX, SecretHash, Session, TOKENS_MAX, TokenName,
};
use hookbox_core::time::Timestamp;

use super::Ledger;
use crate::audit::{self, AuditV1};
use crate::codec;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::types::{AccessChange, Pruned, Retention};
use crate::values;

/// Entries that one step of pruning removes.
const STEP_ROWS: usize = 256;

impl Ledger<'_> {
    pub(crate) fn change_access(&mut self, change: AccessChange) -> Result<bool, StoreError> {
        let mut rows = AccessRows::clone(&self.shown.access);
        let changed = match change {
            AccessChange::NewToken(token) => self.new_token(&mut rows, token)?,
            AccessChange::RevokeToken(name) => self.revoke_token(&mut rows, &name)?,
            AccessChange::NewSession(session) => self.new_session(&mut rows, session)?,
            AccessChange::EndSession(hash) => self.end_session(&mut rows, &hash)?,
            AccessChange::TokenUsed(name, at) => self.token_used(&mut rows, &name, at)?,
            AccessChange::SessionUsed(hash, at) => self.session_used(&mut rows, &hash, at)?,
        };
        if changed {
            self.shown.access = Arc::new(rows);
        }
        Ok(changed)
    }

    fn new_token(&mut self, rows: &mut AccessRows, token: AccessToken) -> Result<bool, StoreError> {
        if rows.tokens.contains_key(&token.name) {
            return Ok(false);
        }
        if rows.tokens.len() >= TOKENS_MAX {
            return Err(StoreError::Conflict(format!("there are {TOKENS_MAX} tokens: revoke one that is not used")));
        }
        values::insert(&mut self.tree, keys::token(&token.name), &codec::encode(&token)?)?;
        rows.tokens.insert(token.name.clone(), token);
        Ok(true)
    }

    fn revoke_token(&mut self, rows: &mut AccessRows, name: &TokenName) -> Result<bool, StoreError> {
        if rows.tokens.remove(name).is_none() {
            return Ok(false);
        }
        values::remove(&mut self.tree, keys::token(name))?;
        let of_it = |session: &&Session| matches!(&session.holder, Holder::Token(of) if of == name);
        let ended: Vec<SecretHash> = rows.sessions.values().filter(of_it).map(|session| session.hash).collect();
        ended.iter().try_for_each(|hash| self.end_session(rows, hash).map(|_| ()))?;
        Ok(true)
    }

    fn new_session(&mut self, rows: &mut AccessRows, session: Session) -> Result<bool, StoreError> {
        let now = session.created;
        // Its token may have been revoked meanwhile.
        if matches!(&session.holder, Holder::Token(name) if !rows.tokens.contains_key(name)) {
            return Ok(false);
        }
        let over = rows.sessions.values().filter(|session| session.is_over(now));
        let over: Vec<SecretHash> = over.map(|session| session.hash).collect();
        over.iter().try_for_each(|hash| self.end_session(rows, hash).map(|_| ()))?;
        if rows.sessions.len() >= SESSIONS_MAX
            && let Some(oldest) = rows.sessions.values().min_by_key(|session| session.used).map(|session| session.hash)
        {
            self.end_session(rows, &oldest)?;
        }
        self.put_session(rows, session)
    }

    fn put_session(&mut self, rows: &mut AccessRows, session: Session) -> Result<bool, StoreError> {
        values::replace(&mut self.tree, keys::session(&session.hash), &codec::encode(&session)?)?;
        rows.sessions.insert(session.hash, session);
        Ok(true)
    }

    fn end_session(&mut self, rows: &mut AccessRows, hash: &SecretHash) -> Result<bool, StoreError> {
        values::remove(&mut self.tree, keys::session(hash))?;
        Ok(rows.sessions.remove(hash).is_some())
    }

    fn token_used(&mut self, rows: &mut AccessRows, name: &TokenName, at: Timestamp) -> Result<bool, StoreError> {
        let Some(token) = rows.tokens.get_mut(name).filter(|token| token.used.is_none_or(|used| used < at)) else {
            return Ok(false);
        };
        token.used = Some(at);
        values::replace(&mut self.tree, keys::token(name), &codec::encode(&*token)?)?;
        Ok(true)
    }

    fn session_used(&mut self, rows: &mut AccessRows, hash: &SecretHash, at: Timestamp) -> Result<bool, StoreError> {
        match rows.sessions.get(hash).filter(|session| session.used < at).cloned() {
            Some(session) => self.put_session(rows, Session { used: at, ..session }),
            None => Ok(false),
        }
    }

    pub(crate) fn audit(&mut self, entry: &AuditEntry) -> Result<u64, StoreError> {
        let number = self.audit_at(Order::Descending)?.map_or(1, |last| last + 1);
        let row = codec::encode(&AuditV1 { entry: entry.clone(), outcome: None })?;
        values::insert(&mut self.tree, keys::audit(number), &row)?;
        Ok(number)
    }

    pub(crate) fn audit_outcome(&mut self, number: u64, outcome: AuditOutcome) -> Result<(), StoreError> {
        let key = keys::audit(number);
        let Some(row) = values::get(&self.tree, &key)? else { return Ok(()) };
        let begun: AuditV1 = codec::decode(&row)?;
        if begun.outcome.is_some() {
            return Ok(());
        }
        values::replace(&mut self.tree, key, &codec::encode(&AuditV1 { outcome: Some(outcome), ..begun })?)
    }

    /// The number of the first or of the last entry.
    fn audit_at(&self, order: Order) -> Result<Option<u64>, StoreError> {
        let mut number = None;
        self.tree.scan(&[keys::AUDIT], &keys::end_of(&[keys::AUDIT]), order, &mut |key, _| {
            number = keys::audit_number(key);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(number)
    }

    /// The oldest first, so that numbers have no gaps. The last entry stays, whatever its age: the next number follows
    /// from it.
    pub(super) fn prune_audit(
        &mut self,
        now: Timestamp,
        retention: &Retention,
        pruned: &mut Pruned,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let ends = self.audit_at(Order::Ascending)?.zip(self.audit_at(Order::Descending)?);
        let Some((first, last)) = ends else { return Ok(None) };
        for (step, number) in (first..last).enumerate() {
            if step == STEP_ROWS {
                return Ok(Some(keys::audit(number)));
            }
            let key = keys::audit(number);
            let surplus = last - number >= retention.audit_max;
            let old = || {
                audit::read(&self.tree, number)
                    .map(|row| row.is_none_or(|row| now.since(row.entry.at) > retention.audit_for))
            };
            if !surplus && !old()? {
                return Ok(None);
            }
            values::remove(&mut self.tree, key)?;
            pruned.audited += 1;
        }
        Ok(None)
    }
}
