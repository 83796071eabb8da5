//! Generated from `wit/plugin.wit`.

#![allow(unsafe_code, reason = "the generated code crosses into the host")]
#![allow(clippy::all, unused_qualifications, unreachable_pub, reason = "generated")]

wit_bindgen::generate!({ path: "../../wit", world: "plugin" });

export!(Plugin with_types_in self);

use super::Plugin;
