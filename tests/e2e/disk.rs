//! The disk is full, or fails: senders are told to come again, nothing that was acknowledged is lost, and the host
//! goes on by itself once the disk does.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;

use crate::harness::{Ended, Host, Project, Webhook, binary, now, said, shop, until};

/// Bytes of the small disk: the host needs a part of them from its start.
const DISK_BYTES: u64 = 24 << 20;
const SENDERS: u32 = 4;
/// Bytes that the data file may still grow by where a limit on it stands for the disk.
const GROWTH_MAX: u64 = 300_000;

/// A file system in memory. It ends with its handle.
struct Mount(PathBuf);

impl Mount {
    /// Nothing where this process may not mount.
    fn at(path: &Path, bytes: u64) -> Option<Mount> {
        fs::create_dir_all(path).unwrap();
        let said = said(
            Command::new("mount").args(["-t", "tmpfs", "-o"]).arg(format!("size={bytes}")).args(["tmpfs"]).arg(path),
        );
        if said.code == Some(0) {
            return Some(Mount(path.to_owned()));
        }
        eprintln!(
            "NO SMALL DISK: tests may not mount here ({}); a limit on the size of files takes its place",
            said.err.trim()
        );
        None
    }

    fn resize(&self, bytes: u64) {
        let said = said(Command::new("mount").arg("-o").arg(format!("remount,size={bytes}")).arg(&self.0));
        assert_eq!(said.code, Some(0), "{said:?}");
    }

    /// Takes all the room there is.
    fn fill(&self) -> PathBuf {
        let ballast = self.0.join("ballast");
        let mut file = File::create(&ballast).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
        ballast
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        said(Command::new("umount").arg("--lazy").arg(&self.0));
    }
}

/// What a sender has seen.
#[derive(Default)]
struct Sent {
    acknowledged: Vec<String>,
    refused: u32,
}

impl Sent {
    /// Sends one; it is taken, or to be sent again.
    fn post(&mut self, host: &Host<'_>, webhook: &Webhook) -> u16 {
        let answer = host.post(webhook);
        match answer.status {
            202 => self.acknowledged.push(answer.str("id").to_owned()),
            503 => {
                let wait: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
                assert!(wait > 0, "{answer:?}");
                self.refused += 1;
            }
            _ => panic!("{answer:?}"),
        }
        answer.status
    }

    /// Sends from several sides until each has seen `status`.
    fn post_until(&mut self, host: &Host<'_>, round: &str, padding: usize, status: u16) {
        let send = |sender: u32| {
            let (mut sent, mut number) = (Sent::default(), 0);
            until(&format!("an answer {status}"), || {
                let id = format!("{round}-{sender}-{number}");
                number += 1;
                let webhook = shop("count", &id, json!({ "padding": "x".repeat(padding) }));
                (sent.post(host, &webhook) == status).then_some(())
            });
            sent
        };
        thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS).map(|sender| scope.spawn(move || send(sender))).collect();
            for sender in senders {
                let sent = sender.join().unwrap();
                self.acknowledged.extend(sent.acknowledged);
                self.refused += sent.refused;
            }
        });
    }
}

/// The disk gives out and comes back, twice; meanwhile an attempt ends that has begun before.
fn goes_on(project: &Project, mut host: Host<'_>, mut fail: impl FnMut(&Host<'_>), mut mend: impl FnMut(&Host<'_>)) {
    let mut sent = Sent::default();
    let end = now() + 4000;
    sent.post(&host, &shop("slow", "slow", json!({ "until": end })));
    until("it runs", || (host.get("health")["queue"]["leased"] == 1).then_some(()));
    for round in ["first", "second"] {
        for number in 0..20 {
            assert_eq!(sent.post(&host, &shop("count", &format!("{round}-{number}"), json!({}))), 202);
        }
        fail(&host);
        sent.post_until(&host, round, 20_000, 503);
        let health = until("the host says why", || {
            let health = host.ask("health");
            (health.status == 503).then_some(health)
        });
        assert_eq!(health.str("status"), "degraded");
        assert!(!health.str("reason").is_empty(), "{health:?}");
        until("the attempt has ended", || (now() > end + 1500).then_some(()));
        host.assert_alive();
        mend(&host);
        sent.post_until(&host, &format!("{round}-again"), 100, 202);
        host.assert_alive();
    }
    host.idle();
    assert!(sent.refused >= 2 * SENDERS, "{}", sent.refused);
    for event in &sent.acknowledged {
        let run = host.run_of(event);
        assert_eq!((&run["state"], &run["attempts_begun"]), (&json!("succeeded"), &json!(1)), "{run:#}");
    }
    let succeeded = host.all("runs?state=succeeded&handler=count").len();
    let total = host.follow(&shop("total", "sum", json!({})));
    assert_eq!(total["result"]["data"], succeeded, "each run counted once");
    assert!(succeeded >= sent.acknowledged.len() - 1);
    assert!(project.log_lines("the store is open again") >= 2);
    assert_eq!(host.stop(), Ended::Code(0), "{}", project.log());

    project.write("acks", sent.acknowledged.join("\n"));
    project.run(&["doctor", "--data", "data", "--has", "acks"]).text();
}

