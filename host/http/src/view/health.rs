use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct HealthView {
    /// `ok`, `starting`, `draining` or `unavailable`.
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) providers: Option<Vec<String>>,
    /// `plugin/handler`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handlers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<Queue>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Queue {
    pub(crate) pending: u64,
    pub(crate) leased: u64,
    pub(crate) dead: u64,
}
