//! The files that hooks.yaml names besides those with secrets: certificates and schemas.

use std::fs;
use std::path::{Path, PathBuf};

use hookbox_core::body_schema::{BodySchema, SCHEMA_BYTES_MAX};
use hookbox_core::config::{Provider, TlsFiles};
use hookbox_core::name::ProviderName;
use hookbox_http::providers::SchemaRule;
use hookbox_http::tls::{Tls, Unusable};
use zeroize::Zeroizing;

use super::{Mistakes, Project};

/// A chain of certificates has a few KiB.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// Certificate and key of a listener.
pub(crate) struct TlsTexts {
    /// Such as `server.tls`.
    place: &'static str,
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl TlsTexts {
    pub(crate) fn tls(&self) -> Result<Tls, Mistakes> {
        let unusable = |why: Unusable| Mistakes(vec![format!("{}: {why}", self.place)]);
        Tls::new(&self.certificate, &self.key).map_err(unusable)
    }
}

impl Project {
    pub(crate) fn tls_texts(&self) -> Result<Option<TlsTexts>, Mistakes> {
        self.tls_texts_of("server.tls", self.config.server.tls.as_ref())
    }

    /// Those of the operator's listener.
    pub(crate) fn operator_tls_texts(&self) -> Result<Option<TlsTexts>, Mistakes> {
        self.tls_texts_of("operator.tls", self.config.operator.tls.as_ref())
    }

    fn tls_texts_of(&self, place: &'static str, files: Option<&TlsFiles>) -> Result<Option<TlsTexts>, Mistakes> {
        let Some(files) = files else { return Ok(None) };
        let read = |key: &str, file: &Path| {
            read(&self.environment.path(file), PEM_BYTES_MAX)
                .map_err(|why| Mistakes(vec![format!("{place}.{key}: {why}")]))
        };
        let (certificate, key) = (read("cert", &files.cert)?, Zeroizing::new(read("key", &files.key)?));
        Ok(Some(TlsTexts { place, certificate, key }))
    }

    /// What a provider's bodies must be, with everything that is wrong with it.
    pub(crate) fn schema_rules(&self, name: &ProviderName, provider: &Provider) -> (Vec<SchemaRule>, Vec<String>) {
        let (mut rules, mut mistakes) = (Vec::new(), Vec::new());
        for (at, schema) in provider.schemas.iter().enumerate() {
            let compiled = read(&self.environment.path(&schema.file), SCHEMA_BYTES_MAX).and_then(|text| {
                let compiled = BodySchema::compile(&String::from_utf8_lossy(&text));
                compiled.map_err(|why| format!("{} {why}", schema.file.display()))
            });
            match compiled {
                Ok(compiled) => rules.push(SchemaRule {
                    events: schema.events.clone(),
                    schema: compiled,
                    otherwise: schema.otherwise,
                }),
                Err(why) => mistakes.push(format!("providers.{name}.schemas[{at}].schema: {why}")),
            }
        }
        (rules, mistakes)
    }

    /// Those of them that are read anew when they change.
    pub(crate) fn watched_files(&self) -> Vec<PathBuf> {
        let tls = [&self.config.server.tls, &self.config.operator.tls];
        let tls = tls.into_iter().flatten().flat_map(|files| [&files.cert, &files.key]);
        let schemas = self.config.providers.values().flat_map(|provider| &provider.schemas);
        let schemas = schemas.map(|schema| &schema.file);
        tls.chain(schemas).map(|file| self.environment.path(file)).collect()
    }
}

fn read(file: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    let shown = file.display();
    let cannot = |error: std::io::Error| format!("cannot read {shown}: {error}");
    let bytes = fs::metadata(file).map_err(cannot)?.len();
    if bytes > bytes_max {
        return Err(format!("{shown} has {bytes} bytes, more than {bytes_max}"));
    }
    fs::read(file).map_err(cannot)
}
