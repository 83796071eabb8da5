//! Server-sent events of a host, with going on where a connection broke off.

use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;
use ureq::http::StatusCode;

use super::Client;

/// Between two tries to reach a host that is away.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// One connection goes on for so long: of a host that is gone without a word, nobody would hear.
const RENEWED_AFTER: Duration = Duration::from_secs(600);
/// Of one line; a run in a list has a few KiB.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// One event.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) data: Value,
}

impl Client {
    /// Gives each event to `see` until it breaks, or the stream has come to its end. A host that is away for a moment, such
    /// as for a restart, is asked again, behind what was seen; the first answer must come.
    pub(crate) fn follow(
        &self,
        path: &str,
        query: &[(&str, String)],
        mut see: impl FnMut(Event) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut last = None;
        let (mut begun, mut away) = (false, false);
        loop {
            match self.stream(path, query, &mut last, &mut see) {
                Ok(ControlFlow::Break(())) => return Ok(()),
                Ok(ControlFlow::Continue(())) => (begun, away) = (true, false),
                Err(error) if !begun => return Err(error),
                Err(error) => {
                    if !away {
                        eprintln!("{error:#}; asking again");
                    }
                    away = true;
                }
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// One connection, until it ends.
    fn stream(
        &self,
        path: &str,
        query: &[(&str, String)],
        last: &mut Option<String>,
        see: &mut impl FnMut(Event) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let mut request = self.showing_token(self.agent.get(self.api(path)));
        for (name, value) in query {
            request = request.query(name, value);
        }
        if let Some(last) = last.as_deref() {
            request = request.header("Last-Event-ID", last);
        }
        let request = request.config().timeout_global(None).timeout_recv_body(Some(RENEWED_AFTER)).build();
        let response = self.reached(request.call())?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(ControlFlow::Break(()));
        }
        if !response.status().is_success() {
            self.answer(Ok(response))?;
            bail!("the host answers without a stream");
        }
        let mut lines = BufReader::new(response.into_body().into_reader());
        let (mut event, mut line) = (Event::default(), String::new());
        loop {
            line.clear();
            // However it breaks off: it is asked again.
            let Ok(1..) = std::io::Read::take(&mut lines, LINE_BYTES_MAX).read_line(&mut line) else {
                return Ok(ControlFlow::Continue(()));
            };
            let text = line.trim_end_matches(['\r', '\n']);
            match text.split_once(": ") {
                _ if text.is_empty() => {
                    let whole = std::mem::take(&mut event);
                    if !whole.kind.is_empty() && see(whole)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Some(("event", kind)) => kind.clone_into(&mut event.kind),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap_or_default(),
                Some(("id", id)) => *last = Some(id.to_owned()),
                _ => {}
            }
        }
    }
}
