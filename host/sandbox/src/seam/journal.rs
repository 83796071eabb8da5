//! A journal at the seam: it keeps what passes, and answers a second run from what it has kept.

mod tests;

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, from_value, json, to_value};
use wasmtime_wasi_http::{Error, WasiBody};

use super::{Carried, HostCall};
use crate::egress::{Answer, Answering};

/// Cloning it shares what it holds.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Mutex<Tape>>);

struct Tape {
    entries: Vec<Entry>,
    /// Where the call stands that was entered last.
    at: usize,
    replays: bool,
}

#[derive(Clone)]
struct Entry {
    name: &'static str,
    given: Value,
    /// Nothing yet while the call is under way. An error ended the guest, or is what a request came to.
    answer: Option<Kept>,
}

type Kept = Result<Value, String>;
type Headers = Vec<(String, Vec<u8>)>;

impl Journal {
    fn writing() -> Journal {
        Journal::with(Vec::new(), false)
    }

    /// Another one, which answers with what this one has kept.
    fn replaying(&self) -> Journal {
        Journal::with(self.0.lock().unwrap().entries.clone(), true)
    }

    fn with(entries: Vec<Entry>, replays: bool) -> Journal {
        Journal(Arc::new(Mutex::new(Tape { entries, at: 0, replays })))
    }

    pub(super) fn enter<Given: Carried, Answer: Carried>(
        &self,
        call: HostCall,
        given: &Given,
    ) -> Option<wasmtime::Result<Answer>> {
        let kept = self.next(call.name, to_value(given).unwrap())?;
        Some(kept.and_then(|kept| kept.map_err(wasmtime::Error::msg)).map(|kept| from_value(kept).unwrap()))
    }

    pub(super) fn leave<Answer: Carried>(&self, answer: &wasmtime::Result<Answer>) {
        let mut tape = self.0.lock().unwrap();
        if !tape.replays {
            let at = tape.at;
            let kept = answer.as_ref().map(|answer| to_value(answer).unwrap()).map_err(|error| format!("{error:#}"));
            tape.entries[at].answer = Some(kept);
        }
    }

    /// A request is answered later than it passes, and its answer is kept where it passed.
    pub(super) fn send(
        &self,
        request: Request<WasiBody>,
        sender: impl FnOnce(Request<WasiBody>) -> Answering,
    ) -> Answering {
        let headers = |headers: &http::HeaderMap| -> Headers {
            headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
        };
        let given = json!([request.method().as_str(), request.uri().to_string(), headers(request.headers())]);
        if let Some(kept) = self.next("outgoing-handler.handle", given) {
            // A guest may write its body and wait until it is taken.
            tokio::spawn(request.into_body().collect());
            return Box::new(async { replayed(kept.map_err(|error| Error::InternalError(Some(error.to_string())))?) });
        }
        let (journal, at) = (self.clone(), self.0.lock().unwrap().at);
        let answering = sender(request);
        Box::new(async move {
            let answer = Pin::from(answering).await;
            let (kept, answer) = match answer {
                Ok((response, sent)) => {
                    let (parts, body) = response.into_parts();
                    let body = body.collect().await?.to_bytes();
                    let kept = json!([parts.status.as_u16(), headers(&parts.headers), body.to_vec()]);
                    (Ok(kept), Ok((Response::from_parts(parts, whole(body)), sent)))
                }
                Err(error) => (Err(format!("{error:?}")), Err(error)),
            };
            journal.0.lock().unwrap().entries[at].answer = Some(kept);
            answer
        })
    }

    /// What was kept of the next call; nothing where this journal is being written. A call that is another one than
    /// was kept is an error.
    fn next(&self, name: &'static str, given: Value) -> Option<wasmtime::Result<Kept>> {
        let mut tape = self.0.lock().unwrap();
        if !tape.replays {
            tape.at = tape.entries.len();
            tape.entries.push(Entry { name, given, answer: None });
            return None;
        }
        let at = tape.at;
        tape.at += 1;
        Some(match tape.entries.get(at) {
            Some(entry) if (entry.name, &entry.given) == (name, &given) => Ok(entry.answer.clone().unwrap()),
            Some(entry) => {
                let (had, asked) = (entry.name, &entry.given);
                Err(wasmtime::Error::msg(format!("call {at} is {name} {given}, the journal has {had} {asked}")))
            }
            None => Err(wasmtime::Error::msg(format!("call {at} is {name}, the journal has no more"))),
        })
    }

    /// Names of what was kept, and how many of them were replayed.
    fn told(&self) -> (Vec<&'static str>, usize) {
        let tape = self.0.lock().unwrap();
        (tape.entries.iter().map(|entry| entry.name).collect(), tape.at)
    }
}

fn replayed(kept: Kept) -> Result<Answer, Error> {
    let kept = kept.map_err(|error| match error.as_str() {
        "HttpRequestDenied" => Error::HttpRequestDenied,
        _ => Error::InternalError(Some(error)),
    })?;
    let (status, headers, body): (u16, Headers, Vec<u8>) = from_value(kept).unwrap();
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok((response.body(whole(body.into())).unwrap(), Box::new(async { Ok(()) })))
}

fn whole(body: Bytes) -> WasiBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}
