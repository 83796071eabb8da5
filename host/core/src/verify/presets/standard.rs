//! Schemes that many senders share.

use super::super::scheme::{
    Algorithm, BodyForm, Encoding, KeyForm, List, Method, Piece, Repeats, Scheme, TimestampUnit,
};
use super::build::{
    BODY, NOTHING, clock, header, hmac_sha256, in_header, in_list, json, list, literal, method, naming, text,
};
use super::{About, Preset};

/// For senders of one's own.
pub(super) const GENERIC: Preset = Preset::new(
    in_header("generic", "X-Webhook-Signature", list![hmac_sha256("sha256=", Encoding::Hex, BODY)])
        .named_by(naming![[header("X-Event-Type")], [json("type")]], naming![[json("event_id")]]),
    About {
        title: "A sender of your own",
        settings: "wherever the sender keeps the secret that you choose; the URL is /api/v1/webhooks/webhook/NAME of this host",
        not_covered: "X-Event-Type: what must not be forged belongs in the body",
        replay: "event_id in the signed body; without one, the body is known for 10 minutes",
        notes: "",
        unconfirmed: &[],
    },
);

const ID_TIME_BODY: List<Piece> = list![Piece::Id, literal("."), Piece::Timestamp, literal("."), Piece::Body];

/// HMAC with the key that `whsec_` stands before.
pub(super) const fn symmetric() -> Method {
    let key = KeyForm::Base64 { prefix: text("whsec_"), bytes_min: 24, bytes_max: 64 };
    method("v1,", Algorithm::HmacSha256, key, Encoding::Base64, ID_TIME_BODY)
}

/// Signatures of the public key that `whpk_` stands before.
const fn asymmetric() -> Method {
    let key = KeyForm::Base64 { prefix: text("whpk_"), bytes_min: 32, bytes_max: 32 };
    method("v1a,", Algorithm::Ed25519, key, Encoding::Base64, ID_TIME_BODY)
}

/// The headers of Standard Webhooks, its time and its id; what the type is differs.
pub(super) const fn wire(name: &'static str, methods: List<Method>) -> Scheme {
    in_list(name, "webhook-signature", ' ', methods).timed(clock(header("webhook-timestamp"), TimestampUnit::Seconds))
}

/// <https://www.standardwebhooks.com>, version 1.0.0.
pub(super) const STANDARD_WEBHOOKS: Preset = Preset::new(
    wire("standard-webhooks", list![symmetric(), asymmetric()])
        .named_by(naming![[json("type")]], naming![[header("webhook-id")]]),
    About {
        title: "Standard Webhooks",
        settings: "the sender's page for webhook endpoints: secrets begin with whsec_, public keys with whpk_",
        not_covered: "nothing of id, time and body",
        replay: "webhook-timestamp within 300 s, and webhook-id, both signed",
        notes: "Entries of unknown versions are skipped. Senders that still write svix- headers are the preset svix.",
        unconfirmed: &[],
    },
);

/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md>, which has senders show a token.
pub(super) const CLOUDEVENTS: Preset = Preset::new(
    in_header(
        "cloudevents",
        "Authorization",
        list![method("Bearer ", Algorithm::Token, KeyForm::Literal, Encoding::Plain, NOTHING)],
    )
    .named_by(naming![[header("ce-type")], [json("type")]], naming![[header("ce-id")], [json("id")]])
    .in_body(BodyForm::CloudEvents)
    .repeating(Repeats::ById),
    About {
        title: "CloudEvents 1.0, as headers, as JSON and in batches",
        settings: "wherever the sender keeps the access token that you choose; it is shown as Authorization: Bearer",
        not_covered: "everything: the token shows who sends, and signs nothing",
        replay: "source and id together for 7 days",
        notes: "Each event of a batch is an event of its own. For a sender that signs, write like: cloudevents with \
                its algorithm, header and content.",
        unconfirmed: &[],
    },
);

pub(super) const SVIX: Preset = Preset::new(
    in_list("svix", "svix-signature", ' ', list![symmetric(), asymmetric()])
        .timed(clock(header("svix-timestamp"), TimestampUnit::Seconds))
        .named_by(naming![[json("type")]], naming![[header("svix-id")]]),
    About {
        title: "Svix, and who sends through it: Clerk, Resend and others",
        settings: "the endpoint's page in the sender's webhook portal, Signing Secret (whsec_...)",
        not_covered: "nothing of id, time and body",
        replay: "svix-timestamp within 300 s, and svix-id, both signed",
        notes: "After a rotation the old secret signs for another 24 hours. \
                Deliveries with webhook- headers instead of svix- are the preset standard-webhooks.",
        unconfirmed: &[],
    },
);

pub(super) const OPENAI: Preset = Preset::new(
    wire("openai", list![symmetric()]).named_by(naming![[json("type")]], naming![[header("webhook-id")]]),
    About {
        title: "OpenAI",
        settings: "platform.openai.com, Settings, your project, Webhooks: the secret is shown once, at creation",
        not_covered: "nothing of id, time and body",
        replay: "webhook-timestamp within 300 s, and webhook-id, both signed",
        notes: "The secret has to begin with whsec_, as OpenAI issues it.",
        unconfirmed: &[],
    },
);

pub(super) const REPLICATE: Preset = Preset::new(
    wire("replicate", list![symmetric()]).named_by(naming![[json("status")]], naming![[header("webhook-id")]]),
    About {
        title: "Replicate",
        settings: "GET https://api.replicate.com/v1/webhooks/default/secret gives the secret; \
                   the URL is named in each prediction's webhook field",
        not_covered: "nothing of id, time and body",
        replay: "webhook-timestamp within 300 s, and webhook-id, both signed",
        notes: "The body is the prediction; its status is the event type.",
        unconfirmed: &["the event type is status"],
    },
);
