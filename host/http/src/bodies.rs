//! How many bytes of bodies are held at one time, from the first byte read to the answer: what is sent does not use up the
//! memory, however many send it and however slowly.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::share::{PART, Share, Shares};

/// Why no more is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// All that may be held is.
    Host,
    /// Its source address holds its share of it.
    Source,
}

/// What may be held, by whoever sends.
#[derive(Debug)]
pub(crate) struct Bodies {
    bytes_max: usize,
    bytes: Arc<AtomicUsize>,
    shares: Shares,
}

/// What one request holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(Option<Counted>);

#[derive(Debug)]
struct Counted {
    bytes: usize,
    all: Arc<AtomicUsize>,
    all_max: usize,
    share: Share,
    share_max: usize,
}

impl Bodies {
    pub(crate) fn new(bytes_max: usize) -> Bodies {
        Bodies { bytes_max, bytes: Arc::default(), shares: Shares::default() }
    }

    /// Nothing yet. A source's share has room for at least one body of `body_bytes_max`.
    pub(crate) fn of(&self, source: IpAddr, body_bytes_max: usize) -> Held {
        Held(Some(Counted {
            bytes: 0,
            all: self.bytes.clone(),
            all_max: self.bytes_max,
            share: self.shares.none_of(source),
            share_max: self.bytes_max.div_ceil(PART).max(body_bytes_max),
        }))
    }
}

impl Held {
    /// Of somebody who is trusted: it is not counted.
    pub(crate) fn uncounted() -> Held {
        Held(None)
    }

    /// Holds so many more; none of them where they are too many.
    pub(crate) fn grow(&mut self, by: usize) -> Result<(), Full> {
        let Some(counted) = &mut self.0 else { return Ok(()) };
        if !counted.share.grow(by, counted.share_max) {
            return Err(Full::Source);
        }
        let grown = |all: usize| all.checked_add(by).filter(|all| *all <= counted.all_max);
        if counted.all.fetch_update(Ordering::AcqRel, Ordering::Acquire, grown).is_err() {
            counted.share.shrink(by);
            return Err(Full::Host);
        }
        counted.bytes += by;
        Ok(())
    }

    /// Holds `bytes` altogether, more than before or less.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), Full> {
        let before = self.0.as_ref().map_or(bytes, |counted| counted.bytes);
        match bytes.checked_sub(before) {
            Some(by) => self.grow(by),
            None => {
                self.shrink(before - bytes);
                Ok(())
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |counted| counted.bytes)
    }

    fn shrink(&mut self, by: usize) {
        if let Some(counted) = &mut self.0 {
            counted.shrink(by);
        }
    }
}

impl Counted {
    fn shrink(&mut self, by: usize) {
        let by = by.min(self.bytes);
        self.bytes -= by;
        self.share.shrink(by);
        self.all.fetch_sub(by, Ordering::AcqRel);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_given_back_can_be_held_again() {
        let bodies = Bodies::new(100);
        let mut one = bodies.of(address("127.0.0.1"), 100);
        assert_eq!((one.grow(60), one.grow(41), one.grow(40)), (Ok(()), Err(Full::Host), Ok(())));
        let mut other = bodies.of(address("127.0.0.1"), 100);
        assert_eq!(other.grow(1), Err(Full::Host));
        assert_eq!((one.resize(30), other.grow(70), other.resize(71)), (Ok(()), Ok(()), Err(Full::Host)));
        drop(one);
        assert_eq!(other.resize(100), Ok(()));
        drop(other);
        assert_eq!(bodies.bytes.load(Ordering::Acquire), 0);
    }

    #[test]
    fn one_source_holds_its_share_or_one_body() {
        let bodies = Bodies::new(100);
        let mut first = bodies.of(address("192.0.2.1"), 10);
        assert_eq!(first.grow(20), Ok(()));
        let mut second = bodies.of(address("192.0.2.1"), 10);
        assert_eq!((second.grow(6), second.grow(5)), (Err(Full::Source), Ok(())));
        assert_eq!(bodies.of(address("192.0.2.2"), 60).grow(60), Ok(()), "a large one gets in alone");
        drop(first);
        assert_eq!(second.grow(20), Ok(()), "what was refused is not counted");
    }

    #[test]
    fn what_is_not_counted_has_no_bound() {
        let mut held = Held::uncounted();
        assert_eq!((held.grow(usize::MAX), held.grow(usize::MAX), held.resize(0)), (Ok(()), Ok(()), Ok(())));
    }
}
