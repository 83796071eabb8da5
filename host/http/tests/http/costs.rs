//! What handlers cost is told as metrics.

use hookbox_core::attempt::{Cost, Executed, Log, LogLevel, LogLine, LogStream, Outcome};
use hookbox_core::host_call::{CallKind, Calls, HostCalls};

use crate::harness::{Host, NOW};
use crate::operator::target;

fn cost(memory_peak_bytes: u64) -> Cost {
    let call = |kind, number| (kind, Calls { number, bytes_given: 7, bytes_answered: 7 });
    let calls: HostCalls = [call(CallKind::KvRead, 3), call(CallKind::Request, 1)].into_iter().collect();
    Cost { wall_us: 1_500_000, cpu_us: 250_000, memory_peak_bytes, calls }
}

#[tokio::test]
async fn what_a_handler_costs_is_summed_for_prometheus() {
    let host = Host::new();
    let line = LogLine {
        at: NOW,
        stream: LogStream::Log,
        level: LogLevel::Info,
        message: "hello".into(),
        fields: vec![("user".into(), "7".into())],
    };
    let log = Log { lines: vec![line], bytes_dropped: 4 };
    for memory in [3000, 2000] {
        let bare = Executed::bare(Outcome::Completed { output: None });
        let executed = Executed { cost: cost(memory), log: log.clone(), ..bare };
        host.spending.add(&target("welcome", "on-user"), &executed);
    }
    let page = host.get("/metrics").await.body;
    let of = r#"plugin="welcome",handler="on-user""#;
    for line in [
        format!("hookbox_handler_attempts_total{{{of}}} 2"),
        format!("hookbox_handler_wall_seconds_total{{{of}}} 3.0"),
        format!("hookbox_handler_cpu_seconds_total{{{of}}} 0.5"),
        format!("hookbox_handler_memory_peak_bytes{{{of}}} 3000"),
        format!("hookbox_handler_log_bytes_total{{{of}}} 20"),
        format!("hookbox_handler_log_bytes_dropped_total{{{of}}} 8"),
        format!("hookbox_handler_host_calls_total{{{of},kind=\"kv-read\"}} 6"),
        format!("hookbox_handler_host_calls_total{{{of},kind=\"request\"}} 2"),
    ] {
        assert!(page.contains(&line), "{line}: {page}");
    }
    assert!(!page.contains("kind=\"emit\""), "a kind of which there were none has no series: {page}");
}
