//! Guests that want more memory, tables or instances than they may have.

use hookbox_core::attempt::Executed;

use crate::guest::{Guest, Verdict, guest, liar};

const MIB: u64 = 1 << 20;
const MEMORY: u64 = 16 * MIB;

const GROW: &str = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))";
const GROW_TABLE: &str =
    "(loop $more (br_if $more (i32.ne (table.grow $bomb (ref.null func) (i32.const 100)) (i32.const -1))))";
/// Takes all it can get when it starts.
const GROWING: &str = "(module (memory 1) (func $start
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))) (start $start))";

fn within_memory(executed: &Executed) {
    assert!(executed.cost.memory_peak_bytes <= MEMORY, "{:?}", executed.cost);
}

pub(crate) fn guests() -> Vec<Guest> {
    let small = |guest: Guest| guest.settings(|settings| settings.memory_bytes = MEMORY);
    vec![
        small(guest("grows-until-it-breaks"))
            .job(&format!("{GROW} (unreachable)"))
            .ends(Verdict::OutOfMemory)
            .check(within_memory),
        small(guest("grows-and-is-content-with-what-it-got"))
            .job(&format!("{GROW} (call $done)"))
            .ends(Verdict::Completes)
            .check(within_memory),
        small(guest("writes-to-all-of-its-memory"))
            .job(&format!(
                "{GROW} (memory.fill (i32.const 65536) (i32.const 1)
                          (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65536))) (call $done)"
            ))
            .settings(|settings| settings.cpu = hookbox_core::time::Millis(10_000))
            .ends(Verdict::Completes)
            .check(within_memory),
        guest("grows-by-four-gigabytes-at-once")
            .job("(if (i32.eq (memory.grow (i32.const 65535)) (i32.const -1)) (then (unreachable))) (call $done)")
            .ends(Verdict::OutOfMemory),
        small(guest("grows-in-realloc"))
            .text(|text| text.realloc = format!("{GROW} (unreachable)"))
            .ends(Verdict::OutOfMemory)
            .check(within_memory),
        small(guest("begins-with-more-than-it-may-have"))
            .text(|text| text.pages = 1024)
            .ends(Verdict::Refused("out-of-memory", "16 MiB")),
        small(guest("has-more-in-three-memories-than-it-may-have"))
            .with("(module (memory 100))", 3)
            .ends(Verdict::Refused("out-of-memory", "limits.memory")),
        small(guest("grows-three-memories-in-turn")).with(GROWING, 3).ends(Verdict::Completes).check(within_memory),
        guest("has-five-memories").with("(module (memory 1))", 4).ends(Verdict::Refused("does-not-fit", "memories")),
        guest("has-a-memory-larger-than-any-slot")
            .text(|text| text.pages = 40_000)
            .ends(Verdict::Refused("does-not-fit", "exceeds the limit")),
        liar("hoards", "liar/hoards", "out-of-memory", "limits.memory"),
        guest("grows-a-table-until-it-breaks")
            .more("(table $bomb 1 funcref)")
            .job(&format!("{GROW_TABLE} (unreachable)"))
            .limits(|limits| limits.table_elements = 1000)
            .ends(Verdict::Trapped("more than 1000 table elements")),
        guest("has-a-table-larger-than-its-limit")
            .more("(table 1001 funcref)")
            .limits(|limits| limits.table_elements = 1000)
            .ends(Verdict::Refused("does-not-fit", "limits.table_elements")),
        guest("has-more-in-five-tables-than-it-may-have")
            .with("(module (table 90000 funcref))", 5)
            .ends(Verdict::Refused("does-not-fit", "400000 table elements")),
        guest("grows-a-table-without-end")
            .more("(table $bomb 1 funcref)")
            .job(&format!("{GROW_TABLE} (call $digit (i32.gt_u (table.size $bomb) (i32.const 100000)))"))
            .ends(Verdict::Says("0")),
        guest("has-a-table-larger-than-any-slot")
            .more("(table 100001 funcref)")
            .ends(Verdict::Refused("does-not-fit", "100000")),
        guest("has-seventeen-tables")
            .with("(module (table 1 funcref))", 17)
            .ends(Verdict::Refused("does-not-fit", "tables")),
        guest("is-made-of-a-hundred-instances")
            .with("(module)", 100)
            .ends(Verdict::Refused("does-not-fit", "configured maximum of 40")),
        guest("is-made-of-more-instances-than-it-may-be")
            .with("(module)", 9)
            .limits(|limits| limits.instances = 9)
            .ends(Verdict::Refused("does-not-fit", "limits.instances is 9, at most 40")),
        guest("is-given-more-instances-than-there-are")
            .limits(|limits| limits.instances = 41)
            .ends(Verdict::Refused("limit-too-high", "instances must be 1..=40, is 41")),
    ]
}
