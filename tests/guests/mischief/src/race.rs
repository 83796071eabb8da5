//! Requests that race each other and a clock, told step by step: what was ready first, and in what parts it came.

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{FutureIncomingResponse, FutureTrailers, IncomingBody, http_error_code};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, StreamError};

use crate::requests;

/// So long is a tick of the clock, in nanoseconds.
const TICK: u64 = 2_000_000;

pub(crate) fn run(told: &str) -> String {
    let mut steps = Vec::new();
    let mut bodies = Vec::new();
    let mut waiting = Vec::new();
    for (n, told) in told.split("\n---\n").enumerate() {
        match requests::begin(told) {
            Ok(begun) => waiting.push((n, begun)),
            Err(error) => steps.push(format!("{n} not begun: {error}")),
        }
    }
    while !waiting.is_empty() {
        let looked = waiting.iter().map(|(_, begun)| u8::from(begun.subscribe().ready()).to_string());
        steps.push(format!("looked {}", looked.collect::<String>()));
        let first = first_of(waiting.iter().map(|(_, begun)| begun.subscribe()).collect());
        steps.push(format!("ready {first:?}"));
        waiting.retain(|(n, begun)| match answered(begun) {
            None => true,
            Some(Ok((told, body))) => {
                steps.push(format!("{n} {told}"));
                let stream = body.stream().expect("a body has one stream");
                bodies.push((*n, body, stream));
                false
            }
            Some(Err(error)) => {
                steps.push(format!("{n} {error}"));
                false
            }
        });
    }
    let mut ends = Vec::new();
    while !bodies.is_empty() {
        let first = first_of(bodies.iter().map(|(_, _, stream)| stream.subscribe()).collect());
        steps.push(format!("ready {first:?}"));
        let mut left = Vec::new();
        for (n, body, stream) in bodies {
            let (told, more) = part(&stream);
            steps.push(format!("{n} {told}"));
            if more {
                left.push((n, body, stream));
                continue;
            }
            drop(stream);
            ends.push((n, IncomingBody::finish(body)));
        }
        bodies = left;
    }
    for (n, end) in ends {
        steps.push(format!("{n} {}", trailers(&end)));
    }
    steps.join("\n")
}

/// Which of them are ready, the clock being the last.
fn first_of(mut things: Vec<Pollable>) -> Vec<u32> {
    things.push(monotonic_clock::subscribe_duration(TICK));
    poll(&things.iter().collect::<Vec<_>>())
}

fn answered(begun: &FutureIncomingResponse) -> Option<Result<(String, IncomingBody), String>> {
    let answer = begun.get()?.expect("it is taken once");
    Some(match answer {
        Ok(response) => {
            let sum = response.headers().get("x-sum");
            Ok((format!("{} {sum:?}", response.status()), response.consume().expect("it has a body")))
        }
        Err(code) => Err(format!("{code:?}")),
    })
}

/// At most five bytes, and whether there may be more.
fn part(stream: &InputStream) -> (String, bool) {
    match stream.read(5) {
        Ok(bytes) => (format!("part {:?}", String::from_utf8_lossy(&bytes)), true),
        Err(StreamError::Closed) => ("closed".to_owned(), false),
        Err(StreamError::LastOperationFailed(error)) => {
            (format!("broken off: {:?} {}", http_error_code(&error), error.to_debug_string()), false)
        }
    }
}

fn trailers(end: &FutureTrailers) -> String {
    end.subscribe().block();
    match end.get() {
        Some(Ok(Ok(Some(fields)))) => format!("trailers {:?}", fields.entries()),
        other => format!("ends with {other:?}"),
    }
}
