//! shim
use crate::{name::*, plugin::PolicyPatch, route::Pattern, schedule::Schedule, time::Millis, verify::Scheme};
use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf};
pub struct Server {
    pub listen: SocketAddr,
    pub body_bytes_max: u64,
    pub in_flight_max: u32,
}
pub struct Operator {
    pub listen: SocketAddr,
    pub token: Option<SecretSource>,
    pub hosts: Vec<String>,
}
pub struct EngineCfg {
    pub slots: u32,
}
pub enum StoreLocation {
    Sled(PathBuf),
}
#[derive(Clone, Debug)]
pub enum SecretSource {
    Env(String),
    File(PathBuf),
}
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
#[derive(Clone)]
pub struct Provider {
    pub scheme: Scheme,
    pub secrets: Vec<SecretSource>,
    pub tolerance: Option<Millis>,
    pub body_bytes_max: Option<u64>,
}
impl Provider {
    pub fn preset_for(n: &ProviderName) -> Provider {
        Provider {
            scheme: Scheme::named(n.as_str()).or(Scheme::named("generic")).unwrap().clone(),
            secrets: vec![SecretSource::Env(format!("WEBHOOK_SECRET_{}", n.as_str().to_uppercase().replace('-', "_")))],
            tolerance: None,
            body_bytes_max: None,
        }
    }
}
pub fn provider_for_env(v: &str) -> Option<ProviderName> {
    ProviderName::parse(&v.strip_prefix("WEBHOOK_SECRET_")?.to_lowercase().replace('_', "-")).ok()
}
pub struct Plugin {
    pub memory_bytes: u64,
    pub cpu: Millis,
    pub timeout: Option<Millis>,
    pub kv_bytes: u64,
    pub config: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, SecretSource>,
    pub emit: Vec<Pattern>,
    pub handlers: BTreeMap<HandlerName, PolicyPatch>,
}
pub struct Config {
    pub server: Server,
    pub operator: Operator,
    pub store: StoreLocation,
    pub engine: EngineCfg,
    pub providers: BTreeMap<ProviderName, Provider>,
    pub plugins: BTreeMap<PluginName, Plugin>,
    pub schedules: Vec<Schedule>,
}
#[derive(Debug)]
pub struct Mistakes(pub Vec<String>);
impl Config {
    pub fn parse(_: &str) -> Result<Config, Mistakes> {
        let mut providers = BTreeMap::new();
        for n in ["shop", "github", "stripe"] {
            let n = ProviderName::parse(n).unwrap();
            providers.insert(n.clone(), Provider::preset_for(&n));
        }
        Ok(Config {
            server: Server { listen: "127.0.0.1:8080".parse().unwrap(), body_bytes_max: 1 << 20, in_flight_max: 1024 },
            operator: Operator { listen: "127.0.0.1:5555".parse().unwrap(), token: None, hosts: vec![] },
            store: StoreLocation::Sled("data".into()),
            engine: EngineCfg { slots: 16 },
            providers,
            plugins: BTreeMap::new(),
            schedules: vec![],
        })
    }
}
