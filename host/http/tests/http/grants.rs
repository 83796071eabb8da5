//! What a plugin may do, and what it tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_core::attempt::{Attempt, Outcome};
use hookbox_core::config::Config;
use hookbox_core::denial::{Denied, DeniedKind};
use hookbox_core::limits::AllSettings;
use hookbox_core::name::PluginName;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::RunEvent;
use hookbox_core::secret::Secret;

use crate::operator::{assert_view, attempt, claim, end, host};

#[tokio::test]
async fn a_plugin_is_shown_with_what_it_may_do_and_what_it_was_denied() {
    let (host, _) = host().await;
    let carries = "{ to: POST https://api.stripe.com, headers: { authorization: stripe_key } }";
    let grants = format!(
        "http: [ GET https://*.example.com, {carries} ], networks: [ 10.1.0.0/16 ], emit: [ digest/* ], enqueue: [ reports/*, digest/send ]"
    );
    let config =
        Config::parse(&format!("plugins: {{ welcome: {{ grants: {{ {grants} }}, config: {{ channel: x }} }} }}"));
    let name = PluginName::parse("welcome").unwrap();
    let token = Arc::new(Secret::new("hunter2").unwrap());
    let settings = config.unwrap().plugins[&name].settings([("token".to_owned(), token)].into(), BTreeMap::new());
    host.settings.store(Arc::new(AllSettings([(name, settings)].into())));
    let run = claim(&host).await;
    let denied = |kind, what: &str| Denied { kind, what: what.to_owned(), reason: "grant it".to_owned() };
    let denied = vec![denied(DeniedKind::Secret, "other"), denied(DeniedKind::Request, "GET https://evil.example")];
    let attempt = Attempt { denied, ..attempt(&run, Outcome::Permanent { message: "no".to_owned() }) };
    end(&host, &run, RunEvent::FailedForGood { attempt, cause: DeadCause::Permanent }).await;
    let shown = host.get("/api/v1/plugins/welcome").await;
    assert!(!shown.json().to_string().contains("hunter2"));
    assert_view!("plugin_of_grants", shown);
}
