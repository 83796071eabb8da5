//! What is not taken: the right status, one line with the cause, and nothing kept.

use serde_json::{Value, json};

use crate::harness::{Answer, GITHUB, Host, Project, SHOP, STRIPE, Sender, Webhook, now, shop};

/// In every body that is sent here; it must turn up nowhere.
const MARK: &str = "mark-of-the-body-3f9d";
const MINUTE: u64 = 60_000;

fn body() -> String {
    json!({ "type": "user.created", "event_id": "1", "data": MARK }).to_string()
}

/// Posts it and looks for everything that a refusal must and must not leave behind.
#[track_caller]
fn refused(webhook: &Webhook, status: u16, code: &str) -> Answer {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let answer = host.post(webhook);
    assert_eq!(answer.status, status, "{answer:?}");
    assert_nothing_is_kept(&host);
    let line = format!("reason=\"{code}\"");
    assert_eq!(project.log_lines(&line), 1, "one line with {line}:\n{}", project.log());
    assert_nothing_is_told(&project, &answer, webhook);
    answer
}

fn assert_nothing_is_kept(host: &Host<'_>) {
    assert_eq!(host.get("events")["items"], json!([]));
    assert_eq!(host.get("runs")["items"], json!([]));
    let health = host.get("health");
    assert_eq!((&health["counts"]["events"], &health["queue"]["pending"]), (&json!(0), &json!(0)));
}

/// No secret, no signature that came or was expected, no body.
fn assert_nothing_is_told(project: &Project, answer: &Answer, webhook: &Webhook) {
    let told = project.output() + &answer.text;
    let sender = [SHOP, GITHUB, STRIPE].into_iter().find(|sender| sender.provider == webhook.provider);
    let right = sender.map(|sender| sender.sign("1", webhook.body.clone()));
    let signatures = webhook.headers.iter().chain(right.iter().flat_map(|right| &right.headers));
    for (name, value) in signatures.filter(|(name, _)| name.to_lowercase().contains("signature")) {
        for part in value.split([',', '=', ' ']).filter(|part| part.len() >= 16) {
            assert!(!told.contains(part), "{name} is told");
        }
    }
    for Sender { secret, provider, .. } in [SHOP, GITHUB, STRIPE] {
        assert!(!told.contains(secret), "the secret of {provider} is told");
    }
    assert!(!told.contains(MARK), "the body is told");
}

#[test]
fn a_wrong_signature_is_refused() {
    let stranger = Sender { secret: "somebody-elses", ..SHOP };
    refused(&stranger.sign("1", body()), 401, "mismatch");
}

#[test]
fn a_changed_body_is_refused() {
    let mut webhook = SHOP.sign("1", body());
    webhook.body.push(b' ');
    refused(&webhook, 401, "mismatch");
}

#[test]
fn a_stale_delivery_is_refused() {
    refused(&STRIPE.sign_at(now() - 10 * MINUTE, "", body()), 401, "outside-tolerance");
}

#[test]
fn a_delivery_from_the_future_is_refused() {
    refused(&STRIPE.sign_at(now() + 10 * MINUTE, "", body()), 401, "outside-tolerance");
}

#[test]
fn a_missing_signature_is_refused() {
    refused(&SHOP.sign("1", body()).without("X-Webhook-Signature"), 401, "missing-header");
}

#[test]
fn a_signature_without_its_time_is_refused() {
    let webhook = STRIPE.sign("", body());
    let (_, signature) = webhook.value("Stripe-Signature").split_once(',').unwrap();
    let timeless = webhook.clone().without("Stripe-Signature").header("Stripe-Signature", signature);
    refused(&timeless, 401, "malformed-header");
}

#[test]
fn a_duplicated_signature_is_refused_though_one_is_right() {
    let webhook = SHOP.sign("1", body());
    let right = webhook.value("X-Webhook-Signature").to_owned();
    refused(&webhook.header("X-Webhook-Signature", &right), 401, "duplicate-header");
}

#[test]
fn an_oversize_body_is_refused_before_it_is_checked() {
    let large = json!({ "type": "user.created", "data": MARK.repeat(60_000) }).to_string();
    assert!(large.len() > 1 << 20);
    refused(&SHOP.sign("1", large), 413, "large-body");
}

#[test]
fn a_body_that_is_declared_json_and_is_not_is_refused() {
    refused(&SHOP.sign("1", format!("{{\"data\":\"{MARK}\"")), 400, "broken-json");
}

#[test]
fn an_unknown_provider_is_refused() {
    let nobody = Sender { provider: "nobody", ..SHOP };
    refused(&nobody.sign("1", body()), 401, "unknown-provider");
}

#[test]
fn a_stranger_cannot_tell_an_unknown_provider_from_a_wrong_signature() {
    let project = Project::with(&[]);
    let host = project.serve();
    let wrong = Sender { secret: "somebody-elses", ..SHOP };
    let nobody = Sender { provider: "nobody", ..SHOP };
    let answers: Vec<Answer> = [
        wrong.sign("1", body()),
        nobody.sign("1", body()),
        SHOP.sign("1", body()).without("X-Webhook-Signature"),
        STRIPE.sign_at(now() - 10 * MINUTE, "", body()),
    ]
    .iter()
    .map(|webhook| host.post(webhook))
    .collect();
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (401, &answers[0].text));
    }
}

#[test]
fn a_refused_delivery_may_come_again_and_be_right() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let wrong = Sender { secret: "somebody-elses", ..SHOP };
    assert_eq!(host.post(&wrong.sign("1", body())).status, 401);
    let run = host.follow(&SHOP.sign("1", body()).header("X-Event-Type", "user.created"));
    assert_eq!(run["attempts_begun"], 1);
}

#[test]
fn what_is_accepted_is_not_logged_either() {
    let project = Project::with(&["steps"]).env("HOOKBOX_LOG", "trace,sled=off,polling=off");
    let host = project.serve();
    let webhook = shop("broken", "1", json!({ "data": MARK }))
        .header("Authorization", "Bearer open-sesame-81")
        .header("Cookie", "session=crumbs-of-81");
    let run = host.follow(&webhook);
    assert_eq!(run["state"], "dead");
    host.stop();
    let output = project.output();
    for secret in [SHOP.secret, &webhook.value("X-Webhook-Signature")[7..], MARK, "open-sesame-81", "crumbs-of-81"] {
        assert!(!output.contains(secret), "{secret} is told");
    }
}

#[test]
fn headers_that_open_doors_are_not_kept() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let webhook = shop("user.created", "1", Value::Null)
        .header("Authorization", "Bearer open-sesame-81")
        .header("Cookie", "session=crumbs-of-81")
        .header("X-Trace", "harmless");
    let event = host.accept(&webhook);
    let shown = host.get(&format!("events/{event}"));
    assert_eq!(shown["attributes"]["header.x-trace"], "harmless");
    let text = shown.to_string();
    for secret in ["sesame", "crumbs", &webhook.value("X-Webhook-Signature")[7..]] {
        assert!(!text.contains(secret), "{secret} is kept");
    }
}
