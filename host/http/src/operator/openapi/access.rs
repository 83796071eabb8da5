use serde_json::json;

use super::document::{Document, time};
use crate::operator::tokens;
use crate::view::Page;
use crate::view::access::{AuditView, NewTokenView, SessionView, TokenView, WhoView};

const ACCESS: &str = "access";

pub(super) fn describe(api: &mut Document) {
    api.get(ACCESS, "/api/v1/whoami", "Say who asks").answers::<WhoView>("200", "As whom they are let in");
    api.get(ACCESS, "/api/v1/tokens", "List tokens")
        .answers::<Page<TokenView>>("200", "All of them, without themselves");
    api.post(ACCESS, "/api/v1/tokens", "Make a token")
        .says("The token is told once: with an Idempotency-Key, too, it is not told again.")
        .body::<tokens::Asked>()
        .makes::<NewTokenView>("The token");
    api.delete(ACCESS, "/api/v1/tokens/{name}", "Revoke a token")
        .answers::<TokenView>("200", "It counts no longer, and its sessions have ended");
    api.get(ACCESS, "/api/v1/sessions", "List browsers that have logged in")
        .answers::<Page<SessionView>>("200", "The one that was used last first");
    api.delete(ACCESS, "/api/v1/sessions/{id}", "Log a browser out")
        .answers::<SessionView>("200", "It is let in no longer");
    let text = || json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    api.get(ACCESS, "/api/v1/audit", "List what was done")
        .paged(json!({ "type": "string", "pattern": "^[0-9]{1,19}$" }))
        .query("who", text(), "By this one")
        .query("text", text(), "With this in what was done, to what, or how it ended")
        .query("since", time(), "Not before")
        .query("until", time(), "Before")
        .answers::<Page<AuditView>>("200", "Newest first");
}
