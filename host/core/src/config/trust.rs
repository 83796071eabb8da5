//! Whose plugins are taken: keys and pins.

use std::collections::BTreeMap;

use super::Plugin;
use super::reader::Section;
use crate::name::PluginName;
use crate::plugin::Digest;
use crate::trust::{KEYS_MAX, PINNED_MAX, PublicKey, Rule, Trust};

/// What hooks.yaml says of signatures, for all plugins or for one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signatures {
    /// At least one, where they are said.
    pub keys: Option<Vec<PublicKey>>,
    pub require_signed: Option<bool>,
}

impl Signatures {
    pub(super) fn read(mut section: Section<'_>, of_all: Option<&Signatures>) -> Signatures {
        let keys = section.list("keys", 1..=KEYS_MAX);
        let keys = keys.map(|keys| keys.iter().filter_map(|key| key.parsed(PublicKey::parse)).collect());
        let require_signed = section.parsed("require_signed", |text| {
            text.parse::<bool>().map_err(|_| format!("must be true or false, got {text:?}"))
        });
        let keys_for_all = of_all.is_some_and(|of_all| of_all.keys.is_some());
        if require_signed == Some(true) && keys.is_none() && !keys_for_all {
            section.place_of("require_signed").wrong(
                "needs a key that plugins are signed by: write trust.keys: [RW...], with the public key that `hookbox \
                 sign-plugin --generate` shows",
            );
        }
        section.finish();
        Signatures { keys, require_signed }
    }

    /// With keys a signature is asked for, unless it is said that none is.
    fn rule(&self, pinned: Vec<Digest>) -> Rule {
        let keys = self.keys.clone().unwrap_or_default();
        let require_signed = self.require_signed.unwrap_or(!keys.is_empty());
        Rule { pinned, keys, require_signed }
    }

    fn over(&self, of_all: &Signatures) -> Signatures {
        let require_signed = match self.keys {
            // Keys of its own ask for a signature, as they do for all.
            Some(_) => self.require_signed,
            None => self.require_signed.or(of_all.require_signed),
        };
        Signatures { keys: self.keys.clone().or_else(|| of_all.keys.clone()), require_signed }
    }
}

/// One file, or several while one replaces another.
pub(super) fn pinned(section: &mut Section<'_>) -> Vec<Digest> {
    let Some(field) = section.take("pinned") else { return Vec::new() };
    match field.is_list() {
        true => {
            let items = field.list(1..=PINNED_MAX).unwrap_or_default();
            items.iter().filter_map(|item| item.parsed(digest)).collect()
        }
        false => field.parsed(digest).into_iter().collect(),
    }
}

fn digest(text: &str) -> Result<Digest, String> {
    let wrong = || {
        format!(
            "must be sha256: and the 64 hexadecimal digits that `hookbox check` or sha256sum shows, or a list of such, \
             got {text:?}"
        )
    };
    Digest::parse(text).ok_or_else(wrong)
}

pub(super) fn of(usual: &Signatures, plugins: &BTreeMap<PluginName, Plugin>) -> Trust {
    let rule = |plugin: &Plugin| plugin.signatures.over(usual).rule(plugin.pinned.clone());
    Trust {
        usual: usual.rule(Vec::new()),
        plugins: plugins.iter().map(|(name, plugin)| (name.clone(), rule(plugin))).collect(),
    }
}
