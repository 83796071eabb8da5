//! Code hosts and what programmers work with.

use super::super::scheme::{BodyForm, Encoding, Repeats, TimestampRule, TimestampUnit};
use super::build::{BODY, BODY_KNOWN, ID_KNOWN, header, hmac_sha256, in_header, json, list, naming, text, token};
use super::standard::{symmetric, wire};
use super::{About, Preset};
use crate::time::Millis;

pub(super) const GITHUB_256: Preset = Preset::new(
    in_header("github-256", "X-Hub-Signature-256", list![hmac_sha256("sha256=", Encoding::Hex, BODY)])
        .named_by(naming![[header("X-GitHub-Event"), json("action")]], naming![[header("X-GitHub-Delivery")]])
        .in_body(BodyForm::JsonOrForm { field: text("payload") }),
    About {
        title: "GitHub",
        settings: "the repository's or organisation's Settings, Webhooks, Add webhook: Payload URL and Secret",
        not_covered: "X-GitHub-Event and X-GitHub-Delivery",
        replay: BODY_KNOWN,
        notes: "X-Hub-Signature, which is SHA-1, is not read. GitHub waits 10 s and does not retry by itself; \
                a redelivery keeps its id, so it counts as a duplicate.",
        unconfirmed: &["bodies of up to 25 MB"],
    },
);

/// A branch that is pushed to and fro has the same body twice.
pub(super) const GITLAB: Preset = Preset::new(
    in_header("gitlab", "X-Gitlab-Token", list![token()])
        .named_by(
            naming![[json("object_kind")], [json("event_name")], [header("X-Gitlab-Event")]],
            naming![[header("Idempotency-Key")], [header("X-Gitlab-Event-UUID")]],
        )
        .repeating(Repeats::ById),
    About {
        title: "GitLab, secret token",
        settings: "the project's or group's Settings, Webhooks: URL and Secret token",
        not_covered: "everything: the token is shown with each delivery and signs nothing",
        replay: "nothing stops who has seen the token; repetitions are known by id for 7 days",
        notes: "Take gitlab-signed where the instance has signing tokens.",
        unconfirmed: &["Idempotency-Key (GitLab 17.4 and later) stays the same on a retry"],
    },
);

pub(super) const GITLAB_SIGNED: Preset = Preset::new(
    wire("gitlab-signed", list![symmetric()]).named_by(
        naming![[json("object_kind")], [json("event_name")], [header("X-Gitlab-Event")]],
        naming![[header("webhook-id")]],
    ),
    About {
        title: "GitLab, signing token",
        settings: "the project's or group's Settings, Webhooks: URL and Signing token",
        not_covered: "X-Gitlab-Event, which counts only where the body names no object_kind",
        replay: "webhook-timestamp within 300 s, and webhook-id, both signed",
        notes: "",
        unconfirmed: &["the signing token is whsec_ and the key in base64, as in Standard Webhooks"],
    },
);

/// The Cloud's pushes have no time of their own.
pub(super) const BITBUCKET: Preset = Preset::new(
    in_header("bitbucket", "X-Hub-Signature", list![hmac_sha256("sha256=", Encoding::Hex, BODY)])
        .named_by(
            naming![[header("X-Event-Key")], [json("eventKey")]],
            naming![[header("X-Request-Id")], [header("X-Request-UUID")]],
        )
        .repeating(Repeats::ById),
    About {
        title: "Bitbucket Cloud and Data Center",
        settings: "Repository settings, Webhooks, Add webhook: URL and Secret",
        not_covered: "X-Event-Key, X-Request-Id and X-Request-UUID",
        replay: ID_KNOWN,
        notes: "X-Hub-Signature holds SHA-256 here; a SHA-1 of the same header is refused.",
        unconfirmed: &["Bitbucket Cloud names a delivery in X-Request-UUID"],
    },
);

pub(super) const JIRA: Preset = Preset::new(
    in_header("jira", "X-Hub-Signature", list![hmac_sha256("sha256=", Encoding::Hex, BODY)])
        .named_by(naming![[json("webhookEvent")]], naming![[header("X-Atlassian-Webhook-Identifier")]]),
    About {
        title: "Jira, webhooks of an administrator",
        settings: "Jira settings, System, WebHooks, Create a WebHook: URL and Secret",
        not_covered: "X-Atlassian-Webhook-Identifier",
        replay: BODY_KNOWN,
        notes: "",
        unconfirmed: &["the event type is webhookEvent", "the delivery id is X-Atlassian-Webhook-Identifier"],
    },
);

