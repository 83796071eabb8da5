//! `hookbox sign-plugin`: signs components as minisign does, and makes the keys for it.
//!
//! Keys and signatures are minisign's own files. Each signature is judged by the code of the host before it is written.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hookbox_core::clock::Clock;
use hookbox_core::limits::COMPONENT_BYTES_MAX;
use hookbox_core::name::PluginName;
use hookbox_core::trust::{PublicKey, Rule, SIGNATURE_SUFFIX};
use minisign::{KeyPair, SecretKey, SecretKeyBox};
use serde_json::json;
use zeroize::Zeroizing;

use crate::args::SignArgs;
use crate::clock::SystemClock;
use crate::environment::Environment;
use crate::inspect::{self, Print};
use crate::project::Mistakes;

/// Where the password is, so that nobody has to be asked.
const PASSWORD_VARIABLE: &str = "HOOKBOX_SIGN_PASSWORD";
/// minisign takes longer ones for a mistake, too.
const PASSWORD_BYTES_MAX: usize = 1024;
const COMMENT_BYTES_MAX: usize = 1024;
/// A secret key has 158 bytes: algorithm, derivation, checksum's algorithm, ...
const SECRET_KEY_BYTES: usize = 158;
/// How the key is derived from a password.
const UNPROTECTED: [u8; 2] = [0, 0];
const SECRET_KEY_FILE_BYTES_MAX: u64 = 16 << 10;

pub(crate) fn sign(args: &SignArgs, print: Print) -> Result<()> {
    if args.generate { generate(&args.key, args.no_password, print) } else { sign_files(args, print) }
}

fn generate(file: &Path, no_password: bool, print: Print) -> Result<()> {
    let public_file = file.with_extension("pub");
    if public_file == file {
        return Err(mistake(format!("{} is the public key's name: name the secret key otherwise", file.display())));
    }
    if let Some(taken) = [file, &public_file].into_iter().find(|file| fs::symlink_metadata(file).is_ok()) {
        let told = "is there already: a key that is written over cannot be made again; choose another name";
        return Err(mistake(format!("{} {told}", taken.display())));
    }
    let KeyPair { pk, sk } = match no_password {
        true => KeyPair::generate_unencrypted_keypair()?,
        false => KeyPair::generate_encrypted_keypair(Some(new_password()?))?,
    };
    let comment = if no_password { "minisign secret key" } else { "minisign encrypted secret key" };
    let secret = Zeroizing::new(sk.to_box(Some(comment))?.into_string());
    let public = public_key(&pk)?;
    let id = public.id();
    write_new(file, secret.as_bytes(), 0o600)?;
    let line = pk.to_base64();
    write_new(&public_file, format!("untrusted comment: minisign public key {id}\n{line}\n").as_bytes(), 0o644)?;
    if print == Print::Json {
        return inspect::json(&json!({
            "secret_key_file": file, "public_key_file": public_file, "id": id.to_string(), "public_key": line,
        }));
    }
    say!("{} is the secret key {id}: keep it away from the host, and keep a copy.", file.display());
    say!("{} is the public key. Add it to hooks.yaml:\n", public_file.display());
    say!("trust:\n  keys: [{line}]");
    Ok(())
}

fn sign_files(args: &SignArgs, print: Print) -> Result<()> {
    if let Some(comment) = &args.comment
        && (comment.len() > COMMENT_BYTES_MAX || comment.chars().any(char::is_control))
    {
        return Err(mistake(format!("--comment must be one line of at most {COMMENT_BYTES_MAX} bytes")));
    }
    let components = args.files.iter().map(|file| component(file)).collect::<Result<Vec<_>>>()?;
    let key = secret_key(&args.key)?;
    let line = minisign::PublicKey::from_secret_key(&key)?;
    let public = public_key(&line)?;
    let id = public.id();
    let rule = Rule { keys: vec![public], require_signed: true, ..Rule::default() };
    let mut signed = Vec::new();
    for (file, bytes) in args.files.iter().zip(components) {
        let comment = args.comment.clone().unwrap_or_else(|| usual_comment(file));
        let untrusted = format!("signature by the key {id}");
        let signature = minisign::sign(None, &key, bytes.as_slice(), Some(&comment), Some(&untrusted))?.into_string();
        let any = PluginName::parse("plugin")?;
        rule.judge(&any, &bytes, Some(signature.as_bytes()))
            .map_err(|_| mistake(format!("{} is damaged: what it signs does not fit its key", args.key.display())))?;
        let place = put_beside(file, signature.as_bytes())?;
        if print == Print::Tables {
            say!("{}: signed by the key {id} ({})", place.display(), comment.replace('\t', " "));
        }
        signed.push(json!({ "file": file, "signature_file": place, "id": id.to_string(), "comment": comment }));
    }
    if print == Print::Json {
        inspect::json(&json!({ "signed": signed, "public_key": line.to_base64() }))?;
    }
    Ok(())
}

