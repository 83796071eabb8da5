//! What one guest uses: memory, CPU time and calls of the host.

use std::sync::Arc;
use std::time::Duration;

use hookbox_core::limits::{Limits, TABLES_MAX};
use hookbox_core::time::Millis;
use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::cpu::CpuBudget;
use crate::engine::MEMORIES_MAX;

/// Counts and limits. The flags tell an exhausted guest from a broken one: to the guest both are a trap.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_max: u64,
    memory: u64,
    memory_peak: u64,
    /// Growth that was allowed and is not yet known to have worked.
    growing: u64,
    memory_refused: bool,
    table_elements: usize,
    table_growing: usize,
    table_refused: bool,
    limits: Limits,
    cpu: Arc<CpuBudget>,
}

/// What ran out, if anything did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exhausted {
    Cpu(Millis),
    Memory(u64),
    TableElements(usize),
}

impl Meter {
    pub(crate) fn new(memory_max: u64, cpu_max: Millis, limits: Limits) -> Meter {
        Meter {
            memory_max,
            memory: 0,
            memory_peak: 0,
            growing: 0,
            memory_refused: false,
            table_elements: 0,
            table_growing: 0,
            table_refused: false,
            limits,
            cpu: Arc::new(CpuBudget::new(cpu_max)),
        }
    }

    /// Called each time the guest is found running at a tick. It gives way to others, or is stopped for good.
    pub(crate) fn tick(&self) -> UpdateDeadline {
        if self.cpu.check() { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) }
    }

    pub(crate) fn exhausted(&self) -> Option<Exhausted> {
        if self.cpu.is_exceeded() {
            Some(Exhausted::Cpu(self.cpu.most()))
        } else if self.memory_refused {
            Some(Exhausted::Memory(self.memory_max))
        } else if self.table_refused {
            Some(Exhausted::TableElements(self.limits.table_elements))
        } else {
            None
        }
    }

    /// It went on after what it was refused: whatever ends it later has another reason.
    pub(crate) fn went_on(&mut self) {
        self.memory_refused = false;
        self.table_refused = false;
    }

    pub(crate) fn cpu(&self) -> Duration {
        self.cpu.spent()
    }

    /// For the work that pays with it.
    pub(crate) fn budget(&self) -> Arc<CpuBudget> {
        Arc::clone(&self.cpu)
    }

    /// What the guest may use besides what is counted here.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn memory_peak(&self) -> u64 {
        self.memory_peak
    }
}

impl ResourceLimiter for Meter {
    /// The limit is for all memories of the guest together.
    fn memory_growing(&mut self, current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current) as u64;
        let sum = self.memory.saturating_add(growth);
        if sum > self.memory_max {
            self.memory_refused = true;
            return Ok(false);
        }
        self.memory_refused = false;
        self.memory = sum;
        self.memory_peak = self.memory_peak.max(sum);
        self.growing = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory = self.memory.saturating_sub(self.growing);
        self.growing = 0;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let sum = self.table_elements.saturating_add(growth);
        if sum > self.limits.table_elements {
            self.table_refused = true;
            return Ok(false);
        }
        self.table_refused = false;
        self.table_elements = sum;
        self.table_growing = growth;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.table_elements = self.table_elements.saturating_sub(self.table_growing);
        self.table_growing = 0;
        Ok(())
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Budgeted;

    const MIB: usize = 1 << 20;

    fn meter(memory_max: u64, cpu_max: Millis) -> Meter {
        Meter::new(memory_max, cpu_max, Limits { table_elements: 100, ..Limits::default() })
    }

    #[test]
    fn the_memory_limit_is_for_all_memories_together() {
        let mut meter = meter(4 << 20, Millis(10));
        assert!(meter.memory_growing(0, 3 * MIB, None).unwrap());
        assert!(meter.memory_growing(0, MIB, None).unwrap());
        assert_eq!(meter.exhausted(), None);
        assert!(!meter.memory_growing(MIB, 2 * MIB, None).unwrap());
        assert_eq!(meter.exhausted(), Some(Exhausted::Memory(4 << 20)));
        assert_eq!(meter.memory_peak(), 4 << 20);
    }

    #[test]
    fn a_guest_that_goes_on_after_a_refusal_is_not_exhausted() {
        let mut meter = meter(4 << 20, Millis(10));
        assert!(!meter.memory_growing(0, 5 * MIB, None).unwrap());
        assert!(!meter.table_growing(0, 101, None).unwrap());
        assert!(meter.memory_growing(0, 3 * MIB, None).unwrap());
        assert!(meter.table_growing(0, 100, None).unwrap());
        assert_eq!(meter.exhausted(), None);
        assert!(!meter.memory_growing(3 * MIB, 5 * MIB, None).unwrap());
        meter.went_on();
        assert_eq!(meter.exhausted(), None);
    }

    #[test]
    fn growth_that_failed_is_given_back() {
        let mut meter = meter(4 << 20, Millis(10));
        assert!(meter.memory_growing(0, 3 * MIB, None).unwrap());
        meter.memory_grow_failed(wasmtime::Error::msg("no")).unwrap();
        assert!(meter.memory_growing(0, 3 * MIB, None).unwrap());
    }

    #[test]
    fn the_limit_of_elements_is_for_all_tables_together() {
        let mut meter = meter(1, Millis(1));
        assert!(meter.table_growing(0, 60, None).unwrap());
        assert!(meter.table_growing(0, 40, None).unwrap());
        meter.table_grow_failed(wasmtime::Error::msg("no")).unwrap();
        assert!(meter.table_growing(0, 40, None).unwrap());
        assert_eq!(meter.exhausted(), None);
        assert!(!meter.table_growing(40, 41, None).unwrap());
        assert_eq!(meter.exhausted(), Some(Exhausted::TableElements(100)));
    }

    #[tokio::test]
    async fn a_guest_gives_way_at_each_tick_until_its_budget_is_spent() {
        let meter = meter(1, Millis(2));
        let ticks = async {
            assert!(matches!(meter.tick(), UpdateDeadline::Yield(1)));
            assert_eq!(meter.exhausted(), None);
            while matches!(meter.tick(), UpdateDeadline::Yield(1)) {}
        };
        assert_eq!(Budgeted::new(ticks, meter.budget()).await, Some(()));
        assert_eq!(meter.exhausted(), Some(Exhausted::Cpu(Millis(2))));
    }
}
