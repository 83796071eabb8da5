//! The rows of plugins. Form 7 tells which past versions were good; form 6, without it, form 5, without why the version may
//! run either, form 4, without what was rolled back, form 3, with three parts of a
//! schedule's retries, form 2, with as much of the policies of handlers, and form 1, without filters either, are read and no
//! longer written.

use hookbox_core::name::{HandlerName, PluginName, ScheduleName};
use hookbox_core::plugin::{DeclaredSchedule, Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::route::Pattern;
use hookbox_core::route::filter::Filter;
use hookbox_core::schedule::{Rules, When};
use hookbox_core::time::{Millis, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::VERSION;
use super::schedule::{OldWhen, RulesV2};
use crate::catalogue::{
    ActiveVersion, By, Ended, Ending, PastVersion, PluginRow, RefusedVersion, RejectedVersion, Rollbacks, Standing,
    Trusted,
};
use crate::error::StoreError;

const VERSION_WITH_FILTERS: u8 = 2;
const VERSION_WITH_POLICIES: u8 = 3;
const VERSION_WITH_RETRIES: u8 = 4;
const VERSION_WITH_ROLLBACKS: u8 = 5;
const VERSION_WITH_TRUST: u8 = 6;
const VERSION_WITH_SETTLED: u8 = 7;
/// What is written.
pub(crate) const FORM: u8 = VERSION_WITH_SETTLED;
/// What form 6 added at the end: nothing, in one byte.
const TRUST: [u8; 1] = [0; 1];

pub(crate) fn encode_plugin(row: &PluginRow) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(row, vec![VERSION_WITH_SETTLED])
        .map_err(|e| StoreError::Corrupt(format!("the row of a plugin cannot be written: {e}")))
}

pub(crate) fn decode_plugin(bytes: &[u8]) -> Result<PluginRow, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => read::<OldPlugin<HandlerV1>>(rest).map(PluginRow::from),
        Some((&VERSION_WITH_FILTERS, rest)) => read::<OldPlugin<HandlerV2>>(rest).map(PluginRow::from),
        Some((&VERSION_WITH_POLICIES, rest)) => read::<OldPlugin<HandlerV3>>(rest).map(PluginRow::from),
        Some((&VERSION_WITH_RETRIES, rest)) => read::<OldPlugin<Handler>>(rest).map(PluginRow::from),
        Some((&VERSION_WITH_ROLLBACKS, rest)) => read::<PluginV6>(&[rest, &TRUST].concat()).map(PluginRow::from),
        Some((&VERSION_WITH_TRUST, rest)) => read::<PluginV6>(rest).map(PluginRow::from),
        Some((&VERSION_WITH_SETTLED, rest)) => read(rest),
        Some((version, _)) => Err(StoreError::Corrupt(format!(
            "the row of a plugin has the form {version}, this release reads {VERSION} to {VERSION_WITH_SETTLED}: \
             start the release that wrote it"
        ))),
        None => Err(StoreError::Corrupt("the row of a plugin is empty".to_owned())),
    }
}

fn read<T: DeserializeOwned>(form: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(form).map_err(|e| StoreError::Corrupt(format!("the row of a plugin does not read: {e}")))
}

#[derive(Deserialize)]
struct PluginV6 {
    name: PluginName,
    active: Option<ActiveVersion>,
    refused: Option<RefusedVersion>,
    missing_since: Option<Timestamp>,
    history: Vec<PastV6>,
    rejected: Vec<RejectedVersion>,
    rollbacks: Rollbacks,
    trusted: Option<Trusted>,
}

#[derive(Deserialize)]
struct PastV6 {
    digest: Digest,
    since: Timestamp,
    version: Option<String>,
    ended: Option<Ended>,
}

#[derive(Deserialize)]
struct OldPlugin<H> {
    name: PluginName,
    active: Option<OldActive<H>>,
    refused: Option<RefusedVersion>,
    missing_since: Option<Timestamp>,
    history: Vec<OldPast>,
}

#[derive(Deserialize)]
struct OldPast {
    digest: Digest,
    since: Timestamp,
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
    trigger: OldTrigger<OldDeclared>,
    description: Option<String>,
    policy: PolicyV1,
}

#[derive(Deserialize)]
struct HandlerV2 {
    name: HandlerName,
    trigger: OldTrigger<OldDeclared>,
    description: Option<String>,
    policy: PolicyV1,
    filter: Option<Filter>,
}

