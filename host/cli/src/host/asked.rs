//! The signals that ask a host to stop: SIGTERM, and SIGINT from a terminal; and the one that asks it to read its files
//! anew: SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// From its making on a signal waits to be noticed; before, it ends the process as it would any other.
pub(crate) struct Asked {
    terminate: Signal,
    interrupt: Signal,
}

impl Asked {
    pub(crate) fn listen() -> io::Result<Asked> {
        Ok(Asked { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Until somebody asks, once more with each call.
    pub(crate) async fn again(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// SIGHUP. While somebody works at a terminal, it says that the terminal is gone, and ends the process.
pub(crate) struct Anew(Option<Signal>);

impl Anew {
    pub(crate) fn listen(dev: bool) -> io::Result<Anew> {
        Ok(Anew(if dev { None } else { Some(signal(SignalKind::hangup())?) }))
    }

    /// Until somebody asks, once more with each call.
    pub(crate) async fn asked(&mut self) {
        match &mut self.0 {
            Some(signal) => _ = signal.recv().await,
            None => std::future::pending().await,
        }
    }
}
