//! A request that carried an idempotency key.

use serde::{Deserialize, Serialize};

use crate::types::KeptAnswer;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestV1 {
    /// Its place in the order in which they came.
    pub(crate) number: u64,
    pub(crate) at: u64,
    /// Hash of what was asked.
    pub(crate) request: [u8; 32],
    /// Nothing while it is under way.
    pub(crate) answer: Option<KeptAnswerV1>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptAnswerV1 {
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl From<KeptAnswer> for KeptAnswerV1 {
    fn from(answer: KeptAnswer) -> KeptAnswerV1 {
        let KeptAnswer { status, headers, body } = answer;
        KeptAnswerV1 { status, headers, body }
    }
}

impl From<KeptAnswerV1> for KeptAnswer {
    fn from(answer: KeptAnswerV1) -> KeptAnswer {
        let KeptAnswerV1 { status, headers, body } = answer;
        KeptAnswer { status, headers, body }
    }
}
