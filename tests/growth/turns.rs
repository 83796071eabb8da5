//! A store that has grown, in turn with one that is empty.

use std::time::{Duration, Instant};

use crate::Scenario;
use crate::fill::Filler;
use crate::host::{Host, Load};
use crate::machine::{self, BUSY};
use crate::project::{Data, Project};

/// Measurements of a store, each between two of an empty one.
const ROUNDS: usize = 3;
const WEBHOOKS: u64 = 20_000;
/// After it is ready, a host settles: its doers have looked around once.
pub(crate) const SETTLED: Duration = Duration::from_secs(2);

pub(crate) struct Row {
    scenario: Scenario,
    size: u64,
    ready: Vec<Duration>,
    ready_after_kill: Duration,
    memory_mib: f64,
    memory_peak_mib: f64,
    loads: Vec<Load>,
    /// Of each load to the mean of those beside it.
    accepted: Vec<f64>,
    finished: Vec<f64>,
    cpu: Vec<f64>,
    others: f64,
}

/// One folder that grows from size to size. What the measurements add to it is not counted.
pub(crate) fn measure(project: &Project, scenario: Scenario, sizes: &[u64]) -> Vec<Row> {
    let data = project.empty(scenario.name());
    let mut filled = 0;
    let mut rows = Vec::new();
    for size in sizes {
        let began = Instant::now();
        fill(&data, scenario, filled, *size);
        filled = *size;
        eprintln!("{} {size}: filled in {:.1} s", scenario.name(), began.elapsed().as_secs_f64());
        rows.push(row(project, &data, scenario, *size));
    }
    rows
}

fn fill(data: &Data<'_>, scenario: Scenario, from: u64, to: u64) {
    let filler = Filler::open(&data.path);
    match scenario {
        Scenario::Stored => filler.stored(to - from),
        Scenario::Pending => filler.pending(to - from),
        Scenario::Schedules => filler.schedules(from..to),
        Scenario::Due | Scenario::Alone | Scenario::Watched => {}
    }
}

fn row(project: &Project, data: &Data<'_>, scenario: Scenario, size: u64) -> Row {
    let (mut beside, mut loads, mut ready) = (vec![empty(project)], Vec::new(), Vec::new());
    let (mut memory_mib, mut memory_peak_mib) = (0_f64, 0_f64);
    for round in 0..ROUNDS {
        machine::wait_for_quiet(None);
        let host = Host::start(data);
        ready.push(host.ready);
        std::thread::sleep(SETTLED);
        memory_mib = memory_mib.max(host.memory().0);
        machine::wait_for_quiet(Some(host.id()));
        loads.push(host.load(WEBHOOKS));
        memory_peak_mib = memory_peak_mib.max(host.memory().1);
        match round + 1 == ROUNDS {
            true => host.kill(),
            false => host.stop(),
        }
        beside.push(empty(project));
    }
    machine::wait_for_quiet(None);
    let host = Host::start(data);
    let ready_after_kill = host.ready;
    host.stop();
    let ratio = |of: fn(&Load) -> f64| -> Vec<f64> {
        let mean = beside.windows(2).map(|pair| pair.iter().map(of).sum::<f64>() / 2.0);
        loads.iter().map(of).zip(mean).map(|(load, mean)| load / mean).collect()
    };
    let row = Row {
        scenario,
        size,
        ready,
        ready_after_kill,
        memory_mib,
        memory_peak_mib,
        accepted: ratio(|load| load.accepted_per_second),
        finished: ratio(|load| load.finished_per_second),
        cpu: ratio(|load| load.cpu_us),
        others: loads.iter().chain(&beside).map(|load| load.others).fold(0.0, f64::max),
        loads,
    };
    eprintln!("{}", row.line());
    row
}

fn empty(project: &Project) -> Load {
    let data = project.empty("beside");
    let host = Host::start(&data);
    std::thread::sleep(SETTLED);
    machine::wait_for_quiet(Some(host.id()));
    let load = host.load(WEBHOOKS);
    host.stop();
    load
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

impl Row {
    pub(crate) fn print_all(rows: &[Row]) {
        println!();
        println!(
            "| store | ready, after a kill | memory idle, most | accepted/s | ratio | finished/s | ratio | ack p99 | CPU an event | ratio | others |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|");
        rows.iter().for_each(|row| println!("{}", row.line()));
        println!();
        println!("Ratios are to an empty store before and after: the median of {ROUNDS}, and all of them.");
        let busy = rows.iter().filter(|row| row.others > BUSY).count();
        if busy > 0 {
            println!("In {busy} of {} rows others took more than {:.0} % of the machine.", rows.len(), BUSY * 100.0);
        }
    }

    fn line(&self) -> String {
        let loads = |of: fn(&Load) -> f64| median(self.loads.iter().map(of));
        let ratio = |ratios: &[f64]| {
            let all: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
            format!("**{:.2}** ({})", median(ratios.iter().copied()), all.join(" "))
        };
        format!(
            "| {} {} | {:.2} s, {:.2} s | {:.0}, {:.0} MiB | {:.0} | {} | {:.0} | {} | {:.1} ms | {:.0} us | {} | {:.0} % |",
            self.size,
            self.scenario.name(),
            median(self.ready.iter().map(Duration::as_secs_f64)),
            self.ready_after_kill.as_secs_f64(),
            self.memory_mib,
            self.memory_peak_mib,
            loads(|load| load.accepted_per_second),
            ratio(&self.accepted),
            loads(|load| load.finished_per_second),
            ratio(&self.finished),
            loads(|load| load.ack_p99_ms),
            loads(|load| load.cpu_us),
            ratio(&self.cpu),
            self.others * 100.0,
        )
    }
}
