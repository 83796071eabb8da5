//! How late the slots of schedules are taken in and begun.

use std::time::Duration;

use hookbox_core::attempt::Output;
use hookbox_core::cron::DayRule;
use hookbox_core::name::ScheduleName;
use hookbox_core::run::{Run, Work};
use hookbox_core::schedule::{Origin, Rules, Schedule, When, ZoneName};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::Store;
use hookbox_store::types::{PageRequest, RunFilter};
use tokio::task::JoinSet;

use crate::fill::{Filler, now};
use crate::host::Host;
use crate::machine::{self, BUSY, Others};
use crate::project::Project;

/// From the filling to the slot: the host starts, and the machine becomes quiet.
const AHEAD: Millis = Millis(45_000);
/// After the slot, until a host is given up.
const LATE_MAX: Millis = Millis(60_000);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(2);
/// Of the schedule that is alone.
const PERIOD: Millis = Millis(3000);

/// Milliseconds after the slot, sorted.
pub(crate) struct Row {
    what: String,
    /// Known to be on disk; where nobody looked, it is no later than its beginning.
    accepted: Vec<u64>,
    begun: Vec<u64>,
    others: f64,
}

/// So many schedules with a slot in the same second.
pub(crate) fn due(project: &Project, schedules: u64) -> Row {
    let data = project.empty("due");
    let filler = Filler::open(&data.path);
    let at = now().plus(AHEAD);
    let slot = Timestamp(at.0 - at.0 % 1000);
    let (second, minute) = (slot.0 / 1000 % 60, slot.0 / 60_000 % 60);
    let when = When::cron_with(&format!("{second} {minute} * * * *"), ZoneName::default(), DayRule::default());
    filler.schedules_when(0..schedules, &when.unwrap());
    drop(filler);
    let host = Host::start(&data);
    machine::wait_for_quiet(Some(host.id()));
    assert!(now() < slot, "the machine is too slow for this benchmark: the slot passed before the host was ready");
    std::thread::sleep(slot.since(now()).as_duration());
    let others = Others::beside(Some(host.id()));
    let mut accepted = Vec::new();
    loop {
        let health = host.health();
        let looked = now();
        let number = |path: &str| health.pointer(path).unwrap().as_u64().unwrap();
        let ended = number("/counts/succeeded") + number("/counts/dead");
        let made = usize::try_from(ended + number("/queue/pending") + number("/queue/leased")).unwrap();
        // A run that ends while the host counts may be missing once.
        accepted.resize(made.max(accepted.len()), looked.since(slot).0);
        if ended == schedules {
            break;
        }
        assert!(looked.since(slot) < LATE_MAX, "the host does not end what is due: {health}");
        std::thread::sleep(LOOK);
    }
    let others = others.share();
    host.stop();
    let runs = Filler::open(&data.path).runs();
    let begun = runs.iter().map(|run| run.attempts.first().unwrap().started.since(slot).0).collect();
    Row::new(format!("{schedules} due in the same second"), accepted, begun, others)
}

/// So many slots of a schedule that is alone.
pub(crate) fn alone(project: &Project, slots: u64) -> Row {
    let data = project.empty("alone");
    let filler = Filler::open(&data.path);
    filler.schedules_when(0..1, &When::every(PERIOD).unwrap());
    drop(filler);
    let host = Host::start(&data);
    let others = Others::beside(Some(host.id()));
    std::thread::sleep(PERIOD.as_duration() * u32::try_from(slots).unwrap() + PERIOD.as_duration() / 2);
    let others = others.share();
    host.stop();
    let filler = Filler::open(&data.path);
    let (mut decided, mut begun) = (Vec::new(), Vec::new());
    for run in filler.runs() {
        let slot = filler.slot(&run);
        decided.push(run.created.since(slot).0);
        begun.push(run.attempts.first().unwrap().started.since(slot).0);
    }
    Row::new(format!("one alone, {} slots", begun.len()), decided, begun, others)
}

impl Filler {
    /// So many that are due in an hour at the earliest.
    pub(crate) fn schedules(&self, numbers: std::ops::Range<u64>) {
        let hour = now().plus(Millis::HOUR).plus(Millis::HOUR).0 / Millis::HOUR.0 % 24;
        let when = When::cron_with(&format!("0 {hour} * * *"), ZoneName::default(), DayRule::default());
        self.schedules_when(numbers, &when.unwrap());
    }

    fn schedules_when(&self, numbers: std::ops::Range<u64>, when: &When) {
        let payload = Output { content_type: "application/json".to_owned(), data: b"{}".to_vec() };
        let schedule = |number| Schedule {
            name: ScheduleName::parse(&format!("growth-{number}")).unwrap(),
            target: "steps/link".parse().unwrap(),
            when: when.clone(),
            payload: Some(payload.clone()),
            origin: Origin::Operator,
            rules: Rules::default(),
        };
        let all: Vec<Schedule> = numbers.map(schedule).collect();
        self.runtime.block_on(async {
            // As many at once as one group of changes takes.
            for some in all.chunks(512) {
                let mut made = JoinSet::new();
                for schedule in some.iter().cloned() {
                    let store = self.store.clone();
                    made.spawn(async move { store.put_schedule(schedule, now()).await.unwrap() });
                }
                while let Some(made) = made.join_next().await {
                    made.unwrap();
                }
            }
        });
    }

    /// All of them, whole.
    fn runs(&self) -> Vec<Run> {
        let (mut runs, mut before) = (Vec::new(), None);
        loop {
            let page = self.store.runs(PageRequest { before, limit: 500 }, RunFilter::default());
            let page = self.runtime.block_on(page).unwrap();
            runs.extend(page.runs);
            before = page.next;
            if before.is_none() {
                return runs;
            }
        }
    }

    fn slot(&self, run: &Run) -> Timestamp {
        match run.work {
            Work::Job(job) => self.runtime.block_on(self.store.job(job)).unwrap().scheduled_at,
            Work::Event(event) => panic!("{event} is not of a schedule"),
        }
    }
}

impl Row {
    fn new(what: String, mut accepted: Vec<u64>, mut begun: Vec<u64>, others: f64) -> Row {
        accepted.sort_unstable();
        begun.sort_unstable();
        let row = Row { what, accepted, begun, others };
        eprintln!("{}", row.line());
        row
    }

    pub(crate) fn print_all(rows: &[Row]) {
        println!();
        println!("| schedules | accepted late: p50, p99, worst | begun late: p50, p99, worst | others |");
        println!("|---|---|---|---|");
        rows.iter().for_each(|row| println!("{}", row.line()));
        let busy = rows.iter().filter(|row| row.others > BUSY).count();
        if busy > 0 {
            println!("\nIn {busy} of {} rows others took more than {:.0} % of the machine.", rows.len(), BUSY * 100.0);
        }
    }

    fn line(&self) -> String {
        let late = |sorted: &[u64]| {
            let at = |percent| sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0);
            format!("{}, {}, {} ms", at(50), at(99), at(100))
        };
        let (accepted, begun) = (late(&self.accepted), late(&self.begun));
        format!("| {} | {accepted} | {begun} | {:.0} % |", self.what, self.others * 100.0)
    }
}
