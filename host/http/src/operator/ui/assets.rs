//! The files that pages need, inside the binary. Their names carry a hash of their contents, so that a browser may keep
//! them for as long as it likes and a new release is seen at once.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::problem::Problem;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
}

const ASSETS: [Asset; 4] = [
    Asset { name: "style.css", content_type: "text/css; charset=utf-8", text: include_str!("assets/style.css") },
    Asset { name: "live.js", content_type: "text/javascript; charset=utf-8", text: include_str!("assets/live.js") },
    Asset { name: "theme.js", content_type: "text/javascript; charset=utf-8", text: include_str!("assets/theme.js") },
    Asset { name: "icon.svg", content_type: "image/svg+xml", text: include_str!("assets/icon.svg") },
];

static PATHS: LazyLock<[String; ASSETS.len()]> = LazyLock::new(|| ASSETS.map(|asset| hashed(&asset)));

/// Eight bytes of a hash, then the name.
fn hashed(asset: &Asset) -> String {
    let digest: [u8; 32] = Sha256::digest(asset.text).into();
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("/assets/{hash}-{}", asset.name)
}

pub(super) fn path(name: &str) -> &'static str {
    let at = ASSETS.iter().position(|asset| asset.name == name);
    at.and_then(|at| PATHS.get(at)).map_or("", String::as_str)
}

pub(super) async fn show(Path(name): Path<String>) -> Result<Response, Problem> {
    let wanted = format!("/assets/{name}");
    let found = ASSETS.iter().zip(PATHS.iter()).find(|(_, path)| **path == wanted);
    let (asset, _) = found.ok_or_else(Problem::not_found)?;
    let headers = [(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, asset.text).into_response())
}
