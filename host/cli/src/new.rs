//! `hookbox new`: a plugin that builds and passes its tests.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hookbox_core::name::PluginName;
use serde_json::json;

use crate::inspect::{self, Print};
use crate::project::Mistakes;

const MANIFEST: &str = include_str!("new/Cargo.toml.in");
const SOURCE: &str = include_str!("new/lib.rs.in");

pub(crate) fn new(name: &str, plugins: &Path, print: Print) -> Result<()> {
    let name = PluginName::parse(name).map_err(|error| Mistakes(vec![error.to_string()]))?;
    let starts_well = name.as_str().starts_with(|first: char| first.is_ascii_lowercase());
    let rust_name = || Mistakes(vec![format!("a plugin written in Rust must begin with a letter, got {name}")]);
    ensure!(starts_well, rust_name());
    let folder = plugins.join(name.as_str());
    ensure!(!folder.exists(), Mistakes(vec![format!("{} is there already", folder.display())]));
    let root = plugins.parent().filter(|root| !root.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let sdk = root.join("sdk/rust/Cargo.toml");
    let cure = || {
        Mistakes(vec![format!("there is no {}: run this in a checkout of hookbox, where the SDK is", sdk.display())])
    };
    ensure!(sdk.is_file(), cure());
    fs::create_dir_all(folder.join("src")).with_context(|| format!("cannot make {}", folder.display()))?;
    let fill =
        |text: &str| text.replace("{{name}}", name.as_str()).replace("{{function}}", &name.as_str().replace('-', "_"));
    fs::write(folder.join("Cargo.toml"), fill(MANIFEST))?;
    fs::write(folder.join("src/lib.rs"), fill(SOURCE))?;
    if print == Print::Json {
        return inspect::json(&json!({ "plugin": name, "folder": folder.display().to_string() }));
    }
    say!("{} is made. What now:", folder.display());
    say!("  cargo test -p {name}       runs its tests");
    say!("  hookbox build {name}       makes plugins/{name}.wasm");
    say!("  hookbox dev                builds it on every save and runs it");
    Ok(())
}
