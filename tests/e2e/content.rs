//! Bodies that were compressed on their way, up to the plugin that reads them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::harness::{Project, SHOP};

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_plugin_reads_a_compressed_webhook_as_if_it_had_not_been() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let body = json!({ "event_id": "z-1", "type": "user.created", "data": { "name": "Ada", "id": "u-1" } });
    let webhook = SHOP.sign("", gzip(body.to_string().as_bytes())).header("Content-Encoding", "gzip");
    let run = host.follow(&webhook);
    assert_eq!(run["state"], "succeeded", "{run}");
    assert!(run.to_string().contains("Ada"), "{run}");
}

#[test]
fn a_bomb_is_refused_and_the_host_goes_on() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let bomb = gzip(&vec![b' '; 256 << 20]);
    assert!(bomb.len() < 1 << 20);
    let answer = host.post(&SHOP.sign("", bomb).header("Content-Encoding", "gzip"));
    assert_eq!(answer.status, 413);
    assert_eq!(host.get("providers/shop")["refused"], json!({ "inflates-too-far": 1 }));
    host.accept(&SHOP.sign("", json!({ "event_id": "z-2", "type": "user.created" }).to_string()));
}
