//! The rows of plugins. Form 2 has the filters of handlers; form 1, without them, is read and no longer written.

use hookbox_core::name::{HandlerName, PluginName};
use hookbox_core::plugin::{Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::time::Timestamp;
use serde::Deserialize;

use super::{VERSION, decode};
use crate::catalogue::{ActiveVersion, PastVersion, PluginRow, RefusedVersion};
use crate::error::StoreError;

const VERSION_WITH_FILTERS: u8 = 2;

pub(crate) fn encode_plugin(row: &PluginRow) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(row, vec![VERSION_WITH_FILTERS])
        .map_err(|e| StoreError::Corrupt(format!("the row of a plugin cannot be written: {e}")))
}

pub(crate) fn decode_plugin(bytes: &[u8]) -> Result<PluginRow, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, _)) => decode::<PluginV1>(bytes).map(PluginRow::from),
        Some((&VERSION_WITH_FILTERS, rest)) => postcard::from_bytes(rest)
            .map_err(|e| StoreError::Corrupt(format!("the row of a plugin does not read: {e}"))),
        Some((version, _)) => Err(StoreError::Corrupt(format!(
            "the row of a plugin has the form {version}, this release reads {VERSION} and {VERSION_WITH_FILTERS}: \
             start the release that wrote it"
        ))),
        None => Err(StoreError::Corrupt("the row of a plugin is empty".to_owned())),
    }
}

#[derive(Deserialize)]
struct PluginV1 {
    name: PluginName,
    active: Option<ActiveV1>,
    refused: Option<RefusedVersion>,
    missing_since: Option<Timestamp>,
    history: Vec<PastVersion>,
}

#[derive(Deserialize)]
struct ActiveV1 {
    digest: Digest,
    since: Timestamp,
    info: InfoV1,
}

#[derive(Deserialize)]
struct InfoV1 {
    name: PluginName,
    version: String,
    description: Option<String>,
    handlers: Vec<HandlerV1>,
}

#[derive(Deserialize)]
struct HandlerV1 {
    name: HandlerName,
    trigger: Trigger,
    description: Option<String>,
    policy: PolicyPatch,
}

impl From<PluginV1> for PluginRow {
    fn from(row: PluginV1) -> PluginRow {
        let active = row.active.map(|active| ActiveVersion {
            digest: active.digest,
            since: active.since,
            info: PluginInfo::from(active.info),
        });
        let PluginV1 { name, refused, missing_since, history, .. } = row;
        PluginRow { name, active, refused, missing_since, history }
    }
}

impl From<InfoV1> for PluginInfo {
    fn from(info: InfoV1) -> PluginInfo {
        let handlers = info.handlers.into_iter().map(|handler| {
            let HandlerV1 { name, trigger, description, policy } = handler;
            Handler { name, trigger, description, policy, filter: None }
        });
        PluginInfo {
            name: info.name,
            version: info.version,
            description: info.description,
            handlers: handlers.collect(),
        }
    }
}
