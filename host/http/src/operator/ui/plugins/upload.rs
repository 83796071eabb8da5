//! Handing a component in.

use maud::{Markup, html};

use crate::operator::access::may;

/// Of the plugin that the page is of, or of any.
pub(super) fn upload(name: Option<&str>) -> Markup {
    if !may("push plugin") {
        return html! {};
    }
    html! {
        h2 { "Upload" }
        p.dim {
            "A component is taken in by the same steps as a file in plugins/: one that fails a step leaves the version before \
             it in its place. From a terminal: " code { "hookbox plugins push FILE" }
        }
        form.filter.scripted data-upload="" {
            label { "Component" input type="file" name="file" accept=".wasm,application/wasm" required; }
            label { "Signature, if it has one" input type="file" name="signature" accept=".minisig"; }
            label {
                "Plugin"
                input name="name" value=[name] readonly[name.is_some()] placeholder="as the file is named" autocomplete="off";
            }
            button type="submit" { "Upload" }
        }
    }
}
