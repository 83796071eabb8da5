//! What wasmtime generates from the contract in `wit/`, and from the drafts in `wit-drafts/`.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "plugin",
    imports: { default: async | trappable },
    exports: { default: async },
    // Whatever passes the seam can be written down.
    additional_derives: [serde::Serialize, serde::Deserialize],
});

/// `wasi:keyvalue@0.2.0-draft`
pub(crate) mod keyvalue {
    wasmtime::component::bindgen!({
        path: "wit-drafts/keyvalue-0.2.0-draft",
        world: "imports",
        imports: { default: async | trappable },
        with: { "wasi:keyvalue/store.bucket": crate::capability::drafts::Bucket },
    });
}

/// `wasi:keyvalue@0.2.0-draft2`
pub(crate) mod keyvalue2 {
    wasmtime::component::bindgen!({
        path: "wit-drafts/keyvalue-0.2.0-draft2",
        world: "imports",
        imports: { default: async | trappable },
        with: {
            "wasi:keyvalue/store.bucket": crate::capability::drafts::Bucket,
            "wasi:keyvalue/atomics.cas": crate::capability::drafts::Cas,
        },
    });
}

/// `wasi:config@0.2.0-draft`
pub(crate) mod config {
    wasmtime::component::bindgen!({
        path: "wit-drafts/config-0.2.0-draft",
        world: "imports",
        imports: { default: async | trappable },
    });
}

/// `wasi:config@0.2.0-rc.1`
pub(crate) mod config_rc {
    wasmtime::component::bindgen!({
        path: "wit-drafts/config-0.2.0-rc.1",
        world: "imports",
        imports: { default: async | trappable },
    });
}

/// `wasi:logging@0.1.0-draft`
pub(crate) mod logging {
    wasmtime::component::bindgen!({
        path: "wit-drafts/logging-0.1.0-draft",
        world: "imports",
        imports: { default: async | trappable },
    });
}
