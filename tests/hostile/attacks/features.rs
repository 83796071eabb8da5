//! Guests made of parts of WebAssembly that no plugin needs: none is compiled.

use crate::guest::{Guest, Verdict, guest};

pub(crate) fn guests() -> Vec<Guest> {
    let refused = |name, module, words| guest(name).with(module, 1).ends(Verdict::Refused("invalid", words));
    vec![
        refused("throws-exceptions", "(module (tag $t) (func (throw $t)))", "exceptions"),
        refused(
            "collects-garbage",
            "(module (type $s (struct (field i32))) (func (drop (struct.new_default $s))))",
            "gc",
        ),
        refused("holds-a-reference-to-the-outside", "(module (table 1 externref))", "gc"),
        refused("holds-an-exception", "(module (table 1 exnref))", "exception refs not supported"),
        refused(
            "refers-to-a-function-by-its-type",
            "(module (type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0))))",
            "function references",
        ),
        refused("has-a-memory-of-64-bits", "(module (memory i64 1))", "memory64"),
        refused("has-a-table-of-64-bits", "(module (table i64 1 funcref))", "memory64"),
        refused("shares-its-memory", "(module (memory 1 1 shared))", "threads"),
        refused(
            "waits-for-another-thread",
            "(module (memory 1) (func (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))",
            "threads",
        ),
        refused("has-pages-of-one-byte", "(module (memory 1 (pagesize 1)))", "custom page sizes"),
        refused("switches-stacks", "(module (type $f (func)) (type $c (cont $f)))", "stack switching"),
        guest("calls-itself-in-its-own-place")
            .more("(func $round (result i32) (return_call $round))")
            .job("(call $round)")
            .ends(Verdict::CpuExhausted),
        guest("jumps-into-itself-in-its-own-place")
            .more(
                "(type $round (func (result i32))) (table funcref (elem $round))
                 (func $round (type $round) (return_call_indirect (type $round) (i32.const 0)))",
            )
            .job("(call $round)")
            .ends(Verdict::CpuExhausted),
    ]
}
