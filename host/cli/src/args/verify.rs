//! What `hookbox verify` is asked.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use hookbox_core::time::Millis;

use super::CONFIG_FILE;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The provider: one of hooks.yaml, or a preset of `hookbox providers`.
    #[arg(long, value_name = "NAME", required_unless_present_any = ["scheme", "delivery"])]
    pub(crate) provider: Option<String>,

    /// A file with a scheme of your own, as under `scheme` in hooks.yaml.
    #[arg(long, value_name = "FILE", conflicts_with = "provider")]
    pub(crate) scheme: Option<PathBuf>,

    /// The secret: env:NAME, file:PATH, or the text itself, which others on this machine can see. May be repeated; the
    /// provider's own of hooks.yaml unless given.
    #[arg(long = "secret", value_name = "SECRET", allow_hyphen_values = true)]
    pub(crate) secrets: Vec<OsString>,

    /// What a challenge of GET shows, as you told the sender: env:NAME, file:PATH, or the text itself.
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub(crate) verify_token: Option<OsString>,

    /// The time that counts; when the recorded delivery came, else the clock's.
    #[arg(long, value_name = "UNIX_SECONDS")]
    pub(crate) now: Option<u64>,

    /// How far the signed time may be from that, or none for any distance; the scheme's own unless given.
    #[arg(long, value_name = "SECONDS|none", value_parser = tolerance)]
    pub(crate) tolerance: Option<Millis>,

    /// The method of the request; POST unless given.
    #[arg(long)]
    pub(crate) method: Option<String>,

    /// The URL as the sender knows it, query included.
    #[arg(long = "url", value_name = "URL")]
    pub(crate) signed_url: Option<String>,

    /// A header of the request. May be repeated.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<OsString>,

    /// A file with the body, or - for the standard input; an empty body unless given.
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,

    /// A file that `hookbox capture` wrote: what else is given stands in for what is in it.
    #[arg(long, value_name = "FILE")]
    pub(crate) delivery: Option<PathBuf>,

    /// hooks.yaml with the providers.
    #[arg(long, default_value = CONFIG_FILE, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Seconds, or any distance at all.
fn tolerance(text: &str) -> Result<Millis, String> {
    if text == "none" {
        return Ok(Millis(u64::MAX));
    }
    let seconds: Option<u64> = text.parse().ok();
    let millis = seconds.and_then(|seconds| seconds.checked_mul(1000));
    millis.map(Millis).ok_or_else(|| "must be a number of seconds, or none".to_owned())
}
