//! Whose components may run: the one file that is pinned, or what a key of the operator's has signed.
//!
//! Signatures and keys are minisign's: ed25519 over the BLAKE2b hash of the file, with a comment that is signed, too. The
//! rule is pure; whoever compiles a component asks it first, with the very bytes that are compiled.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::VerifyingKey;
use minisign_verify::{Error, Signature};
use sha2::{Digest as _, Sha256};

use crate::name::PluginName;
use crate::plugin::Digest;

/// Keys in one list.
pub const KEYS_MAX: usize = 32;
/// Files that one plugin is pinned to: the old one and the new one while it is replaced.
pub const PINNED_MAX: usize = 8;
/// A signature's file; minisign's own comments have 9 KiB at most.
pub const SIGNATURE_BYTES_MAX: u64 = 16 << 10;
/// What follows the name of a component's file in the name of its signature's.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

/// Of the comment that is signed, shown to people.
const COMMENT_CHARS_MAX: usize = 200;
/// A secret key as minisign writes it.
const SECRET_KEY_BYTES: usize = 158;

const NOT_A_KEY: &str = "must be a public key of minisign's: the line that begins with RW in the .pub file that \
                         `hookbox sign-plugin --generate` or `minisign -G` makes";

/// A minisign public key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: minisign_verify::PublicKey,
    id: KeyId,
}

/// What tells keys apart, written as minisign does. Nothing is proven by it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; 8]);

/// What is asked of all plugins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    pub usual: Rule,
    /// A plugin without an entry has the usual rule.
    pub plugins: BTreeMap<PluginName, Rule>,
}

/// What is asked of the components of one plugin. Nothing by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// Where there are some, a component is one of them.
    pub pinned: Vec<Digest>,
    /// Where there are some, a signature that is there is made by one of them.
    pub keys: Vec<PublicKey>,
    /// A signature is there.
    pub require_signed: bool,
}

/// Why a component may run. Only [`Rule::judge`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grounds {
    pub pinned: bool,
    pub signed: Option<Signed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub by: KeyId,
    /// The comment that is signed, clipped, in one line.
    pub comment: String,
}

/// Why a component must not run. Each message names its cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    #[error(
        "it is {found}, and plugins.{name}.pinned in hooks.yaml wants another file: put that one back, or pin this one"
    )]
    NotPinned { name: PluginName, found: Digest },
    #[error(
        "it is not signed: sign it with `hookbox sign-plugin {name}.wasm --key KEY`, and put {name}.wasm.minisig beside it"
    )]
    Unsigned { name: PluginName },
    #[error(
        "{name}.wasm.minisig holds no signature of minisign's (at most {SIGNATURE_BYTES_MAX} bytes, in no link): sign it \
         anew with `hookbox sign-plugin {name}.wasm --key KEY`"
    )]
    NotASignature { name: PluginName },
    #[error(
        "it is signed in minisign's old form, over the whole file: sign it anew with `hookbox sign-plugin {name}.wasm --key \
         KEY`, or with minisign without -l"
    )]
    Legacy { name: PluginName },
    #[error(
        "it is signed by the key {by}, which is not in trust.keys of hooks.yaml ({}): sign it by a key that is, or add \
         that one's public key",
        listed(known)
    )]
    UnknownKey { by: KeyId, known: Vec<KeyId> },
    #[error(
        "its signature says that it is by the key {by} and does not fit: the file or {name}.wasm.minisig is another than \
         was signed, or not whole yet; sign this very file"
    )]
    WrongSignature { name: PluginName, by: KeyId },
}

impl PublicKey {
    /// The one line, or all of the file that minisign makes. Never quotes the text, which may be a secret key.
    pub fn parse(text: &str) -> Result<PublicKey, &'static str> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("untrusted "));
        let (Some(line), None) = (lines.next(), lines.next()) else { return Err(NOT_A_KEY) };
        let bytes = BASE64_STANDARD.decode(line).map_err(|_| NOT_A_KEY)?;
        if bytes.len() == SECRET_KEY_BYTES {
            return Err(
                "is a secret key, which whoever reads this file could sign with: make another one, and write its \
                        public key here",
            );
        }
        let (Some((_, rest)), Ok(key)) =
            (bytes.split_first_chunk::<2>(), minisign_verify::PublicKey::from_base64(line))
        else {
            return Err(NOT_A_KEY);
        };
        let (Some((id, _)), Some(point)) = (rest.split_first_chunk(), rest.last_chunk()) else { return Err(NOT_A_KEY) };
        match VerifyingKey::from_bytes(point) {
            Ok(point) if !point.is_weak() => Ok(PublicKey { key, id: KeyId(*id) }),
            _ => Err("is no usable key: anybody could sign with it, or nobody; make another one"),
        }
    }

    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl Trust {
    pub fn of(&self, plugin: &PluginName) -> &Rule {
        self.plugins.get(plugin).unwrap_or(&self.usual)
    }
}

