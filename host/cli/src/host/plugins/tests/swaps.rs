use hookbox_core::trust::Rule;
use hookbox_http::uploads;
use hookbox_store::catalogue::{PluginCommand, Wish};

use super::*;
use crate::host::plugins::commands::Upload;

fn pinned(files: &[&[u8]]) -> Trust {
    let pinned = files.iter().map(|bytes| digest(bytes)).collect();
    Trust { usual: Rule { pinned, ..Rule::default() }, ..Trust::default() }
}

#[tokio::test]
async fn a_pin_that_is_withdrawn_during_a_compile_counts_at_the_swap() {
    let world = World::new();
    let (old, new) = (version(1), version(2));
    world.plugins.trust.replace(pinned(&[&old, &new]));
    assert_eq!(world.propose(&old).await, Taken::Done);
    let (compiled, judged) = world.try_out(&new).await;
    world.plugins.trust.replace(pinned(&[&old]));
    let refused = world.plugins.admit(world.row(), &compiled, judged.clone()).await.unwrap().unwrap_err();
    assert_eq!(refused.code, "untrusted-not-pinned");
    assert_eq!((world.serving(), world.row().history.len()), (Some(digest(&old)), 1));
    assert!(!world.plugins.activate(&compiled, &judged), "nor by the last step alone");
    assert_eq!(world.serving(), Some(digest(&old)));

    // Another change that leaves it trusted keeps nothing out.
    world.plugins.trust.replace(pinned(&[&new, &old]));
    world.plugins.admit(world.row(), &compiled, judged).await.unwrap().map_err(told).unwrap();
    assert_eq!(world.serving(), Some(digest(&new)));
}

#[tokio::test]
async fn a_version_that_is_refused_at_the_swap_is_taken_out_of_its_row_though_the_store_is_away() {
    let world = World::new();
    let (old, new) = (version(1), version(2));
    world.plugins.trust.replace(pinned(&[&old, &new]));
    world.propose(&old).await;
    let (compiled, judged) = world.try_out(&new).await;
    let (plugins, row, before) = (world.plugins.clone(), world.row(), world.row());
    world.memory.gather();
    let admitted = tokio::spawn(async move { plugins.admit(row, &compiled, judged).await });
    // Time passes once all that can be done is done.
    tokio::time::pause();
    let settles = || tokio::time::sleep(std::time::Duration::from_millis(1));
    settles().await;
    // The pin is withdrawn while the row is written; then the store is away.
    world.plugins.trust.replace(pinned(&[&old]));
    world.memory.commit_gathered();
    world.memory.gather();
    settles().await;
    assert_eq!(world.row().active.map(|active| active.digest), Some(digest(&new)));
    world.memory.lose_gathered().unwrap();
    let refused = admitted.await.unwrap().unwrap().unwrap_err();
    assert_eq!((refused.code, world.serving()), ("untrusted-not-pinned", Some(digest(&old))));
    assert_eq!(world.row(), before);
}

#[tokio::test]
async fn what_an_attempt_runs_on_is_kept_though_it_is_forgotten() {
    let world = World::new();
    let first = version(0);
    world.propose(&first).await;
    let running = world.plugins.sandbox.active(&name()).unwrap();
    for number in 1..=12 {
        assert_eq!(world.propose(&version(number)).await, Taken::Done);
    }
    assert!(world.row().history.iter().all(|past| past.digest != digest(&first)));
    // So it can be judged when hooks.yaml changes, and is not stopped for want of its bytes.
    world.plugins.trust.replace(pinned(&[&first, &version(12), &version(13)]));
    world.plugins.reload().await.unwrap();
    assert!(world.plugins.kept(&name(), digest(&first)).await.is_ok());
    drop(running);
    world.propose(&version(13)).await;
    assert!(world.plugins.kept(&name(), digest(&first)).await.is_err(), "nobody wants it any longer");
}

#[tokio::test]
async fn a_version_whose_kept_bytes_are_lost_is_found_in_the_folder() {
    let world = World::new();
    let only = version(1);
    world.plugins.trust.replace(pinned(&[&only]));
    world.propose(&only).await;
    let running = world.plugins.sandbox.active(&name()).unwrap();
    world.lose(&only);
    world.plugins.trust.replace(pinned(&[&only, &version(2)]));
    world.plugins.stop_untrusted().await;
    let serving = world.plugins.sandbox.active(&name()).unwrap();
    assert!(Arc::ptr_eq(&serving, &running), "it was neither stopped nor taken down");
}

#[tokio::test]
async fn a_proposal_that_is_over_is_told_from_one_that_was_judged() {
    let world = World::new();
    let (one, two) = (version(1), version(2));
    world.put(&two);
    assert_eq!(world.plugins.take(found(&one)).await, Taken::Over);
    assert_eq!(world.serving(), None);
    assert_eq!(world.propose(b"no component").await, Taken::Done, "the verdict stands until the file changes");
    // Nothing can be kept.
    fs::remove_dir(world.folder.path().join("versions")).unwrap();
    assert_eq!(world.propose(&one).await, Taken::NotYet);
    assert_eq!(world.refused(), Some((Some(digest(&one)), "host-broken".to_owned())));
    fs::create_dir(world.folder.path().join("versions")).unwrap();
    assert_eq!(world.propose(&one).await, Taken::Done);
    assert_eq!(world.serving(), Some(digest(&one)));
}

