//! The rows of plugins. Form 3 has whole policies; form 2, with three parts of them, and form 1, without filters either,
//! are read and no longer written.

use hookbox_core::name::{HandlerName, PluginName, ScheduleName};
use hookbox_core::plugin::{DeclaredSchedule, Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::route::Pattern;
use hookbox_core::route::filter::Filter;
use hookbox_core::schedule::Rules;
use hookbox_core::time::{Millis, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::VERSION;
use super::schedule::OldWhen;
use crate::catalogue::{ActiveVersion, PastVersion, PluginRow, RefusedVersion};
use crate::error::StoreError;

const VERSION_WITH_FILTERS: u8 = 2;
const VERSION_WITH_POLICIES: u8 = 3;

pub(crate) fn encode_plugin(row: &PluginRow) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(row, vec![VERSION_WITH_POLICIES])
        .map_err(|e| StoreError::Corrupt(format!("the row of a plugin cannot be written: {e}")))
}

pub(crate) fn decode_plugin(bytes: &[u8]) -> Result<PluginRow, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => read::<OldPlugin<HandlerV1>>(rest).map(PluginRow::from),
        Some((&VERSION_WITH_FILTERS, rest)) => read::<OldPlugin<HandlerV2>>(rest).map(PluginRow::from),
        Some((&VERSION_WITH_POLICIES, rest)) => read(rest),
        Some((version, _)) => Err(StoreError::Corrupt(format!(
            "the row of a plugin has the form {version}, this release reads {VERSION} to {VERSION_WITH_POLICIES}: \
             start the release that wrote it"
        ))),
        None => Err(StoreError::Corrupt("the row of a plugin is empty".to_owned())),
    }
}

fn read<T: DeserializeOwned>(form: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(form).map_err(|e| StoreError::Corrupt(format!("the row of a plugin does not read: {e}")))
}

#[derive(Deserialize)]
struct OldPlugin<H> {
    name: PluginName,
    active: Option<OldActive<H>>,
    refused: Option<RefusedVersion>,
    missing_since: Option<Timestamp>,
    history: Vec<PastVersion>,
}

#[derive(Deserialize)]
struct OldActive<H> {
    digest: Digest,
    since: Timestamp,
    info: OldInfo<H>,
}

#[derive(Deserialize)]
struct OldInfo<H> {
    name: PluginName,
    version: String,
    description: Option<String>,
    handlers: Vec<H>,
}

#[derive(Deserialize)]
struct HandlerV1 {
    name: HandlerName,
    trigger: OldTrigger,
    description: Option<String>,
    policy: PolicyV1,
}

#[derive(Deserialize)]
struct HandlerV2 {
    name: HandlerName,
    trigger: OldTrigger,
    description: Option<String>,
    policy: PolicyV1,
    filter: Option<Filter>,
}

#[derive(Deserialize)]
enum OldTrigger {
    Events(Vec<Pattern>),
    Schedule(OldDeclared),
    Manual,
}

#[derive(Deserialize)]
struct OldDeclared {
    name: ScheduleName,
    when: OldWhen,
}

impl From<OldTrigger> for Trigger {
    fn from(trigger: OldTrigger) -> Trigger {
        match trigger {
            OldTrigger::Events(patterns) => Trigger::Events(patterns),
            OldTrigger::Schedule(OldDeclared { name, when }) => {
                Trigger::Schedule(DeclaredSchedule { name, when: when.into(), rules: Rules::default() })
            }
            OldTrigger::Manual => Trigger::Manual,
        }
    }
}

#[derive(Deserialize)]
struct PolicyV1 {
    timeout: Option<Millis>,
    attempts: Option<u32>,
    backoff: Option<Millis>,
}

impl<H: Into<Handler>> From<OldPlugin<H>> for PluginRow {
    fn from(row: OldPlugin<H>) -> PluginRow {
        let OldPlugin { name, active, refused, missing_since, history } = row;
        let active = active.map(|active| {
            let OldInfo { name, version, description, handlers } = active.info;
            let handlers = handlers.into_iter().map(H::into).collect();
            let info = PluginInfo { name, version, description, handlers };
            ActiveVersion { digest: active.digest, since: active.since, info }
        });
        PluginRow { name, active, refused, missing_since, history }
    }
}

impl From<HandlerV1> for Handler {
    fn from(handler: HandlerV1) -> Handler {
        let HandlerV1 { name, trigger, description, policy } = handler;
        Handler { name, trigger: trigger.into(), description, policy: policy.into(), filter: None }
    }
}

impl From<HandlerV2> for Handler {
    fn from(handler: HandlerV2) -> Handler {
        let HandlerV2 { name, trigger, description, policy, filter } = handler;
        Handler { name, trigger: trigger.into(), description, policy: policy.into(), filter }
    }
}

impl From<PolicyV1> for PolicyPatch {
    fn from(policy: PolicyV1) -> PolicyPatch {
        let PolicyV1 { timeout, attempts, backoff } = policy;
        PolicyPatch { timeout, attempts, backoff, ..PolicyPatch::default() }
    }
}
