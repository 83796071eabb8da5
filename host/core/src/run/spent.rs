//! What a run has cost so far.

use super::{Run, RunState};
use crate::time::Timestamp;

/// Of all attempts together, those too that were put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    pub wall_us: u64,
    pub cpu_us: u64,
    /// Of one of them, the most.
    pub memory_peak_bytes: u64,
}

impl Run {
    /// When its first attempt began; nothing before that.
    pub fn started(&self) -> Option<Timestamp> {
        let ended = self.attempts.iter().chain(&self.revoked).map(|attempt| attempt.started).min();
        let under_way = match &self.state {
            RunState::Leased { lease } => Some(lease.at),
            _ => None,
        };
        ended.or(under_way)
    }

    /// When it ended, or else is due.
    pub fn finished_or_due(&self) -> Option<Timestamp> {
        match self.state {
            RunState::Pending { due } => Some(due),
            _ => self.finished(),
        }
    }

    /// Nothing before an attempt has ended.
    pub fn spent(&self) -> Option<Spent> {
        let costs = self.attempts.iter().chain(&self.revoked).map(|attempt| &attempt.cost);
        costs.map(|cost| (cost.wall_us, cost.cpu_us, cost.memory_peak_bytes)).fold(
            None,
            |spent, (wall, cpu, memory)| {
                let Spent { wall_us, cpu_us, memory_peak_bytes } = spent.unwrap_or_default();
                Some(Spent {
                    wall_us: wall_us.saturating_add(wall),
                    cpu_us: cpu_us.saturating_add(cpu),
                    memory_peak_bytes: memory_peak_bytes.max(memory),
                })
            },
        )
    }
}