fn stage(world: &World, bytes: &[u8]) {
    fs::write(world.plugins.folder.join(uploads::staged(&name(), digest(bytes))), bytes).unwrap();
}

/// Stages it as an operator's upload does.
async fn upload(world: &World, bytes: &[u8]) -> PluginCommand {
    stage(world, bytes);
    let wish = Wish::Take { digest: digest(bytes), signature: None };
    let command = PluginCommand { asked: NOON, wish, answer: None };
    assert!(world.plugins.store.command_plugin(&name(), command.clone()).await.unwrap());
    command
}

fn sent(bytes: &[u8]) -> Upload<'static> {
    Upload { asked: NOON, digest: digest(bytes), signature: None }
}

fn in_folder(world: &World) -> Vec<String> {
    let names = fs::read_dir(&world.plugins.folder).unwrap();
    names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn an_upload_that_is_refused_at_the_swap_leaves_the_file_in_the_folder_as_it_was() {
    let world = World::new();
    let (old, new) = (version(1), version(2));
    world.plugins.trust.replace(pinned(&[&old, &new]));
    world.propose(&old).await;
    stage(&world, &new);
    let (compiled, judged) = world.try_out(&new).await;
    // Its pin is withdrawn at the last moment.
    world.plugins.trust.replace(pinned(&[&old]));
    let refused = world.plugins.place(world.row(), &compiled, judged, None).await.unwrap().unwrap_err();
    assert_eq!((refused.code, world.serving()), ("untrusted-not-pinned", Some(digest(&old))));
    assert_eq!(fs::read(world.plugins.file(&name())).unwrap(), old);
    // It is wanted after all, and not lost.
    world.plugins.trust.replace(pinned(&[&old, &new]));
    world.plugins.take_upload(&name(), &sent(&new)).await.unwrap().map_err(told).unwrap();
    assert_eq!((world.serving(), in_folder(&world)), (Some(digest(&new)), vec!["steps.wasm".to_owned()]));
}

#[tokio::test]
async fn an_upload_that_finds_no_place_changes_nothing() {
    let world = World::new();
    let (old, new) = (version(1), version(2));
    // Nothing serves, and nothing does afterwards; then an older version does.
    for served in [None, Some(digest(&old))] {
        if served.is_some() {
            world.propose(&old).await;
            fs::remove_file(world.plugins.file(&name())).unwrap();
        }
        fs::create_dir(world.plugins.file(&name())).unwrap();
        stage(&world, &new);
        let before = world.row();
        let refused = world.plugins.take_upload(&name(), &sent(&new)).await.unwrap().unwrap_err();
        assert!(refused.reason.starts_with("it cannot be put in plugins/: "), "{}", refused.reason);
        assert_eq!((world.serving(), world.row()), (served, before));
        fs::remove_dir(world.plugins.file(&name())).unwrap();
    }
}

#[tokio::test]
async fn an_upload_that_is_judged_again_after_a_crash_has_the_same_answer() {
    let world = World::new();
    let bad = b"\0asm\x01\0\0\0";
    let command = upload(&world, bad).await;
    // The host stops before the first answer is written.
    for _ in 0..2 {
        let taken = world.plugins.take_upload(&name(), &sent(bad)).await.unwrap();
        assert_eq!(taken.unwrap_err().code, "core-module");
    }
    world.plugins.answer(&name(), &command).await.unwrap();
    let answer = world.plugins.store.catalogue().commands()[&name()].answer.clone().unwrap();
    assert_eq!(answer.refused.unwrap().code, "core-module");
    assert_eq!(in_folder(&world), Vec::<String>::new(), "nobody waits for it any longer");
}

#[tokio::test]
async fn an_upload_that_served_before_a_crash_is_not_lost_though_another_file_came() {
    let world = World::new();
    let (pushed, later) = (version(1), version(2));
    let command = upload(&world, &pushed).await;
    world.plugins.take_upload(&name(), &sent(&pushed)).await.unwrap().map_err(told).unwrap();
    assert_eq!(in_folder(&world), ["steps.wasm"]);
    // The host stops before the answer is written, and starts with another file.
    world.propose(&later).await;
    world.plugins.answer(&name(), &command).await.unwrap();
    let answer = world.plugins.store.catalogue().commands()[&name()].answer.clone().unwrap();
    assert_eq!((answer.refused, world.serving()), (None, Some(digest(&later))));
    // One that never served is.
    let lost = world.plugins.take_upload(&name(), &sent(b"lost")).await.unwrap().unwrap_err();
    assert_eq!(lost.code, "upload-lost");
}
