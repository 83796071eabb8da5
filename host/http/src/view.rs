//! The wire forms: what the API says, apart from what the host thinks in.

pub(crate) mod health;
