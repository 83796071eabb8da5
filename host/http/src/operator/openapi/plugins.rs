use hookbox_core::limits::COMPONENT_BYTES_MAX;
use serde_json::json;

use super::document::{Document, name_of};
use crate::operator::plugins::rollback;
use crate::view::Page;
use crate::view::change::ChangesView;
use crate::view::plugin::{PluginDetailView, PluginView};

const PLUGINS: &str = "plugins";

pub(super) fn describe(api: &mut Document) {
    api.get(PLUGINS, "/api/v1/plugins", "List plugins").answers::<Page<PluginView>>("200", "All of them");
    api.post(PLUGINS, "/api/v1/plugins", "Push a component")
        .without_key()
        .says("It goes through the same steps as a file in plugins/. The same bytes twice are the same version.")
        .query("name", name_of("_-"), "Which plugin it is. Must be given")
        .header("Hookbox-Signature", json!({ "type": "string" }), "The text of its .minisig file, in base64")
        .body_in("application/wasm", json!({ "type": "string", "format": "binary", "maxLength": COMPONENT_BYTES_MAX }))
        .answers::<PluginView>("200", "It serves");
    api.get(PLUGINS, "/api/v1/plugins/{name}", "Show a plugin")
        .answers::<PluginDetailView>("200", "Its versions, handlers and grants, and what it was denied")
        .tagged();
    api.post(PLUGINS, "/api/v1/plugins/{name}/rollback", "Go back to an earlier version")
        .conditional()
        .body::<rollback::Asked>()
        .answers::<PluginView>("200", "The version serves")
        .tagged();
    api.get(PLUGINS, "/api/v1/plugin-changes", "List what happened to plugins")
        .query("after", json!({ "type": "integer", "minimum": 0 }), "`next` of the answer before")
        .answers::<ChangesView>("200", "Oldest first");
}
