//! The clock: signatures, schedules and ids hang on it.

use std::path::Path;
use std::time::Duration;

use hookbox_core::clock::Clock;
use hookbox_core::cron::TIME_ZONES;
use hookbox_core::time::{Millis, Timestamp};

use super::Findings;
use crate::clock::{SystemClock, changed_at};
use crate::project::Project;

const PART: &str = "clock";
/// Both clocks are watched for so long.
const WATCHED_FOR: Duration = Duration::from_millis(200);
/// They may differ by as much: a machine is busy.
const DRIFT_MAX: Millis = Millis(50);
/// A file may be so much younger than the clock: another machine's clock wrote it.
const AHEAD_MAX: Millis = Millis(60_000);
/// No clock that is right shows less: 1 January 2026.
const EARLIEST: Timestamp = Timestamp(1_767_225_600_000);

pub(super) fn look(project: &Project, findings: &mut Findings) {
    let clock = SystemClock::new();
    let (wall, steady) = (clock.now(), clock.monotonic());
    std::thread::sleep(WATCHED_FOR);
    let (later, passed) = (clock.now(), clock.monotonic().since(steady));
    let shown = if later >= wall { later.since(wall) } else { Millis(0) };
    let apart = Millis(shown.0.abs_diff(passed.0));
    let cure = "let one service set the clock (chrony or systemd-timesyncd), and look at its log";
    if wall < EARLIEST {
        findings.fault(PART, format!("the clock shows {wall}, which has long passed"), cure);
    } else if later < wall || apart > DRIFT_MAX {
        let what = format!("the clock went {shown} in {passed}: something sets it just now");
        findings.warning(PART, what, cure);
    } else {
        findings.ok(PART, format!("the clock shows {wall}, and goes as fast as it should"));
    }
    if let Some(written) = newest(&project.data).filter(|at| *at > wall.plus(AHEAD_MAX)) {
        let what = format!("the store was written at {written}, which is later than the clock shows");
        let cure = "set the clock, or reset the schedules that wait for it: `hookbox schedules reset --all`";
        findings.fault(PART, what, cure);
    }
    findings.ok(PART, format!("time zones are those of the release {TIME_ZONES}, within the binary"));
}

fn newest(data: &Path) -> Option<Timestamp> {
    ["db", "conf"].iter().filter_map(|file| changed_at(&data.join(file))).max()
}
