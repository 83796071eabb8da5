//! What `dev` shows: where everything is, and each run as it ends.

use anyhow::Result;
use hookbox_core::attempt::{LogLevel, LogLine, Outcome, Output};
use hookbox_core::plugin::Trigger;
use hookbox_core::run::RunStatus;
use hookbox_engine::RunEnded;
use tokio::sync::mpsc;

use super::curl::Signer;
use crate::host::Host;

/// Schedules that are shown at a start.
const SCHEDULES_MAX: usize = 50;

/// Characters of a result or a log line that are shown.
const SHOWN_MAX: usize = 500;

pub(crate) async fn welcome(host: &Host, signer: Option<&Signer>) -> Result<()> {
    say!();
    say!("  webhooks   {}/api/v1/webhooks/webhook/PROVIDER", host.origin);
    say!("  operator   {}/", host.operator);
    let catalogue = host.store.catalogue();
    say!("\nHandlers");
    for (target, handler) in catalogue.handlers() {
        let when = match &handler.trigger {
            Trigger::Events(patterns) => {
                let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
                let filter = handler.filter.as_ref().map(|filter| format!(" where {filter}")).unwrap_or_default();
                format!("on {}{filter}", patterns.join(", "))
            }
            Trigger::Schedule(schedule) => schedule.when.to_string(),
            Trigger::Manual => "when it is enqueued".to_owned(),
        };
        say!("  {:<32} {when}", target.to_string());
    }
    let schedules = host.store.schedules(None, SCHEDULES_MAX).await?;
    if !schedules.is_empty() {
        say!("\nNext firings");
    }
    for row in schedules {
        let next = row.next.map_or_else(|| "never".to_owned(), |next| next.to_string());
        say!("  {:<32} {next}", row.schedule.name.to_string());
    }
    if let Some(command) = signer.and_then(|signer| signer.command(&host.origin, &catalogue, host.clock.now())) {
        say!("\nTry it: paste this into another terminal\n\n{command}\n");
    }
    Ok(())
}

/// Shows runs until the host has none to show.
pub(crate) async fn runs(mut ended: mpsc::Receiver<RunEnded>) {
    while let Some(run) = ended.recv().await {
        let mark = match run.status {
            RunStatus::Succeeded => "ok   ",
            RunStatus::Dead => "DEAD ",
            RunStatus::Cancelled => "stop ",
            _ => "retry",
        };
        let took = run.wall_us as f64 / 1000.0;
        say!("{mark} {} {} attempt {} in {took:.1} ms{}", run.run, run.target, run.attempt, result(&run.outcome));
        for line in &run.log.lines {
            say!("      {}", log_line(line));
        }
        if run.log.bytes_dropped > 0 {
            say!("      ({} bytes of log were dropped)", run.log.bytes_dropped);
        }
    }
}

fn result(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed { output: Some(output) } => format!(": {}", text_of(output)),
        Outcome::Completed { output: None } => String::new(),
        other => format!(": {}: {}", other.code(), clipped(&other.message().unwrap_or_default())),
    }
}

fn text_of(output: &Output) -> String {
    match std::str::from_utf8(&output.data) {
        Ok(text) => clipped(text),
        Err(_) => format!("{} bytes of {}", output.data.len(), output.content_type),
    }
}

fn log_line(line: &LogLine) -> String {
    let fields: Vec<String> = line.fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    let level = match line.level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    };
    clipped(&format!("{level}: {}{}", line.message, fields.concat()))
}

/// A guest's text on the terminal: bounded, and without control characters.
fn clipped(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().map(clean).take(SHOWN_MAX).collect();
    if text.chars().count() > SHOWN_MAX {
        shown.push('…');
    }
    shown
}