#[derive(Deserialize)]
struct HandlerV3 {
    name: HandlerName,
    trigger: OldTrigger<DeclaredV3>,
    description: Option<String>,
    policy: PolicyPatch,
    filter: Option<Filter>,
}

#[derive(Deserialize)]
enum OldTrigger<D> {
    Events(Vec<Pattern>),
    Schedule(D),
    Manual,
}

#[derive(Deserialize)]
struct OldDeclared {
    name: ScheduleName,
    when: OldWhen,
}

#[derive(Deserialize)]
struct DeclaredV3 {
    name: ScheduleName,
    when: When,
    rules: RulesV2,
}

impl<D: Into<DeclaredSchedule>> From<OldTrigger<D>> for Trigger {
    fn from(trigger: OldTrigger<D>) -> Trigger {
        match trigger {
            OldTrigger::Events(patterns) => Trigger::Events(patterns),
            OldTrigger::Schedule(declared) => Trigger::Schedule(declared.into()),
            OldTrigger::Manual => Trigger::Manual,
        }
    }
}

impl From<OldDeclared> for DeclaredSchedule {
    fn from(declared: OldDeclared) -> DeclaredSchedule {
        DeclaredSchedule { name: declared.name, when: declared.when.into(), rules: Rules::default() }
    }
}

impl From<DeclaredV3> for DeclaredSchedule {
    fn from(declared: DeclaredV3) -> DeclaredSchedule {
        DeclaredSchedule { name: declared.name, when: declared.when, rules: declared.rules.into() }
    }
}

#[derive(Deserialize)]
struct PolicyV1 {
    timeout: Option<Millis>,
    attempts: Option<u32>,
    backoff: Option<Millis>,
}

impl From<PluginV6> for PluginRow {
    fn from(row: PluginV6) -> PluginRow {
        let PluginV6 { name, active, refused, missing_since, history, rejected, rollbacks, trusted } = row;
        let history = history.into_iter().map(PastVersion::from).collect();
        PluginRow { name, active, refused, missing_since, history, rejected, rollbacks, trusted }
    }
}

/// Whether it was on trial when it ended was not kept: what no rule has thrown out counts as good.
impl From<PastV6> for PastVersion {
    fn from(past: PastV6) -> PastVersion {
        let PastV6 { digest, since, version, ended } = past;
        let settled = ended.is_some_and(|ended| ended.how != Ending::RolledBack(By::Host));
        PastVersion { digest, since, version, ended, settled }
    }
}

impl<H: Into<Handler>> From<OldPlugin<H>> for PluginRow {
    fn from(row: OldPlugin<H>) -> PluginRow {
        let OldPlugin { name, active, refused, missing_since, history } = row;
        let active = active.map(|active| {
            let OldInfo { name, version, description, handlers } = active.info;
            let handlers = handlers.into_iter().map(H::into).collect();
            let info = PluginInfo { name, version, description, handlers };
            let (digest, since) = (active.digest, active.since);
            ActiveVersion { digest, since, info, imports: Vec::new(), standing: Standing::default() }
        });
        let history = past(&history, active.as_ref());
        PluginRow { active, refused, missing_since, history, ..PluginRow::new(name) }
    }
}

/// Each one ended when the next began.
fn past(old: &[OldPast], active: Option<&ActiveVersion>) -> Vec<PastVersion> {
    let ends = old.iter().skip(1).map(|next| Some(Ended { at: next.since, how: Ending::Replaced })).chain([None]);
    let past = old.iter().zip(ends).map(|(past, ended)| {
        let version = active.filter(|active| active.digest == past.digest).map(|active| active.info.version.clone());
        PastVersion { digest: past.digest, since: past.since, version, ended, settled: ended.is_some() }
    });
    past.collect()
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

impl From<HandlerV3> for Handler {
    fn from(handler: HandlerV3) -> Handler {
        let HandlerV3 { name, trigger, description, policy, filter } = handler;
        Handler { name, trigger: trigger.into(), description, policy, filter }
    }
}

impl From<PolicyV1> for PolicyPatch {
    fn from(policy: PolicyV1) -> PolicyPatch {
        let PolicyV1 { timeout, attempts, backoff } = policy;
        PolicyPatch { timeout, attempts, backoff, ..PolicyPatch::default() }
    }
}
