//! What wasmtime generates from the contract in `wit/`.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "plugin",
    imports: { "hookbox:plugin/kv": async | trappable, default: trappable },
    exports: { default: async },
});
