//! shim
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DayRule { #[default] Or, And }
pub struct CronExpr;
impl CronExpr { pub fn parse(_: &str) -> Result<CronExpr, String> { Ok(CronExpr) } pub fn with_day_rule(self, _: DayRule) -> Self { self } pub fn next_after(&self, _: Timestamp, _: &Zone) -> Option<Timestamp> { None } }
#[derive(Default, Clone)]
pub struct Zone;
impl Zone { pub fn parse(_: &str) -> Result<Zone, String> { Ok(Zone) } }
impl std::fmt::Display for Zone { fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { Ok(()) } }
pub struct Every { p: u64 }
impl Every { pub fn new(p: Millis, _: Timestamp) -> Result<Every, String> { Ok(Every{p: p.0}) } }
pub enum Calendar { Cron { expr: CronExpr, zone: Zone }, Every(Every) }
impl Calendar { pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> { match self { Calendar::Every(e) => Some(Timestamp((t.0 / e.p + 1) * e.p)), _ => None } } }
