//! A run that is answered from a journal.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use hookbox_core::attempt::{Call, Input};
use hookbox_core::clock::ManualClock;
use hookbox_core::effects::{Effects, KvEntry};
use hookbox_core::egress::{Egress, Grant};
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::host_call::{CallKind, Calls, HostCalls};
use hookbox_core::id::{JobId, RunId};
use hookbox_core::limits::{PluginSettings, STACK_BYTES};
use hookbox_core::name::{HandlerName, HandlerRef, PluginName};
use hookbox_core::time::{Millis, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, sleep};

use super::Journal;
use crate::bindings::hookbox::plugin::types;
use crate::capability::Capabilities;
use crate::denied::DeniedBook;
use crate::egress::{Resolve, Sender};
use crate::guest::{Access, Guest};
use crate::logbook::LogBook;
use crate::meter::Meter;
use crate::outcome::Fault;
use crate::plugin_kv::{KvUnavailable, MemoryKv, PluginKv};
use crate::version::Version;
use crate::{Sandbox, SandboxOptions};

const NOON: Timestamp = Timestamp(1_780_000_000_000);

struct Here;

#[async_trait]
impl Resolve for Here {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![[127, 0, 0, 1].into()])
    }
}

/// A store that must not be asked.
struct Untouched;

#[async_trait]
impl PluginKv for Untouched {
    async fn get(&self, _: &PluginName, key: &str) -> Result<Option<KvEntry>, KvUnavailable> {
        panic!("the store was asked for {key}")
    }

    async fn list(
        &self,
        _: &PluginName,
        prefix: &str,
        _: Option<&str>,
        _: usize,
    ) -> Result<Vec<String>, KvUnavailable> {
        panic!("the store was asked for {prefix}*")
    }

    async fn used_bytes(&self, _: &PluginName) -> Result<u64, KvUnavailable> {
        panic!("the store was asked for its size")
    }
}

struct World {
    sandbox: Sandbox,
    version: Arc<Version>,
    _folder: tempfile::TempDir,
}

/// What became of one run.
struct Ran {
    answer: Result<String, String>,
    effects: Effects,
    calls: HostCalls,
}

impl World {
    /// `port` is where its plugin may send requests.
    async fn new(port: u16) -> World {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(SandboxOptions {
            cache: folder.path().join("cache"),
            slots: 1,
            stack_bytes: STACK_BYTES,
            clock: Arc::new(ManualClock::at(NOON)),
            resolver: Arc::new(Here),
        })
        .unwrap();
        let egress = Egress {
            grants: vec![Grant::parse(&format!("http://here.example:{port}")).unwrap()],
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            ..Egress::default()
        };
        let config = [("channel".to_owned(), "#dev".to_owned())].into();
        let settings = PluginSettings { config, egress: Arc::new(egress), ..PluginSettings::default() };
        let bytes = hookbox_tests::guest("mischief").into();
        let version = sandbox.prepare(&PluginName::parse("mischief").unwrap(), bytes, settings).await.unwrap();
        World { sandbox, version, _folder: folder }
    }

    async fn run(&self, told: &str, kv: Arc<dyn PluginKv>, sender: Sender, journal: Option<Journal>) -> Ran {
        let (call, log) = (call(told), LogBook::new(Arc::clone(&self.sandbox.clock), 1 << 20));
        let settings = self.version.settings();
        let meter = Meter::new(settings.memory_bytes, settings.cpu, settings.limits.clone());
        let (active, denied) = (Arc::clone(&self.sandbox.active), DeniedBook::default());
        let host = Capabilities::new(Arc::clone(&self.version), active, &call, kv, log.clone(), denied);
        let mut store = Guest::store(&self.sandbox.engine, meter, log, Access::Granted(Box::new(host)), sender);
        store.data_mut().passage.journal = journal;
        let answer = match Box::pin(crate::execute::run(&mut store, &self.version, &call)).await {
            Ok(Ok(types::Outcome::Completed(Some(output)))) => Ok(String::from_utf8(output.data).unwrap()),
            Err(Fault::Starting(error) | Fault::Running(error)) => Err(format!("{error:#}")),
            other => panic!("{other:?}"),
        };
        let calls = store.data().passage.calls;
        let effects = store.into_data().into_capabilities().map(Capabilities::into_effects).unwrap();
        Ran { answer, effects, calls }
    }

    /// With all that the plugin was granted.
    async fn live(&self, told: &str, kv: &Arc<MemoryKv>, journal: Option<Journal>) -> Ran {
        let egress = Arc::clone(&self.version.settings().egress);
        let log = LogBook::new(Arc::clone(&self.sandbox.clock), 1 << 20);
        let sender = Sender::new(egress, self.version.client(), log, DeniedBook::default(), "key");
        self.run(told, kv.clone(), sender, journal).await
    }

    /// With nothing but a journal: no store, no connection.
    async fn replayed(&self, told: &str, journal: &Journal) -> Ran {
        let log = LogBook::new(Arc::clone(&self.sandbox.clock), 1 << 20);
        self.run(told, Arc::new(Untouched), Sender::closed(log), Some(journal.clone())).await
    }
}