/// A host whose files have a limit, not yet set: what would be written beyond it fails.
fn limited(project: &Project) -> Host<'_> {
    let mut command = Command::new("sh");
    // Without it a write beyond the limit ends the process.
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(binary()).args(Host::arguments("serve"));
    project.surround(&mut command);
    Host::start_by(project, command)
}

fn limit(host: &Host<'_>, bytes: Option<u64>) {
    let process = Pid::from_raw(i32::try_from(host.id()).unwrap()).unwrap();
    prlimit(Some(process), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

fn goes_on_after_failed_writes(project: &Project) {
    let host = limited(project);
    let data = project.path("data/db");
    let fail = |host: &Host<'_>| limit(host, Some(fs::metadata(&data).unwrap().len() + GROWTH_MAX));
    goes_on(project, host, fail, |host| limit(host, None));
}

#[test]
fn a_full_disk_loses_nothing_and_needs_no_help() {
    let project = Project::with(&["steps"]);
    let Some(mount) = Mount::at(&project.path("data"), DISK_BYTES) else {
        return goes_on_after_failed_writes(&project);
    };
    let ballast = |_: &Host<'_>| {
        mount.fill();
    };
    goes_on(&project, project.serve(), ballast, |_| fs::remove_file(mount.0.join("ballast")).unwrap());
}

#[test]
fn a_plugin_that_comes_while_the_disk_is_full_serves_once_it_is_not() {
    let project = Project::with(&["steps"]);
    let host = limited(&project);
    let data = project.path("data/db");
    let mut sent = Sent::default();
    limit(&host, Some(fs::metadata(&data).unwrap().len() + GROWTH_MAX));
    sent.post_until(&host, "filling", 20_000, 503);
    project.put("ticker", &hookbox_tests::sample("ticker"));
    project.take_away("steps");
    until("it was seen", || (project.log_lines("plugin steps is gone") > 0).then_some(()));
    limit(&host, None);
    until("it serves", || (host.ask("plugins/ticker").body["state"] == "active").then_some(()));
    until("the other one is missing", || (host.ask("plugins/steps").body["state"] == "missing").then_some(()));
    until("its schedule fires", || (host.get("schedules/ticker.tick")["counts"]["fired"].as_u64()? > 0).then_some(()));
}

#[test]
fn an_upload_that_finds_no_room_leaves_nothing_and_is_taken_once_there_is_some() {
    let project = Project::with(&[]).env("HOOKBOX_TOKEN", "hush-operator-31");
    let Some(mount) = Mount::at(&project.path("plugins"), DISK_BYTES) else { return };
    let (host, steps) = (project.serve(), hookbox_tests::sample("steps"));
    project.write("steps.wasm", &steps);
    let push = || host.cli(&["plugins", "push", "steps.wasm"]);
    let ballast = mount.fill();
    // No room at all, and room for half of it.
    for room in [0, steps.len() as u64 / 2] {
        let file = File::options().write(true).open(&ballast).unwrap();
        file.set_len(file.metadata().unwrap().len() - room).unwrap();
        let said = push();
        for part in ["the plugins folder takes no file", "free some room"] {
            assert!(said.code == Some(1) && said.err.contains(part), "{part}: {said:?}");
        }
        let left: Vec<_> = fs::read_dir(&mount.0).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, std::slice::from_ref(&ballast), "nothing half is left");
        assert_eq!(host.cli(&["plugins", "list", "--json"]).json()["items"], json!([]));
    }
    fs::remove_file(&ballast).unwrap();
    push().text();
    assert_eq!(fs::read(project.path("plugins/steps.wasm")).unwrap(), steps);
}

