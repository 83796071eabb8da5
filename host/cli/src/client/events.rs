//! Server-sent events of a host, with going on where a connection broke off.

use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;
use ureq::http::StatusCode;

use super::{Client, Patience};

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
    /// as for a restart, is asked again, behind what was seen; the first answer must come. Fails where the host refuses for
    /// good.
    pub(crate) fn follow(
        &self,
        path: &str,
        query: &[(&str, String)],
        mut see: impl FnMut(Event) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut last = None;
        let (mut begun, mut patience) = (false, Patience::new(ASK_EVERY));
        loop {
            let wait = match self.stream(path, query, &mut last, &mut see) {
                Ok(ControlFlow::Break(())) => return Ok(()),
                Ok(ControlFlow::Continue(())) => {
                    begun = true;
                    patience.answered();
                    ASK_EVERY
                }
                Err(error) if !begun => return Err(error),
                Err(error) => patience.failed(error)?,
            };
            std::thread::sleep(wait);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::scripted::{Scripted, answer, problem};

    fn events(text: &str) -> String {
        answer("200 OK", "text/event-stream", text)
    }

    /// What was seen, and how it ended.
    fn followed(host: &Scripted) -> (Vec<Value>, Result<()>) {
        let mut seen = Vec::new();
        let ended = host.client().follow("runs/stream", &[], |Event { kind, data }| {
            seen.push(data);
            Ok(if kind == "end" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        (seen, ended)
    }

    #[test]
    fn a_host_that_is_away_is_asked_again_behind_what_was_seen() {
        let answers = [
            events("event: run\ndata: 1\nid: a-1\n\n"),
            problem("503 Service Unavailable", "starting"),
            String::new(),
            events("event: run\ndata: 2\nid: a-2\n\nevent: end\ndata: 3\n\n"),
        ];
        let host = Scripted::answering(answers.to_vec());
        let (seen, ended) = followed(&host);
        ended.unwrap();
        assert_eq!(seen, [1, 2, 3]);
        let asked = host.asked();
        assert!(asked[3].to_ascii_lowercase().contains("last-event-id: a-1"), "{}", asked[3]);
    }

    #[test]
    fn one_that_refuses_for_good_is_not_asked_again() {
        for (status, detail) in [("401 Unauthorized", "the token was revoked"), ("404 Not Found", "there is no run")] {
            let answers = [events("event: run\ndata: 1\n\n"), problem(status, detail)];
            let host = Scripted::answering(answers.to_vec());
            let (seen, ended) = followed(&host);
            assert_eq!(seen, [1]);
            assert_eq!(ended.unwrap_err().to_string(), format!("{detail} ({status})"));
            assert_eq!(host.asked().len(), 2);
        }
    }
}
