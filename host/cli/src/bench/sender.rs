//! Connections that each send one request after the other, as fast as they are answered or each in its turn.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Room for one connection's thread: it holds little more than a buffer.
const STACK_BYTES: usize = 256 * 1024;

#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) accepted: u64,
    pub(super) refused: u64,
    /// Sorted.
    latencies_us: Vec<u32>,
}

impl Sent {
    /// Of the time from the first byte sent to the last byte of the answer.
    pub(super) fn quantile(&self, percent: usize) -> u32 {
        let last = self.latencies_us.len().saturating_sub(1);
        self.latencies_us.get(last * percent / 100).copied().unwrap_or(0)
    }
}

/// When each request is due.
#[derive(Debug, Clone, Copy)]
struct Pace {
    began: Instant,
    per_second: u32,
}

impl Pace {
    fn due(self, number: usize) -> Instant {
        let micros = u64::try_from(number).unwrap_or(u64::MAX).saturating_mul(1_000_000) / u64::from(self.per_second);
        self.began + Duration::from_micros(micros)
    }
}

#[expect(clippy::disallowed_methods, reason = "the moment from which the turns of requests are counted")]
pub(super) fn send_all(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    connections: usize,
    rate: Option<u32>,
) -> Result<Sent> {
    let requests = Arc::new(requests);
    let pace = rate.map(|per_second| Pace { began: Instant::now(), per_second });
    let mut threads = Vec::new();
    for first in 0..connections {
        let requests = requests.clone();
        let send = move || connection(address, requests.iter().enumerate().skip(first).step_by(connections), pace);
        threads.push(std::thread::Builder::new().stack_size(STACK_BYTES).spawn(send)?);
    }
    let mut all = Sent::default();
    for thread in threads {
        let sent = thread.join().map_err(|_| anyhow::anyhow!("a connection's thread ended early"))??;
        all.accepted += sent.accepted;
        all.refused += sent.refused;
        all.latencies_us.extend(sent.latencies_us);
    }
    all.latencies_us.sort_unstable();
    Ok(all)
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("no host answers at {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a latency is measured to the microsecond, which the clock does not give"
)]
fn connection<'a>(
    address: SocketAddr,
    requests: impl Iterator<Item = (usize, &'a Vec<u8>)>,
    pace: Option<Pace>,
) -> Result<Sent> {
    let mut sent = Sent::default();
    let mut stream = connect(address)?;
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    for (number, request) in requests {
        let due = pace.map(|pace| pace.due(number));
        if let Some(due) = due {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        // One that had to wait for its connection has waited for the host.
        let began = due.unwrap_or_else(Instant::now);
        let status = stream.write_all(request).ok().and_then(|()| answer(&mut stream, &mut buffer));
        let took = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
        sent.latencies_us.push(took);
        match status {
            Some(200..=299) => sent.accepted += 1,
            Some(_) => sent.refused += 1,
            None => {
                sent.refused += 1;
                stream = connect(address)?;
            }
        }
    }
    Ok(sent)
}

/// Reads one answer to its end; its status.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Option<u16> {
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..)?).ok().filter(|read| *read > 0)?;
        filled += read;
        let text = buffer.get(..filled)?;
        let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(text.get(..end)?).ok()?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if filled >= end + 4 + length.unwrap_or(0) {
            return head.get(9..12)?.parse().ok();
        }
    }
}
