//! Looks at how it goes every few seconds, and keeps the day for the next start.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use hookbox_http::trend::{LOOK_EVERY, Sources, Trend};

use super::kept;

const NAME: &str = "trend.json";
/// A day has about a megabyte.
const BYTES_MAX: u64 = 16 << 20;
/// Looks between two times that it is written: what a crash forgets.
const LOOKS_UNWRITTEN: u32 = 15;

/// As the last start left it. What does not read is forgotten: it is for the eyes alone.
pub(super) fn read(data: &std::path::Path) -> Trend {
    let kept = kept::read(data, NAME, BYTES_MAX).and_then(|kept| match kept {
        Some(kept) => Ok(Trend::after(&kept)?),
        None => Ok(Trend::default()),
    });
    kept.unwrap_or_else(|error| {
        tracing::warn!(%error, "the charts begin anew, {NAME} does not read: {error:#}");
        Trend::default()
    })
}

/// Runs until it is aborted.
pub(super) async fn watch(trend: Arc<Trend>, sources: Sources, data: PathBuf) {
    let mut unwritten = 0;
    loop {
        trend.take(&sources).await;
        unwritten += 1;
        if unwritten >= LOOKS_UNWRITTEN {
            unwritten = 0;
            write(trend.clone(), data.clone()).await;
        }
        tokio::time::sleep(LOOK_EVERY.as_duration()).await;
    }
}

/// A disk that takes nothing keeps nobody from working.
pub(super) async fn write(trend: Arc<Trend>, data: PathBuf) {
    let written = tokio::task::spawn_blocking(move || -> Result<()> { kept::write(&data, NAME, &trend.kept()?) });
    if let Ok(Err(error)) = written.await {
        tracing::warn!(%error, "the charts are not kept: {error:#}");
    }
}
