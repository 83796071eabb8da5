//! What passes the seam, and how much it is.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::hookbox::plugin::{kv, logging, queue};

/// Given by a guest, or answered to it: data that holds on to nothing of the host, so that it can be written down and
/// read again. A handle is carried as its number.
pub(crate) trait Carried: Serialize + DeserializeOwned + Send + 'static {
    /// Of the text and bytes in it; numbers and flags are free.
    fn bytes(&self) -> usize;
}

macro_rules! free {
    ($($type:ty),*) => {
        $(impl Carried for $type {
            fn bytes(&self) -> usize {
                0
            }
        })*
    };
}

free!((), bool, u32, u64, i64, Vec<u32>, logging::Level);

impl Carried for String {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Carried for Vec<u8> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Carried for Vec<String> {
    fn bytes(&self) -> usize {
        self.iter().map(String::len).sum()
    }
}

impl Carried for Vec<(String, String)> {
    fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

impl Carried for Vec<(String, Vec<u8>)> {
    fn bytes(&self) -> usize {
        self.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

impl Carried for Vec<(String, Option<Vec<u8>>)> {
    fn bytes(&self) -> usize {
        self.iter().map(|(key, value)| key.len() + value.bytes()).sum()
    }
}

impl<T: Carried> Carried for Option<T> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, Carried::bytes)
    }
}

impl<T: Carried, E: Carried> Carried for Result<T, E> {
    fn bytes(&self) -> usize {
        match self {
            Ok(answer) => answer.bytes(),
            Err(error) => error.bytes(),
        }
    }
}

impl<A: Carried, B: Carried> Carried for (A, B) {
    fn bytes(&self) -> usize {
        self.0.bytes() + self.1.bytes()
    }
}

impl<A: Carried, B: Carried, C: Carried> Carried for (A, B, C) {
    fn bytes(&self) -> usize {
        self.0.bytes() + self.1.bytes() + self.2.bytes()
    }
}

impl Carried for kv::Page {
    fn bytes(&self) -> usize {
        self.keys.bytes() + self.next.bytes()
    }
}

impl Carried for kv::Error {
    fn bytes(&self) -> usize {
        match self {
            kv::Error::LimitExceeded(message) | kv::Error::Unavailable(message) => message.len(),
            kv::Error::WrongType => 0,
        }
    }
}

impl Carried for queue::JobRequest {
    fn bytes(&self) -> usize {
        self.handler.len() + self.data_content_type.len() + self.data.len() + self.unique_key.bytes()
    }
}

impl Carried for queue::EventRequest {
    fn bytes(&self) -> usize {
        self.type_.len() + self.subject.bytes() + self.data_content_type.len() + self.data.len()
    }
}

impl Carried for queue::Error {
    fn bytes(&self) -> usize {
        match self {
            queue::Error::LimitExceeded(message) | queue::Error::Unavailable(message) => message.len(),
            queue::Error::UnknownHandler => 0,
        }
    }
}
