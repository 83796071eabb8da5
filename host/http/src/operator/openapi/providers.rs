use super::document::Document;
use crate::view::pairing::{ClosedView, PairedView, PairingView};
use crate::view::provider::{ProviderView, ProvidersView};

const PROVIDERS: &str = "providers";

pub(super) fn describe(api: &mut Document) {
    api.get(PROVIDERS, "/api/v1/providers", "List live providers")
        .answers::<ProvidersView>("200", "All of them, and what came for names that none has");
    api.get(PROVIDERS, "/api/v1/providers/{name}", "Show a provider")
        .answers::<ProviderView>("200", "What it sent, and why some of it was refused");
    api.get(PROVIDERS, "/api/v1/providers/{name}/pairing", "Look at an open window")
        .answers::<PairingView>("200", "What has come");
    api.post(PROVIDERS, "/api/v1/providers/{name}/pairing", "Open a window in which a sender brings its secret")
        .makes::<PairingView>("The window");
    api.post(PROVIDERS, "/api/v1/providers/{name}/pairing/confirm", "Keep the secret that came")
        .answers::<PairedView>("200", "Where it was written");
    api.post(PROVIDERS, "/api/v1/providers/{name}/pairing/close", "Close the window")
        .answers::<ClosedView>("200", "It is closed");
}