fn mistake(told: String) -> anyhow::Error {
    Mistakes(vec![told]).into()
}

/// As the host reads it.
fn public_key(key: &minisign::PublicKey) -> Result<PublicKey> {
    PublicKey::parse(&key.to_base64()).map_err(|why| anyhow!("the key {why}"))
}

fn component(file: &Path) -> Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", file.display());
    let found = fs::metadata(file).with_context(cannot)?;
    if !found.is_file() || found.len() > COMPONENT_BYTES_MAX {
        return Err(mistake(format!("{} is no file of at most {COMPONENT_BYTES_MAX} bytes", file.display())));
    }
    fs::read(file).with_context(cannot)
}

/// As minisign has it, which signs the time and the name.
fn usual_comment(file: &Path) -> String {
    let name: String =
        file.file_name().unwrap_or_default().to_string_lossy().chars().filter(|c| !c.is_control()).collect();
    format!("timestamp:{}\tfile:{name}\thashed", SystemClock::new().now().0 / 1000)
}

/// Asks for the password only where there is one.
fn secret_key(file: &Path) -> Result<SecretKey> {
    let no_key = || {
        let cure = "name one that `hookbox sign-plugin --generate` or `minisign -G` made";
        mistake(format!("{} is no secret key of minisign's: {cure}", file.display()))
    };
    let cannot = || format!("cannot read the secret key {}", file.display());
    if fs::metadata(file).with_context(cannot)?.len() > SECRET_KEY_FILE_BYTES_MAX {
        return Err(no_key());
    }
    let text = Zeroizing::new(fs::read(file).with_context(cannot)?);
    let text = std::str::from_utf8(&text).map_err(|_| no_key())?;
    let line = text.lines().nth(1).ok_or_else(no_key)?;
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(line.trim()).map_err(|_| no_key())?);
    if bytes.len() != SECRET_KEY_BYTES {
        return Err(no_key());
    }
    if bytes.get(2..4) == Some(UNPROTECTED.as_slice()) {
        // minisign writes no checksum into these.
        return Ok(SecretKey::from_bytes(&bytes)?);
    }
    let password = password()?;
    let key = SecretKeyBox::from_string(text)?.into_secret_key(Some(password));
    key.map_err(|error| mistake(format!("{}: {error}", file.display())))
}

fn password() -> Result<String> {
    match Environment::read(Path::new("."))?.get(PASSWORD_VARIABLE) {
        Some(password) => Ok(password.to_owned()),
        None => ask("Password: "),
    }
}

fn new_password() -> Result<String> {
    let password = match Environment::read(Path::new("."))?.get(PASSWORD_VARIABLE) {
        Some(password) => password.to_owned(),
        None => {
            let password = ask("Password for the new key: ")?;
            let again = Zeroizing::new(ask("Password (one more time): ")?);
            ensure!(password == *again, "the two passwords differ: begin again");
            password
        }
    };
    // The key would be locked for ever: an empty password opens none.
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        let told = format!("the password must have 1 to {PASSWORD_BYTES_MAX} bytes; for none there is --no-password");
        return Err(mistake(told));
    }
    Ok(password)
}

fn ask(prompt: &str) -> Result<String> {
    rpassword::prompt_password(prompt)
        .with_context(|| format!("nobody can be asked for the password here: set {PASSWORD_VARIABLE}"))
}

fn write_new(file: &Path, contents: &[u8], mode: u32) -> Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    let mut to = OpenOptions::new().write(true).create_new(true).mode(mode).open(file).with_context(cannot)?;
    to.write_all(contents).and_then(|()| to.sync_all()).with_context(cannot)
}

/// As a whole: a host that looks meanwhile sees the old signature or the new one.
fn put_beside(file: &Path, signature: &[u8]) -> Result<PathBuf> {
    let name = file.file_name().context("it has no name")?.to_string_lossy();
    let (place, draft) = (
        file.with_file_name(format!("{name}{SIGNATURE_SUFFIX}")),
        file.with_file_name(format!(".{name}{SIGNATURE_SUFFIX}.draft")),
    );
    let cannot = || format!("cannot write {}", place.display());
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(cannot),
        _ => {}
    }
    let mut to = File::create_new(&draft).with_context(cannot)?;
    let written = to.write_all(signature).and_then(|()| to.sync_all()).and_then(|()| fs::rename(&draft, &place));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.with_context(cannot)?;
    Ok(place)
}
