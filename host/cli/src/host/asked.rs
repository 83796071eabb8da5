//! The signals that ask a host to stop: SIGTERM, and SIGINT from a terminal; and the one that asks it to read its files
//! anew: SIGHUP.

use std::io;

use futures::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

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

    /// Whether somebody has asked already.
    pub(crate) fn once(&mut self) -> bool {
        self.again().now_or_never().is_some()
    }
}

/// While a host starts: parts of that wait for disks and files, and nothing can stop them. So who asks a second time ends the
/// process at once; nothing that was acknowledged is lost by it.
pub(crate) struct Cut(JoinHandle<()>);

impl Cut {
    pub(crate) fn at_second() -> io::Result<Cut> {
        let mut asked = Asked::listen()?;
        Ok(Cut(tokio::spawn(async move {
            asked.again().await;
            tracing::info!("asked to stop: the start is finished first, or cut by asking again");
            asked.again().await;
            tracing::warn!("asked again: the start is cut");
            std::process::exit(1);
        })))
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.abort();
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
