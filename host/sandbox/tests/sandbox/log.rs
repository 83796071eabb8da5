//! What an attempt says.

use hookbox_core::attempt::{LogLevel, LogStream};
use hookbox_core::limits::PluginSettings;

use crate::world::{NOON, World};

#[tokio::test]
async fn log_and_output_arrive_in_order_and_safe_to_show() {
    let world = World::with(PluginSettings::default()).await;
    let log = world.run("logs", "").await.log;
    let lines: Vec<_> = log.lines.iter().map(|line| (line.stream, line.level, line.message.as_str())).collect();
    assert_eq!(
        lines,
        [
            (LogStream::Stdout, LogLevel::Info, "first"),
            (LogStream::Log, LogLevel::Warn, "second\u{fffd}[31m"),
            (LogStream::Stderr, LogLevel::Warn, "third"),
            (LogStream::Stdout, LogLevel::Info, "fourth"),
        ]
    );
    assert_eq!(log.lines[1].fields, [("user".to_owned(), "ann bob".to_owned())]);
    assert_eq!((log.lines[0].at, log.bytes_dropped), (NOON, 0));
}

#[tokio::test]
async fn a_failed_attempt_keeps_its_log() {
    let world = World::with(PluginSettings::default()).await;
    let log = world.run("panics", "").await.log;
    assert!(log.lines.iter().any(|line| line.message.contains("as it was told")), "{log:?}");
}
