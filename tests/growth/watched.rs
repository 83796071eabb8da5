//! What it costs that somebody looks: a host that is watched, in turn with one that is not.

use std::time::{Duration, Instant};

use crate::host::{Host, Load};
use crate::machine::{self, BUSY};
use crate::project::Project;
use crate::turns::{SETTLED, median};
use crate::watchers::{Chromium, Collector, Live, Readers, follow, least, page, scrape};

/// At the rate, and as fast as the host takes them.
const RATE: u64 = 2000;
/// How many more of them are sent there.
const MORE: u64 = 2;
/// Turns with somebody.
const TURNS: usize = 3;
/// What may be lost to being watched.
const LOSS_MAX: f64 = 0.05;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Nobody,
    /// So many pages of the overview that keep themselves up to date.
    Pages(usize),
    Chromium,
    Prometheus,
    Collector,
    Follower,
}

pub(crate) struct Row {
    by: By,
    rate: Option<u64>,
    alone: Vec<Load>,
    loads: Vec<Load>,
    /// The least of all turns.
    live: Option<Live>,
}

impl By {
    fn name(self) -> String {
        match self {
            By::Nobody => "nobody".to_owned(),
            By::Pages(count) => format!("{count} x overview"),
            By::Chromium => "overview in Chromium".to_owned(),
            By::Prometheus => "metrics each second".to_owned(),
            By::Collector => "spans of all".to_owned(),
            By::Follower => "follows all runs".to_owned(),
        }
    }
}

/// So many webhooks in each turn: nobody, somebody, nobody, somebody, ..., nobody.
pub(crate) fn measure(project: &Project, webhooks: u64) -> Vec<Row> {
    let mut watchers = vec![By::Pages(1), By::Pages(10), By::Prometheus, By::Collector, By::Follower];
    match Chromium::is_here() {
        true => watchers.insert(2, By::Chromium),
        false => eprintln!("no Chromium: tests/run installs what drives it"),
    }
    let mut rows = Vec::new();
    for by in watchers {
        for rate in [Some(RATE), None] {
            let (mut alone, mut loads, mut live) =
                (vec![load(project, By::Nobody, rate, webhooks).0], Vec::new(), Vec::new());
            for _ in 0..TURNS {
                let (load_of_it, live_of_it) = load(project, by, rate, webhooks);
                loads.push(load_of_it);
                live.extend(live_of_it);
                alone.push(load(project, By::Nobody, rate, webhooks).0);
            }
            let row = Row { by, rate, alone, loads, live: least(live) };
            eprintln!("{}", row.line());
            rows.push(row);
        }
    }
    rows
}

fn load(project: &Project, by: By, rate: Option<u64>, webhooks: u64) -> (Load, Option<Live>) {
    let data = project.empty("watched");
    let mut environment = Vec::new();
    if by == By::Collector {
        environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", Collector::start().at)));
    }
    let host = Host::start_with(&data, &environment);
    std::thread::sleep(SETTLED);
    machine::wait_for_quiet(Some(host.id()));
    let operator = host.operator.clone();
    let readers = match by {
        By::Nobody | By::Chromium | By::Collector => None,
        By::Pages(count) => Some(Readers::start(count, move |done, seen| page(&operator, done, seen))),
        By::Prometheus => Some(Readers::start(1, move |done, seen| scrape(&operator, done, seen))),
        By::Follower => Some(Readers::start(1, move |_, seen| follow(&operator, seen))),
    };
    let chromium = (by == By::Chromium).then(|| Chromium::open(&host.operator));
    let webhooks = if rate.is_some() { webhooks } else { webhooks * MORE };
    let from = Instant::now();
    let load = host.load_at(rate, webhooks);
    let to = Instant::now();
    let live = readers.as_ref().and_then(|readers| readers.live(from, to)).or_else(|| chromium.map(Chromium::close));
    readers.iter().for_each(Readers::stop);
    host.stop();
    if let Some(readers) = readers {
        readers.join();
    }
    (load, live)
}

impl Row {
    pub(crate) fn print_all(rows: &[Row]) {
        println!();
        println!(
            "| watched by | webhooks | accepted/s, alone | ratio | finished/s, alone | ratio | ack p99, alone | CPU an event, ratio | updates | longest without | others |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|");
        rows.iter().for_each(|row| println!("{}", row.line()));
        println!();
        println!("Ratios are to the mean of the turns before and after: the median, and all of them.");
        for row in rows.iter().filter(|row| matches!(row.by, By::Pages(_))) {
            let lost = 1.0 - median(row.ratios(|load| load.accepted_per_second));
            let verdict = if lost <= LOSS_MAX { "within" } else { "beyond" };
            println!(
                "{}, {}: {:.1} % of what is accepted is lost, {verdict} the mark of {:.0} %",
                row.by.name(),
                row.sent(),
                lost * 100.0,
                LOSS_MAX * 100.0
            );
        }
        let busy = rows.iter().filter(|row| row.others() > BUSY).count();
        if busy > 0 {
            println!("In {busy} of {} rows others took more than {:.0} % of the machine.", rows.len(), BUSY * 100.0);
        }
    }

    fn sent(&self) -> String {
        self.rate.map_or_else(|| "full rate".to_owned(), |rate| format!("{rate}/s"))
    }

    /// Of each turn to the mean of those beside it.
    fn ratios(&self, of: fn(&Load) -> f64) -> Vec<f64> {
        let mean = self.alone.windows(2).map(|pair| pair.iter().map(of).sum::<f64>() / 2.0);
        self.loads.iter().map(of).zip(mean).map(|(load, mean)| load / mean).collect()
    }

    /// What others took, Chromium among them.
    fn others(&self) -> f64 {
        self.loads.iter().chain(&self.alone).map(|load| load.others).fold(0.0, f64::max)
    }

    fn line(&self) -> String {
        let middle = |loads: &[Load], of: fn(&Load) -> f64| median(loads.iter().map(of));
        let both = |of: fn(&Load) -> f64| (middle(&self.loads, of), middle(&self.alone, of));
        let ratio = |of: fn(&Load) -> f64| {
            let all = self.ratios(of);
            let listed: Vec<String> = all.iter().map(|ratio| format!("{ratio:.2}")).collect();
            format!("{:.2} ({})", median(all), listed.join(" "))
        };
        let accepted = both(|load| load.accepted_per_second);
        let finished = both(|load| load.finished_per_second);
        let p99 = both(|load| load.ack_p99_ms);
        let (updates, gap) = self.live.map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |live: Live| (live.updates.to_string(), seconds(live.gap_max)),
        );
        format!(
            "| {} | {} | {:.0}, {:.0} | {} | {:.0}, {:.0} | {} | {:.1}, {:.1} ms | {} | {updates} | {gap} | {:.0} % |",
            self.by.name(),
            self.sent(),
            accepted.0,
            accepted.1,
            ratio(|load| load.accepted_per_second),
            finished.0,
            finished.1,
            ratio(|load| load.finished_per_second),
            p99.0,
            p99.1,
            ratio(|load| load.cpu_us),
            self.others() * 100.0
        )
    }
}

fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}
