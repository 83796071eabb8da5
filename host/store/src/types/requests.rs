//! Requests that carry an idempotency key.

use hookbox_core::time::Millis;

/// Hash of an idempotency key, and of whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestKey(pub [u8; 32]);

/// How long a request with an idempotency key is remembered.
pub const REQUEST_KEPT_FOR: Millis = Millis::DAY;
/// Of many, the latest.
pub const KEPT_REQUESTS_MAX: u64 = 10_000;

/// What became of a request that wanted to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    New,
    /// It has begun before and has no answer: it is under way, or the host ended meanwhile.
    UnderWay,
    /// The key was for another request.
    Other,
    Answered(KeptAnswer),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Nothing where it was too large to be kept.
    pub body: Option<Vec<u8>>,
}
