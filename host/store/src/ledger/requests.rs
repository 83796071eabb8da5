//! Requests that carry an idempotency key: what was answered, so that the same may be asked again.

use std::ops::ControlFlow;

use hookbox_core::time::Timestamp;

use super::Ledger;
use crate::codec::{self, KeptAnswerV1, RequestV1};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::types::{Begun, KEPT_REQUESTS_MAX, KeptAnswer, REQUEST_KEPT_FOR, RequestKey};
use crate::values;

/// Requests that are too old and that one beginning removes: as many come as go.
const FORGOTTEN_AT_ONCE: usize = 4;

impl Ledger<'_> {
    pub(crate) fn begin_request(
        &mut self,
        key: RequestKey,
        request: [u8; 32],
        now: Timestamp,
    ) -> Result<Begun, StoreError> {
        if let Some(kept) = self.request(key)?.filter(|kept| !is_over(kept, now)) {
            return Ok(match kept.answer {
                _ if kept.request != request => Begun::Other,
                Some(answer) => Begun::Answered(answer.into()),
                None => Begun::UnderWay,
            });
        }
        self.forget_request(key)?;
        self.forget_old_requests(now)?;
        let number = self.edge_of_requests(Order::Descending)?.map_or(1, |(number, _)| number + 1);
        let row = RequestV1 { number, at: now.0, request, answer: None };
        values::insert(&mut self.tree, keys::request(&key.0), &codec::encode(&row)?)?;
        values::insert(&mut self.tree, keys::request_number(number), &key.0)?;
        Ok(Begun::New)
    }

    /// Without an answer it is as if it had never been asked.
    pub(crate) fn end_request(&mut self, key: RequestKey, answer: Option<KeptAnswer>) -> Result<(), StoreError> {
        let Some(answer) = answer else { return self.forget_request(key) };
        // It may have made room for others meanwhile.
        let Some(kept) = self.request(key)? else { return Ok(()) };
        let row = RequestV1 { answer: Some(KeptAnswerV1::from(answer)), ..kept };
        values::replace(&mut self.tree, keys::request(&key.0), &codec::encode(&row)?)
    }

    fn request(&self, key: RequestKey) -> Result<Option<RequestV1>, StoreError> {
        values::get(&self.tree, &keys::request(&key.0))?.map(|row| codec::decode(&row)).transpose()
    }

    fn forget_request(&mut self, key: RequestKey) -> Result<(), StoreError> {
        if let Some(kept) = self.request(key)? {
            values::remove(&mut self.tree, keys::request(&key.0))?;
            values::remove(&mut self.tree, keys::request_number(kept.number))?;
        }
        Ok(())
    }

    /// Where to go on, unless none is left whose time is over.
    pub(super) fn prune_requests(&mut self, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let before = self.edge_of_requests(Order::Ascending)?;
        self.forget_old_requests(now)?;
        let after = self.edge_of_requests(Order::Ascending)?;
        Ok(after.filter(|_| before != after).map(|(number, _)| keys::request_number(number)))
    }

    /// The oldest make room: those whose time is over, and the one that is one too many.
    fn forget_old_requests(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let newest = self.edge_of_requests(Order::Descending)?.map_or(0, |(number, _)| number);
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some((number, key)) = self.edge_of_requests(Order::Ascending)? else { return Ok(()) };
            let kept = self.request(RequestKey(key))?;
            let surplus = newest - number + 1 >= KEPT_REQUESTS_MAX;
            if !surplus && kept.is_some_and(|kept| !is_over(&kept, now)) {
                return Ok(());
            }
            values::remove(&mut self.tree, keys::request(&key))?;
            values::remove(&mut self.tree, keys::request_number(number))?;
        }
        Ok(())
    }

    /// The first or the last by number, with the hash of its key.
    fn edge_of_requests(&self, order: Order) -> Result<Option<(u64, [u8; 32])>, StoreError> {
        let all = keys::all_request_numbers();
        let mut found = None;
        self.tree.scan(&all, &keys::end_of(&all), order, &mut |key, stored| {
            let number = key.get(2..).and_then(|number| number.try_into().ok()).map(u64::from_be_bytes);
            let hash = values::whole(stored).and_then(|hash| hash.try_into().ok());
            found = number.zip(hash);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }
}

fn is_over(kept: &RequestV1, now: Timestamp) -> bool {
    now.since(Timestamp(kept.at)) > REQUEST_KEPT_FOR
}
