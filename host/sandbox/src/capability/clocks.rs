//! `wasi:clocks`. The clocks are wasmtime's; what they say passes the seam, and so does how long an alarm waits.

use hookbox_core::host_call::CallKind;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::clocks::WasiClocksCtxView;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::{self, Duration, Instant};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{self, Datetime};

use crate::guest::{Guest, Surroundings};
use crate::seam::HostCall;

const WALL: HostCall = HostCall { kind: CallKind::Clock, name: "wall-clock.now" };
const WALL_RESOLUTION: HostCall = HostCall { kind: CallKind::Clock, name: "wall-clock.resolution" };
const MONOTONIC: HostCall = HostCall { kind: CallKind::Clock, name: "monotonic-clock.now" };
const MONOTONIC_RESOLUTION: HostCall = HostCall { kind: CallKind::Clock, name: "monotonic-clock.resolution" };
const SUBSCRIBE_INSTANT: HostCall = HostCall { kind: CallKind::Clock, name: "monotonic-clock.subscribe-instant" };
const SUBSCRIBE_DURATION: HostCall = HostCall { kind: CallKind::Clock, name: "monotonic-clock.subscribe-duration" };

/// Puts the seam in the place of wasmtime's own functions.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wall_clock::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    monotonic_clock::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

impl wall_clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        self.read(WALL, (), |around, ()| wall_clock::Host::now(&mut clocks(around)).map(parts)).map(datetime)
    }

    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        self.read(WALL_RESOLUTION, (), |around, ()| wall_clock::Host::resolution(&mut clocks(around)).map(parts))
            .map(datetime)
    }
}

impl monotonic_clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<Instant> {
        self.read(MONOTONIC, (), |around, ()| monotonic_clock::Host::now(&mut clocks(around)))
    }

    fn resolution(&mut self) -> wasmtime::Result<Duration> {
        self.read(MONOTONIC_RESOLUTION, (), |around, ()| monotonic_clock::Host::resolution(&mut clocks(around)))
    }

    fn subscribe_instant(&mut self, when: Instant) -> wasmtime::Result<Resource<DynPollable>> {
        let wait = self.read(SUBSCRIBE_INSTANT, when, |around, when| {
            let now = monotonic_clock::Host::now(&mut clocks(around))?;
            Ok(when.saturating_sub(now))
        })?;
        self.alarm(wait)
    }

    fn subscribe_duration(&mut self, wait: Duration) -> wasmtime::Result<Resource<DynPollable>> {
        let wait = self.read(SUBSCRIBE_DURATION, wait, |_, wait| Ok(wait))?;
        self.alarm(wait)
    }
}

impl Guest {
    /// What a guest holds of it is the host's: a journal that replays need not wait as long.
    fn alarm(&mut self, wait: Duration) -> wasmtime::Result<Resource<DynPollable>> {
        monotonic_clock::Host::subscribe_duration(&mut clocks(self.surroundings()), wait)
    }
}

fn clocks(around: Surroundings<'_>) -> WasiClocksCtxView<'_> {
    WasiClocksCtxView { ctx: around.wasi.clocks(), table: around.table }
}

fn parts(time: Datetime) -> (u64, u32) {
    (time.seconds, time.nanoseconds)
}

fn datetime((seconds, nanoseconds): (u64, u32)) -> Datetime {
    Datetime { seconds, nanoseconds }
}