fn call(told: &str) -> Call {
    let job = Job {
        id: JobId::new(NOON, 2),
        origin: JobOrigin::Operator,
        scheduled_at: NOON,
        content_type: "text/plain".into(),
        data: told.into(),
        hops: 0,
    };
    Call {
        target: HandlerRef {
            plugin: PluginName::parse("mischief").unwrap(),
            handler: HandlerName::parse("tells").unwrap(),
        },
        run: RunId::new(NOON, 1),
        attempt: 1,
        attempts_max: 5,
        timeout: Millis(20_000),
        started: NOON,
        idempotency_key: "key".into(),
        hops: 0,
        input: Input::Job(Arc::new(job)),
        version: None,
    }
}

/// A server that answers each connection once, with how many there were. Returns its port.
async fn counting() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for served in 1.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut request, mut part) = (Vec::new(), [0; 1024]);
            while !request.ends_with(b"hello") {
                let read = stream.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..read]);
            }
            let body = format!("request {served}");
            let answer =
                format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_replays_a_run_exactly_without_its_capabilities() {
    let port = counting().await;
    let world = World::new(port).await;
    let told = format!("POST http://here.example:{port}/a\nx-key: one\n\nhello\n---\nGET http://other.example/");
    let (kv, journal) = (Arc::new(MemoryKv::default()), Journal::writing());
    let first = world.live(&told, &kv, Some(journal.clone())).await;
    let answer = first.answer.unwrap();
    assert!(answer.ends_with("\n201 request 1\n---\nerror: ErrorCode::HttpRequestDenied"), "{answer}");
    assert_eq!(first.effects.writes.len(), 2);
    // Another run is told something else, so that what follows is not so by itself.
    kv.apply(&PluginName::parse("mischief").unwrap(), &first.effects).unwrap();
    let second = world.live(&told, &kv, None).await.answer.unwrap();
    assert!(second.contains("201 request 2") && second != answer, "{second}");

    let replaying = journal.replaying();
    let again = world.replayed(&told, &replaying).await;
    assert_eq!(again.answer.unwrap(), answer);
    assert_eq!(again.effects, Effects::default(), "no capability was touched");
    let (names, replayed) = replaying.told();
    assert_eq!(replayed, names.len(), "{names:?}");
    for name in [
        "monotonic-clock.now",
        "wall-clock.now",
        "random.get-random-u64",
        "random.get-random-bytes",
        "insecure-seed.insecure-seed",
        "kv.increment",
        "kv.list",
        "config.get",
        "outgoing-handler.handle",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert_eq!(counted(&again.calls), counted(&first.calls), "a replay is metered as the run was");
}

fn counted(calls: &HostCalls) -> [(CallKind, Calls); CallKind::ALL.len()] {
    CallKind::ALL.map(|kind| (kind, calls.of(kind)))
}

/// A server that answers by path, each as slowly and as badly as it says.
async fn uneven() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move { drop(answer_unevenly(stream).await) });
        }
    });
    port
}

async fn answer_unevenly(mut stream: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let parts: &[&[u8]] = match request.get(4..9) {
        Some(b"/late") => &[b"", b"HTTP/1.1 200 OK\r\nx-sum: 1\r\ncontent-length: 4\r\n\r\n", b"la", b"te"],
        Some(b"/part") => &[
            b"HTTP/1.1 203 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n",
            b"7\r\nseveral\r\n",
            b"3\r\nin \r\n5\r\nparts\r\n",
            b"0\r\nx-sum: 15\r\n\r\n",
        ],
        _ => &[b"HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\n", b"half"],
    };
    for part in parts {
        stream.write_all(part).await?;
        stream.flush().await?;
        sleep(Duration::from_millis(5)).await;
    }
    stream.shutdown().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_has_the_same_end_each_time_that_it_is_replayed() {
    let port = uneven().await;
    let world = World::new(port).await;
    let get = |path: &str| format!("GET http://here.example:{port}/{path}");
    let told =
        format!("race\n{}\n---\n{}\n---\n{}\n---\nGET http://other.example/", get("late"), get("part"), get("half"));
    let (kv, journal) = (Arc::new(MemoryKv::default()), Journal::writing());
    let first = world.live(&told, &kv, Some(journal.clone())).await;
    let answer = first.answer.unwrap();
    for told in [
        "\n0 200 [[49]]\n",
        "\n1 203 []\n",
        "\n2 500 []\n",
        "\n3 ErrorCode::HttpRequestDenied\n",
        "\n1 part \"sever\"\n",
        "\n2 broken off: Some(ErrorCode::HttpProtocolError) ",
        "trailers [(\"x-sum\", [49, 53])]",
    ] {
        assert!(answer.contains(told), "{told} is not in {answer}");
    }
    for _ in 0..3 {
        let replaying = journal.replaying();
        let again = world.replayed(&told, &replaying).await;
        assert_eq!(again.answer.unwrap(), answer);
        assert_eq!(counted(&again.calls), counted(&first.calls), "a replay is metered as the run was");
        let (names, replayed) = replaying.told();
        assert_eq!(replayed, names.len(), "{names:?}");
        for name in [
            "poll.poll",
            "pollable.ready",
            "pollable.block",
            "input-stream.read",
            "outgoing-body.finish",
            "future-incoming-response.get",
            "future-trailers.get",
            "http-error-code",
            "error.to-debug-string",
        ] {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_another_one_than_was_kept_does_not_go_on() {
    let world = World::new(counting().await).await;
    let (kv, journal) = (Arc::new(MemoryKv::default()), Journal::writing());
    world.live("GET http://other.example/", &kv, Some(journal.clone())).await.answer.unwrap();
    let other = world.replayed("GET http://another.example/", &journal.replaying()).await.answer.unwrap_err();
    assert!(other.contains("the journal has"), "{other}");
}
