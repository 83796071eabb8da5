//! Rows as each release wrote them, from the golden files of their forms, in one folder.

use std::collections::BTreeMap;
use std::fs;

use hookbox_core::name::PluginName;

use super::*;
use crate::overlay::Changed;

/// The rows of a golden folder, and what each says.
struct Golden {
    rows: Changed,
    says: BTreeMap<Vec<u8>, String>,
}

impl Golden {
    fn put(&mut self, key: Vec<u8>, row: &[u8]) {
        self.says.insert(key.clone(), says(&key, row));
        let stored = [&[0], row].concat();
        assert!(stored.len() <= 4096);
        self.rows.insert(key, Some(stored));
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn says(key: &[u8], row: &[u8]) -> String {
    match key[0] {
        keys::LIVE_RUN | keys::ENDED_RUN => {
            let stored = codec::decode_run(RunId::from_bytes(keys::id_of(key).unwrap()), row).unwrap();
            format!("{:?} {:?}", stored.run, stored.apart)
        }
        keys::PLUGIN => format!("{:?}", codec::decode_plugin(row).unwrap()),
        keys::SCHEDULE => format!("{:?}", codec::decode_schedule(row).unwrap()),
        keys::REMOVED_SCHEDULE => {
            let removed: RemovedV1 = codec::decode(row).unwrap();
            format!("{} {:?}", removed.at, codec::decode_schedule(&removed.row).unwrap())
        }
        _ => format!("{:?}", codec::decode_counts(row).unwrap()),
    }
}

/// Of every form of runs, plugins and schedules that any release has written.
fn golden() -> Golden {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/codec/golden");
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let mut golden = Golden { rows: Changed::new(), says: BTreeMap::new() };
    for (n, name) in (1u128..).zip(names) {
        let name = name.into_string().unwrap();
        let row = bytes_of(&fs::read_to_string(format!("{folder}/{name}")).unwrap());
        let name = name.trim_end_matches(".hex");
        let key = if name.starts_with("run-") {
            let id = RunId::from_bytes(n.to_be_bytes());
            let live = ["pending", "leased"].iter().any(|state| name.ends_with(state));
            if live { keys::live_run(id) } else { keys::ended_run(id) }
        } else if name.starts_with("plugin") && !name.contains("command") {
            keys::plugin(&PluginName::parse(name).unwrap())
        } else if name.starts_with("schedule") && name != "schedule-removed" {
            let removed = codec::encode(&RemovedV1 { at: 1, row: row.clone() }).unwrap();
            golden.put([&[keys::REMOVED_SCHEDULE], name.as_bytes()].concat(), &removed);
            [&[keys::SCHEDULE], name.as_bytes()].concat()
        } else if name == "counts" {
            keys::COUNTS.to_vec()
        } else {
            continue;
        };
        golden.put(key, &row);
    }
    golden
}

fn read(folder: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let disk = Disk::open(folder, Faults::default()).unwrap();
    let mut rows = BTreeMap::new();
    for kind in KINDS {
        disk.tree()
            .scan(kind.prefix, &keys::end_of(kind.prefix), Order::Ascending, &mut |key, stored| {
                rows.insert(key.to_vec(), values::open(disk.tree(), key, stored)?.unwrap());
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
    }
    disk.close();
    rows
}

#[test]
fn rows_of_every_release_are_written_anew_and_say_the_same() {
    let golden = golden();
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path(), Faults::default()).unwrap();
    disk.write(golden.rows.clone()).unwrap();
    disk.close();
    let before = read(folder.path());
    let counted = migrate(folder.path(), Rewrite::Count).unwrap();
    assert_eq!(read(folder.path()), before, "counting writes nothing");

    let migrated = migrate(folder.path(), Rewrite::Write).unwrap();
    assert_eq!(counted, migrated);
    for kind in &migrated {
        assert!(kind.old > 0 && kind.old <= kind.rows, "{kind:?}");
    }
    let after = read(folder.path());
    assert_eq!(before.len(), after.len());
    for (key, row) in &after {
        // Opening the folder has counted the events, of which there are none.
        if key.as_slice() != keys::COUNTS {
            assert_eq!(says(key, row), golden.says[key]);
        }
        let form = KINDS.iter().find(|kind| key.starts_with(kind.prefix)).unwrap().form;
        let row = match key[0] {
            keys::REMOVED_SCHEDULE => codec::decode::<RemovedV1>(row).unwrap().row,
            _ => row.clone(),
        };
        assert_eq!(row[0], form, "{}", String::from_utf8_lossy(key));
    }

    let again = migrate(folder.path(), Rewrite::Write).unwrap();
    assert!(again.iter().all(|kind| kind.old == 0), "{again:?}");
    assert_eq!(read(folder.path()), after);
}

#[test]
fn what_an_earlier_release_did_not_count_is_counted_when_its_store_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path(), Faults::default()).unwrap();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/src/codec/golden/run-v6-dead.hex");
    let dead = codec::decode_run(RunId::from_bytes([1; 16]), &bytes_of(&fs::read_to_string(golden).unwrap())).unwrap();
    let mut rows = Changed::new();
    for (n, replayed) in [(1, None), (2, Some(RunId::from_bytes([9; 16]))), (3, None)] {
        let run = hookbox_core::run::Run { id: RunId::from_bytes([n; 16]), replayed, ..dead.run.clone() };
        rows.insert(keys::aside(run.id), Some(vec![0]));
        let (row, _) = codec::StoredRun::new(run.clone()).encode().unwrap();
        rows.insert(keys::ended_run(run.id), Some([&[0], row.as_slice()].concat()));
    }
    let counts = crate::counts::Counts { dead: 3, dead_replayed: None, ..Default::default() };
    let mut row = codec::encode_counts(&counts).unwrap();
    // As it was written before there was such a count at its end.
    (row[0], _) = (3, row.pop());
    rows.insert(keys::COUNTS.to_vec(), Some([&[0], row.as_slice()].concat()));
    disk.write(rows).unwrap();
    disk.close();
    let counts = crate::Store::counts(&crate::embedded::SledStore::open(folder.path()).unwrap());
    assert_eq!((counts.dead_replayed, counts.dead_left()), (Some(1), 2));
}

#[test]
fn a_migration_that_is_cut_off_is_finished_by_the_next() {
    let golden = golden();
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path(), Faults::default()).unwrap();
    disk.write(golden.rows.clone()).unwrap();
    // The first kind only, as if the power had gone then.
    let first = of_kind(&disk, &KINDS[0], Rewrite::Write).unwrap();
    disk.close();
    assert!(first.old > 0);
    let rest = migrate(folder.path(), Rewrite::Write).unwrap();
    assert_eq!(rest[0], Migrated { old: 0, ..first });
    assert!(rest[1].old > 0);
    let says_now = read(folder.path());
    for (key, row) in &says_now {
        assert!(key.as_slice() == keys::COUNTS || says(key, row) == golden.says[key]);
    }
}
