//! What growth costs: a store with many runs or schedules beside an empty one, in the same minutes; and what it costs to be
//! watched.
//!
//! The release binary serves a folder that was filled through the trait `Store`, in turn with one that is empty, and
//! `hookbox bench` drives both. Figures are printed and judged by nobody; `tests/growth/run` says how to call it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures time, prints it and may fail"
)]

mod fill;
mod host;
mod machine;
mod project;
mod slots;
mod turns;
mod watched;
mod watchers;

use project::{Keep, Project};
use turns::Row;

/// What `--quick` divides each size by.
const QUICK: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    Stored,
    Pending,
    Schedules,
    Due,
    Alone,
    Watched,
}

impl Scenario {
    const ALL: [Scenario; 6] =
        [Scenario::Stored, Scenario::Pending, Scenario::Schedules, Scenario::Due, Scenario::Alone, Scenario::Watched];

    fn name(self) -> &'static str {
        match self {
            Scenario::Stored => "stored",
            Scenario::Pending => "pending",
            Scenario::Schedules => "schedules",
            Scenario::Due => "due",
            Scenario::Alone => "alone",
            Scenario::Watched => "watched",
        }
    }

    fn sizes(self) -> Vec<u64> {
        match self {
            Scenario::Stored => vec![10_000, 100_000, 1_000_000],
            Scenario::Pending => vec![1_000_000],
            Scenario::Schedules => vec![100, 10_000, 100_000],
            Scenario::Due => vec![10_000],
            Scenario::Alone => vec![20],
            Scenario::Watched => vec![20_000],
        }
    }
}

fn main() {
    // `cargo bench` adds one of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (mut chosen, mut quick, mut keep) = (Vec::new(), false, Keep::Nothing);
    for argument in &arguments {
        match argument.as_str() {
            "--quick" => quick = true,
            "--busy" => machine::measure_beside_others(),
            "--keep" => keep = Keep::Stores,
            named => chosen.push(scenario(named)),
        }
    }
    if chosen.is_empty() {
        chosen = Scenario::ALL.map(|scenario| (scenario, scenario.sizes())).to_vec();
    }
    let project = Project::make(keep);
    let (mut rows, mut lateness, mut watched) = (Vec::new(), Vec::new(), Vec::new());
    for (scenario, mut sizes) in chosen {
        if quick {
            sizes.iter_mut().for_each(|size| *size = (*size / QUICK).max(2));
        }
        match scenario {
            Scenario::Stored | Scenario::Pending | Scenario::Schedules => {
                rows.extend(turns::measure(&project, scenario, &sizes));
            }
            Scenario::Watched => {
                watched.extend(sizes.iter().flat_map(|webhooks| watched::measure(&project, *webhooks)))
            }
            Scenario::Due => lateness.extend(sizes.iter().map(|size| slots::due(&project, *size))),
            Scenario::Alone => lateness.extend(sizes.iter().map(|size| slots::alone(&project, *size))),
        }
    }
    if !rows.is_empty() {
        Row::print_all(&rows);
    }
    if !lateness.is_empty() {
        slots::Row::print_all(&lateness);
    }
    if !watched.is_empty() {
        watched::Row::print_all(&watched);
    }
}

/// `stored`, or `stored=1000,2000`.
fn scenario(text: &str) -> (Scenario, Vec<u64>) {
    let (name, sizes) = text.split_once('=').map_or((text, None), |(name, sizes)| (name, Some(sizes)));
    let known = Scenario::ALL.map(Scenario::name).join(", ");
    let found = Scenario::ALL.into_iter().find(|scenario| scenario.name() == name);
    let scenario = found.unwrap_or_else(|| panic!("no scenario {name}; there are: {known}"));
    let size = |size: &str| size.parse().unwrap_or_else(|_| panic!("{text}: a size is a number, got {size:?}"));
    (scenario, sizes.map_or_else(|| scenario.sizes(), |sizes| sizes.split(',').map(size).collect()))
}