#[test]
fn a_disk_that_webhooks_have_filled_may_grow_while_the_host_runs() {
    let project = Project::with(&["steps"]);
    let Some(mount) = Mount::at(&project.path("data"), DISK_BYTES) else { return };
    let (mut host, mut sent) = (project.serve(), Sent::default());
    sent.post_until(&host, "filling", 200_000, 503);
    host.assert_alive();
    mount.resize(4 * DISK_BYTES);
    sent.post_until(&host, "again", 200_000, 202);
    host.idle();
    for event in &sent.acknowledged {
        assert_eq!(host.run_of(event)["state"], "succeeded");
    }
    assert_eq!(host.stop(), Ended::Code(0), "{}", project.log());
}

/// A file system on a file on a small disk: it takes everything, and its syncs fail once the small disk is full.
struct Thin {
    // Mounted on the other one, so it goes first.
    upper: Mount,
    lower: Mount,
}

impl Thin {
    fn at(project: &Project) -> Option<Thin> {
        let (lower, upper) = (project.path("lower"), project.path("data"));
        let lower = Mount::at(&lower, DISK_BYTES)?;
        let image = lower.0.join("image");
        File::create(&image).unwrap().set_len(8 * DISK_BYTES).unwrap();
        let made = Command::new("mkfs.ext2").args(["-q", "-F", "-e", "continue"]).arg(&image).status();
        assert!(made.unwrap().success());
        Some(Thin { upper: Thin::mount(&image, upper)?, lower })
    }

    fn mount(image: &Path, upper: PathBuf) -> Option<Mount> {
        fs::create_dir_all(&upper).unwrap();
        let said = said(Command::new("mount").args(["-o", "loop"]).arg(image).arg(&upper));
        if said.code == Some(0) {
            return Some(Mount(upper));
        }
        eprintln!("NO DISK WHOSE SYNCS FAIL: tests may not mount a file here ({})", said.err.trim());
        None
    }

    /// Forgets what the kernel has of it in memory, right or wrong.
    fn mount_anew(self) -> Thin {
        let path = self.upper.0.clone();
        assert_eq!(said(Command::new("umount").arg(&path)).code, Some(0));
        drop(self.upper);
        Thin { upper: Thin::mount(&self.lower.0.join("image"), path).unwrap(), lower: self.lower }
    }
}

#[test]
fn syncs_that_fail_lose_nothing_and_need_no_help() {
    let project = Project::with(&["steps"]);
    let Some(thin) = Thin::at(&project) else { return goes_on_after_failed_writes(&project) };
    let ballast = |_: &Host<'_>| {
        thin.lower.fill();
    };
    goes_on(&project, project.serve(), ballast, |_| fs::remove_file(thin.lower.0.join("ballast")).unwrap());
    // What was acknowledged is on the disk, not only in the kernel's memory.
    let thin = thin.mount_anew();
    project.run(&["doctor", "--data", "data", "--has", "acks"]).text();
    drop(thin);
}

#[test]
fn a_host_that_is_killed_while_syncs_fail_loses_nothing() {
    let project = Project::with(&["steps"]);
    let Some(thin) = Thin::at(&project) else { return };
    let mut sent = Sent::default();
    for round in ["first", "second"] {
        let host = project.serve();
        sent.post_until(&host, &format!("{round}-before"), 20_000, 202);
        thin.lower.fill();
        sent.post_until(&host, round, 20_000, 503);
        host.kill();
        fs::remove_file(thin.lower.0.join("ballast")).unwrap();
    }
    let host = project.serve();
    sent.post_until(&host, "last", 20_000, 202);
    host.idle();
    assert_eq!(host.stop(), Ended::Code(0), "{}", project.log());
    let thin = thin.mount_anew();
    project.write("acks", sent.acknowledged.join("\n"));
    project.run(&["doctor", "--data", "data", "--has", "acks"]).text();
    drop(thin);
}

#[test]
fn writes_that_fail_lose_nothing_and_need_no_help() {
    goes_on_after_failed_writes(&Project::with(&["steps"]));
}
