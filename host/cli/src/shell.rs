//! What a shell and `man` are told of the commands: made from the commands themselves.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;

const NAME: &str = "hookbox";

/// A script for the standard output.
pub(crate) fn completion(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    // Whoever reads may have gone, as `head` does.
    let _ = std::io::stdout().write_all(&script);
}

/// The page of the whole to the standard output, or a page for each command into a folder.
pub(crate) fn man(out: Option<&Path>) -> Result<()> {
    let Some(folder) = out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        let _ = std::io::stdout().write_all(&page);
        return Ok(());
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(|| format!("cannot write to {}", folder.display()))
}
