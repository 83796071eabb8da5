//! The numbers of this moment that alerts are judged by.

use std::collections::BTreeMap;
use std::path::Path;

use hookbox_core::alert::{Reading, Rules, Schedule, Sender, Tries};
use hookbox_core::name::{HandlerRef, ProviderName, ScheduleName};
use hookbox_core::schedule::{Reason, ScheduleRow};
use hookbox_core::spending::Spending;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::{Store, StoreError};

use crate::disk::Disk;
use crate::providers::Providers;
use crate::tally::Tally;

/// Schedules that are late, and those that somebody should look at, that are told one by one.
const TOLD_MAX: usize = 100;
/// Schedules that are read at one time.
const PAGE: usize = 500;
/// Of more schedules, those that are overdue are found, and of those that have fired late the first ones by name.
const LOOKED_AT_MAX: usize = 10_000;
/// So long it is told that a slot was late that has fired by now.
const LATE_TOLD: Millis = Millis(10 * Millis::MINUTE.0);
/// Refusals that are the operator's own doing, and no provider's.
const OWN_DOING: [&str; 2] = ["starting", "draining"];

/// How late the slot is that is due, or was the one that has fired lately.
fn late(row: &ScheduleRow, now: Timestamp) -> Millis {
    let overdue = row.due().map_or(Millis(0), |due| now.since(due));
    let put_off = row.schedule.put_off();
    let fired = row.last_fired.map(|slot| slot.plus(put_off).plus(row.lateness.last));
    let is_new = fired.is_some_and(|fired| now.since(fired) < LATE_TOLD);
    if is_new { overdue.max(row.lateness.last) } else { overdue }
}

/// What is looked at.
pub struct Sources<'a> {
    pub store: &'a dyn Store,
    pub tally: &'a Tally,
    pub spending: &'a Spending,
    pub providers: &'a Providers,
    pub data: &'a Path,
}

impl Sources<'_> {
    pub async fn read(&self, rules: &Rules, now: Timestamp) -> Result<Reading, StoreError> {
        let waiting = self.store.waiting().await?;
        // What is held waits because somebody wants it to.
        let (holds, plugins) = (self.store.holds(), self.store.catalogue());
        let free = waiting.iter().filter(|of_handler| !holds.hold(&of_handler.handler));
        let oldest = free.filter_map(|of_handler| of_handler.due).map(|due| now.since(due)).max();
        Ok(Reading {
            handlers: self.handlers(),
            providers: self.providers.all().map(|(name, _)| (name.clone(), self.sender(name))).collect(),
            heard: self.heard(rules),
            dead: self.store.counts().dead,
            oldest: oldest.unwrap_or_default(),
            schedules: self.schedules(rules, now).await?,
            attention: self.attention(rules, now),
            disk_free: Disk::of(self.data).map(|disk| disk.free_percent() as u64),
            rollbacks: plugins.plugins().map(|row| (row.name.clone(), row.rollbacks.by_host)).collect(),
        })
    }

    fn handlers(&self) -> BTreeMap<HandlerRef, Tries> {
        let named = self.spending.all().into_iter().filter_map(|(handler, spent)| Some((handler?, spent.ends)));
        let tries = named.map(|(handler, ends)| {
            let failed = ends.dead + ends.retried;
            (handler, Tries { ended: ends.succeeded + failed, failed })
        });
        tries.collect()
    }

    fn sender(&self, name: &ProviderName) -> Sender {
        let counted = self.tally.of(name);
        let refused = counted.refused.iter().filter(|(cause, _)| !OWN_DOING.contains(cause)).map(|(_, number)| number);
        Sender { accepted: counted.accepted + counted.duplicates, refused: refused.sum() }
    }

    /// A rule may have either spelling of a name, as senders do.
    fn heard(&self, rules: &Rules) -> BTreeMap<ProviderName, Timestamp> {
        let heard = |name: &ProviderName| {
            let (known, _) = self.providers.find(name.as_str())?;
            Some((name.clone(), self.tally.of(known).last_accepted?))
        };
        rules.provider_silent.keys().filter_map(heard).collect()
    }

    /// A slot without its verdict is told by how late it is. Those that wait for the clock come last: they may be all
    /// there are.
    fn attention(&self, rules: &Rules, now: Timestamp) -> BTreeMap<ScheduleName, Reason> {
        let mut named = BTreeMap::new();
        if !rules.schedule_attention {
            return named;
        }
        let counts = Reason::ALL.into_iter().zip(self.store.schedule_counts(now).attention);
        for (reason, _) in counts.filter(|(reason, count)| *reason != Reason::Undecided && *count > 0) {
            let room = TOLD_MAX.saturating_sub(named.len());
            let names = self.store.schedules_to_look_at(reason, now, room);
            named.extend(names.into_iter().map(|name| (name, reason)));
        }
        named
    }

    /// Those that are late, and those that are watched.
    async fn schedules(&self, rules: &Rules, now: Timestamp) -> Result<BTreeMap<ScheduleName, Schedule>, StoreError> {
        let mut schedules = BTreeMap::new();
        if let Some(most) = rules.schedule_late {
            let mut rows = self.store.due_schedules(now.minus(most), PAGE).await?;
            let (mut after, mut looked_at) = (None, 0);
            loop {
                for row in &rows {
                    let late = late(row, now);
                    if late >= most && schedules.len() < TOLD_MAX {
                        let last = row.last_fired.or(Some(row.anchor));
                        schedules.insert(row.schedule.name.clone(), Schedule { late, last });
                    }
                }
                if looked_at >= LOOKED_AT_MAX {
                    break;
                }
                rows = self.store.schedules(after.as_ref(), PAGE).await?;
                looked_at += rows.len();
                let Some(last) = rows.last() else { break };
                after = Some(last.schedule.name.clone());
            }
        }
        for name in rules.schedule_quiet.keys() {
            match self.store.schedule(name).await {
                Ok(row) => {
                    let known = schedules.entry(name.clone()).or_default();
                    known.last = row.last_fired.or(Some(row.anchor));
                }
                Err(StoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(schedules)
    }
}
