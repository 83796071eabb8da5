//! Values of any size, around the edges of a chunk.

use hookbox_store::types::Recorded;

use crate::world::{World, bytes, delete, event, job, set, writes};

conformance! {
    bodies_of_any_size_read_back,
    payloads_of_any_size_read_back,
    keys_of_any_size_read_back,
    a_value_that_shrinks_and_grows_leaves_nothing_behind,
    many_large_values_at_once_read_back,
}

const EDGES: [usize; 24] = [
    0, 1, 2047, 2048, 2049, 4078, 4085, 4086, 4087, 4088, 4089, 4090, 4091, 4092, 4093, 4094, 4095, 4096, 4097, 4100,
    8184, 8185, 65_536, 307_200,
];

async fn bodies_of_any_size_read_back(world: &mut World) {
    let mut made = Vec::new();
    for length in EDGES {
        let mut new = event(&["a/on-event"]);
        new.event.data = bytes(length, 5);
        world.accept_new(new.clone()).await;
        made.push(new.event);
    }
    world.pause();
    for event in made {
        assert_eq!(world.event_input(event.id).await.unwrap(), event);
        let record = world.event(event.id).await.unwrap();
        assert_eq!((record.data_bytes, &record.event), (event.data.len() as u64, &event));
    }
}

async fn payloads_of_any_size_read_back(world: &mut World) {
    let mut made = Vec::new();
    for length in EDGES {
        let mut new = job("a/work");
        new.job.data = bytes(length, 6);
        world.enqueue(new.clone()).await.unwrap();
        made.push(new.job);
    }
    world.pause();
    for job in made {
        assert_eq!(world.job(job.id).await.unwrap(), job);
    }
}

async fn keys_of_any_size_read_back(world: &mut World) {
    for length in EDGES.into_iter().chain(4070..4101) {
        let key = format!("k{length}");
        assert_eq!(world.commit("a/on-event", writes("a", [set(&key, bytes(length, 7))])).await, Recorded::Done);
    }
    world.pause();
    for length in EDGES.into_iter().chain(4070..4101) {
        assert_eq!(world.value("a", &format!("k{length}")).await, Some(bytes(length, 7)));
    }
}

/// The doctor, which looks at each test's data, finds chunks that belong to nothing.
async fn a_value_that_shrinks_and_grows_leaves_nothing_behind(world: &mut World) {
    for (n, length) in [300_000, 10, 9000, 4080, 20_000, 8184, 0, 4093, 4092, 40_000, 4096, 1].into_iter().enumerate() {
        let value = bytes(length, n as u8);
        assert_eq!(world.commit("a/on-event", writes("a", [set("k", value.clone())])).await, Recorded::Done);
        world.pause();
        assert_eq!(world.value("a", "k").await, Some(value));
    }
    world.commit("a/on-event", writes("a", [set("k", bytes(100_000, 1))])).await;
    world.commit("a/on-event", writes("a", [delete("k")])).await;
    world.pause();
    assert_eq!(world.value("a", "k").await, None);
    // Twice in one attempt's group: each sees what the one before it wrote.
    world.commit("a/on-event", writes("a", [set("k", bytes(50_000, 1)), set("k", bytes(10, 2))])).await;
    assert_eq!(world.value("a", "k").await, Some(bytes(10, 2)));
}

async fn many_large_values_at_once_read_back(world: &mut World) {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40u8 {
        let store = world.store.clone();
        tasks.spawn(async move {
            let mut new = event(&["a/on-event"]);
            new.event.data = bytes(300_000, n);
            store.accept(new.clone()).await.unwrap();
            new.event
        });
    }
    let made = tasks.join_all().await;
    world.pause();
    for event in made {
        assert_eq!(world.event_input(event.id).await.unwrap(), event);
    }
}
