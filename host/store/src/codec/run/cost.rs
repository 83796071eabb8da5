//! What attempts cost, in two parts: figures beside each attempt, and what it asked of the host at the end of the run.

use hookbox_core::attempt::{Attempt, Cost};
use hookbox_core::host_call::{CallKind, Calls, HostCalls};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CostV1 {
    wall_us: u64,
    /// In the unit of the form.
    cpu: u64,
    memory_peak_bytes: u64,
}

/// In which a form has the CPU time of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CpuUnit {
    Milliseconds,
    Microseconds,
}

/// Calls of one kind, where there were any.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CallsV4 {
    kind: CallKind,
    number: u64,
    bytes_given: u64,
    bytes_answered: u64,
}

impl CostV1 {
    pub(super) fn of(cost: &Cost) -> CostV1 {
        let Cost { wall_us, cpu_us, memory_peak_bytes, .. } = *cost;
        CostV1 { wall_us, cpu: cpu_us, memory_peak_bytes }
    }

    pub(super) fn with(self, calls: Vec<CallsV4>, unit: CpuUnit) -> Cost {
        let CostV1 { wall_us, cpu, memory_peak_bytes } = self;
        let cpu_us = match unit {
            CpuUnit::Milliseconds => cpu.saturating_mul(1000),
            CpuUnit::Microseconds => cpu,
        };
        let calls = calls.into_iter().map(|of| {
            let CallsV4 { kind, number, bytes_given, bytes_answered } = of;
            (kind, Calls { number, bytes_given, bytes_answered })
        });
        Cost { wall_us, cpu_us, memory_peak_bytes, calls: calls.collect() }
    }
}

/// In the order of the attempts, up to the last one that made any.
pub(super) fn calls_of(attempts: &[Attempt]) -> Vec<Vec<CallsV4>> {
    let mut calls: Vec<_> = attempts.iter().map(|attempt| of_one(&attempt.cost.calls)).collect();
    while calls.last().is_some_and(Vec::is_empty) {
        calls.pop();
    }
    calls
}

pub(super) fn of_one(calls: &HostCalls) -> Vec<CallsV4> {
    let stored =
        |(kind, Calls { number, bytes_given, bytes_answered })| CallsV4 { kind, number, bytes_given, bytes_answered };
    calls.made().map(stored).collect()
}