impl Rule {
    /// Whether any file will do.
    pub fn asks_nothing(&self) -> bool {
        *self == Rule::default()
    }

    /// Whether this component may run. `signature` is what lies beside it; it is not looked at where there are no keys.
    pub fn judge(&self, name: &PluginName, bytes: &[u8], signature: Option<&[u8]>) -> Result<Grounds, Untrusted> {
        let pinned = !self.pinned.is_empty();
        if pinned {
            let found = Digest(Sha256::digest(bytes).into());
            if !self.pinned.contains(&found) {
                return Err(Untrusted::NotPinned { name: name.clone(), found });
            }
        }
        let signed = match signature.filter(|_| !self.keys.is_empty()) {
            Some(signature) => Some(self.signed(name, bytes, signature)?),
            None if self.require_signed => return Err(Untrusted::Unsigned { name: name.clone() }),
            None => None,
        };
        Ok(Grounds { pinned, signed })
    }

    fn signed(&self, name: &PluginName, bytes: &[u8], signature: &[u8]) -> Result<Signed, Untrusted> {
        let read = || {
            let text = std::str::from_utf8(signature).ok().filter(|text| text.len() as u64 <= SIGNATURE_BYTES_MAX)?;
            let by = BASE64_STANDARD.decode(text.lines().nth(1)?).ok()?;
            Some((Signature::decode(text).ok()?, KeyId(*by.get(2..)?.first_chunk()?)))
        };
        let (signature, by) = read().ok_or_else(|| Untrusted::NotASignature { name: name.clone() })?;
        let mut known = false;
        // An id is no secret, so several keys may have the same one.
        for key in self.keys.iter().filter(|key| key.id == by) {
            match key.key.verify(bytes, &signature, false) {
                Ok(()) => return Ok(Signed { by, comment: shown(signature.trusted_comment()) }),
                Err(Error::UnexpectedAlgorithm) => return Err(Untrusted::Legacy { name: name.clone() }),
                Err(_) => known = true,
            }
        }
        match known {
            true => Err(Untrusted::WrongSignature { name: name.clone(), by }),
            false => Err(Untrusted::UnknownKey { by, known: self.keys.iter().map(|key| key.id).collect() }),
        }
    }
}

impl Untrusted {
    /// All codes begin so.
    pub const CODE_PREFIX: &'static str = "untrusted-";

    /// For machines; never changes its meaning.
    pub fn code(&self) -> &'static str {
        match self {
            Untrusted::NotPinned { .. } => "untrusted-not-pinned",
            Untrusted::Unsigned { .. } => "untrusted-unsigned",
            Untrusted::NotASignature { .. } => "untrusted-not-a-signature",
            Untrusted::Legacy { .. } => "untrusted-old-signature",
            Untrusted::UnknownKey { .. } => "untrusted-unknown-key",
            Untrusted::WrongSignature { .. } => "untrusted-wrong-signature",
        }
    }
}

/// `pinned, and signed by the key E7620F1842B4E81F (timestamp:1700000000 file:a.wasm)`
impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pinned, &self.signed) {
            (true, None) => f.write_str("pinned"),
            (false, None) => f.write_str("unsigned, which hooks.yaml allows"),
            (pinned, Some(Signed { by, comment })) => {
                f.write_str(if pinned { "pinned, and signed" } else { "signed" })?;
                write!(f, " by the key {by} ({comment})")
            }
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.id, f)
    }
}

fn listed(keys: &[KeyId]) -> String {
    keys.iter().map(KeyId::to_string).collect::<Vec<_>>().join(", ")
}

/// It was signed, and may still be meant to drive a terminal.
fn shown(comment: &str) -> String {
    comment.chars().map(|c| if c.is_control() { ' ' } else { c }).take(COMMENT_CHARS_MAX).collect()
}