/// Of Gitea and its kin, a test delivery repeats the last push, and a push has no time but its commits'.
pub(super) const GITEA: Preset = Preset::new(
    in_header("gitea", "X-Gitea-Signature", list![hmac_sha256("", Encoding::Hex, BODY)])
        .named_by(naming![[header("X-Gitea-Event")]], naming![[header("X-Gitea-Delivery")]])
        .repeating(Repeats::ById),
    About {
        title: "Gitea",
        settings: "the repository's Settings, Webhooks, Add Webhook, Gitea: Target URL and Secret",
        not_covered: "X-Gitea-Event and X-Gitea-Delivery",
        replay: ID_KNOWN,
        notes: "Choose application/json as the content type.",
        unconfirmed: &[],
    },
);

pub(super) const FORGEJO: Preset = Preset::new(
    in_header("forgejo", "X-Forgejo-Signature", list![hmac_sha256("", Encoding::Hex, BODY)])
        .named_by(
            naming![[header("X-Forgejo-Event")], [header("X-Gitea-Event")]],
            naming![[header("X-Forgejo-Delivery")]],
        )
        .repeating(Repeats::ById),
    About {
        title: "Forgejo, Codeberg",
        settings: "the repository's Settings, Webhooks, Add webhook, Forgejo: Target URL and Secret",
        not_covered: "X-Forgejo-Event, X-Gitea-Event and X-Forgejo-Delivery",
        replay: ID_KNOWN,
        notes: "Choose application/json as the content type.",
        unconfirmed: &["X-Forgejo-Event names the event type; X-Gitea-Event is read where it is not there"],
    },
);

pub(super) const GOGS: Preset = Preset::new(
    in_header("gogs", "X-Gogs-Signature", list![hmac_sha256("", Encoding::Hex, BODY)])
        .named_by(naming![[header("X-Gogs-Event")]], naming![[header("X-Gogs-Delivery")]])
        .repeating(Repeats::ById),
    About {
        title: "Gogs",
        settings: "the repository's Settings, Webhooks, Add a new webhook, Gogs: Payload URL and Secret",
        not_covered: "X-Gogs-Event and X-Gogs-Delivery",
        replay: ID_KNOWN,
        notes: "Choose application/json as the content type.",
        unconfirmed: &[],
    },
);

pub(super) const LINEAR: Preset = Preset::new(
    in_header("linear", "Linear-Signature", list![hmac_sha256("", Encoding::Hex, BODY)])
        .timed(TimestampRule {
            at: json("webhookTimestamp"),
            unit: TimestampUnit::Milliseconds,
            tolerance: Millis(60_000),
        })
        .named_by(
            naming![[json("type"), json("action")], [header("Linear-Event")]],
            naming![[header("Linear-Delivery")]],
        ),
    About {
        title: "Linear",
        settings: "Settings, API, Webhooks: the URL, and the Signing secret on the webhook's page",
        not_covered: "Linear-Delivery, and Linear-Event, which counts only where the body names no type",
        replay: "webhookTimestamp in the signed body within 60 s, and body and Linear-Delivery for 7 days",
        notes: "",
        unconfirmed: &["when Linear retries, and that a retry has a new webhookTimestamp"],
    },
);

pub(super) const CURSOR: Preset = Preset::new(
    in_header("cursor", "X-Webhook-Signature", list![hmac_sha256("sha256=", Encoding::Hex, BODY)])
        .named_by(naming![[json("event")], [header("X-Webhook-Event")]], naming![[header("X-Webhook-ID")]]),
    About {
        title: "Cursor, cloud agents",
        settings: "the webhook field of the request that launches an agent: url, and the secret that you choose",
        not_covered: "X-Webhook-ID, and X-Webhook-Event, which counts only where the body names no event",
        replay: BODY_KNOWN,
        notes: "",
        unconfirmed: &["the event type is event or X-Webhook-Event", "the delivery id is X-Webhook-ID"],
    },
);
