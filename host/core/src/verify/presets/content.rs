//! Files, pages, and where they are worked on and served.

use super::super::scheme::{BodyForm, Challenge, Encoding, Piece, Place, Repeats, TimestampRule, TimestampUnit};
use super::build::{
    BODY, NO_ID, answer, clock, constant, header, hmac_sha1, hmac_sha256, in_header, in_list, json, json_piece, list,
    literal, naming, signed_at, text,
};
use super::{About, Preset};
use crate::time::Millis;

/// A notification says that something changed, not what: two that are alike are both meant.
pub(super) const DROPBOX: Preset = Preset::new(
    in_header("dropbox", "X-Dropbox-Signature", list![hmac_sha256("", Encoding::Hex, BODY)])
        .named_by(naming![[constant("notification")]], NO_ID)
        .repeating(Repeats::Never)
        .challenged(Challenge::Echo { echo: text("challenge"), verify: None, only: None }),
    About {
        title: "Dropbox",
        settings: "dropbox.com/developers/apps, the app's Settings: App secret, and Webhook URIs",
        not_covered: "nothing of the body",
        replay: "nothing: a notification only makes the plugin look what changed",
        notes: "The body names accounts, not changes. Dropbox waits 10 s and retries for about 10 minutes.",
        unconfirmed: &[],
    },
);

/// A signed time alone would let in two requests of one second as one, so the request is in the id.
pub(super) const DROPBOX_SIGN: Preset = Preset::new(
    signed_at(
        "dropbox-sign",
        json("event.event_hash"),
        None,
        list![hmac_sha256("", Encoding::Hex, list![json_piece("event.event_time"), json_piece("event.event_type")])],
    )
    .named_by(
        naming![[json("event.event_type")]],
        naming![[json("event.event_hash"), json("signature_request.signature_request_id")]],
    )
    .in_body(BodyForm::FormField { field: text("json") })
    .answering(answer("text/plain", "Hello API Event Received")),
    About {
        title: "Dropbox Sign (HelloSign)",
        settings: "app.hellosign.com/home/myAccount, API: API key, and Account callback or the app's Event callback",
        not_covered: "everything but event.event_time and event.event_type",
        replay: "event_hash and the body are known for 7 days; no time is checked, as retries keep event_time",
        notes: "The secret is the API key. The body is a form whose field json holds the event.",
        unconfirmed: &["retries keep event_time", "the delivery id is event_hash and signature_request_id"],
    },
);

pub(super) const DOCUSIGN: Preset = Preset::new(
    signed_at(
        "docusign",
        Place::Numbered(text("X-DocuSign-Signature")),
        None,
        list![hmac_sha256("", Encoding::Base64, BODY)],
    )
    .named_by(naming![[json("event")]], naming![[json("generatedDateTime"), json("data.envelopeId"), json("event")]]),
    About {
        title: "DocuSign Connect",
        settings: "Admin, Connect: URL to publish and Include HMAC Signature; the keys under Connect Keys",
        not_covered: "x-authorization-digest, which is not read: the hash is SHA-256",
        replay: "no time is checked: generatedDateTime, envelope and event are known for 7 days",
        notes: "The key is the secret as shown, with its trailing =, not decoded. Each of several keys signs in a \
                header of its own. Choose JSON: type and id of XML are not read.",
        unconfirmed: &["the delivery id is generatedDateTime, data.envelopeId and event"],
    },
);

pub(super) const NOTION: Preset = Preset::new(
    in_header("notion", "X-Notion-Signature", list![hmac_sha256("sha256=", Encoding::Hex, BODY)])
        .named_by(naming![[json("type")]], naming![[json("id")]])
        .challenged(Challenge::Pair { member: text("verification_token") }),
    About {
        title: "Notion",
        settings: "notion.so/profile/integrations, the integration's Webhooks, Create a subscription: URL; \
                   then `hookbox providers pair NAME`, and Verify with the token it shows",
        not_covered: "nothing of the body",
        replay: "no time is signed: id in the signed body is known for 7 days",
        notes: "The secret is the verification_token that Notion posts once, unsigned: it is taken only while \
                the operator pairs.",
        unconfirmed: &[],
    },
);

pub(super) const VERCEL: Preset = Preset::new(
    in_header("vercel", "x-vercel-signature", list![hmac_sha1("", Encoding::Hex, BODY)])
        .named_by(naming![[json("type")]], naming![[json("id")]]),
    About {
        title: "Vercel",
        settings: "the team's Settings, Webhooks, Create Webhook: Endpoint URL; the secret is shown once",
        not_covered: "nothing of the body",
        replay: "no time is signed: id in the signed body is known for 7 days",
        notes: "SHA-1 is all that Vercel offers. An integration's webhooks are signed with its client secret.",
        unconfirmed: &["the event type is type, and the delivery id is id"],
    },
);

pub(super) const WEBFLOW: Preset = Preset::new(
    in_header(
        "webflow",
        "x-webflow-signature",
        list![hmac_sha256("", Encoding::Hex, list![Piece::Timestamp, literal(":"), Piece::Body])],
    )
    .timed(clock(header("x-webflow-timestamp"), TimestampUnit::Milliseconds))
    .named_by(naming![[json("triggerType")]], NO_ID),
    About {
        title: "Webflow",
        settings: "the site's Settings, Apps & integrations, Webhooks: URL and secret; webhooks made through the API \
                   are signed with the app's client secret",
        not_covered: "nothing of time and body",
        replay: "x-webflow-timestamp within 300 s, and the body for 10 minutes",
        notes: "",
        unconfirmed: &["the time is in x-webflow-timestamp", "the event type is triggerType"],
    },
);

pub(super) const WORKOS: Preset = Preset::new(
    in_list(
        "workos",
        "WorkOS-Signature",
        ',',
        list![hmac_sha256("v1=", Encoding::Hex, list![Piece::Timestamp, literal("."), Piece::Body])],
    )
    .timed(TimestampRule {
        at: Place::Entry(text("t=")),
        unit: TimestampUnit::Milliseconds,
        tolerance: Millis(180_000),
    })
    .named_by(naming![[json("event")]], naming![[json("id")]]),
    About {
        title: "WorkOS",
        settings: "dashboard.workos.com, Webhooks, the endpoint's page: Signing secret",
        not_covered: "nothing of time and body",
        replay: "the signed time t within 180 s, and id in the signed body",
        notes: "",
        unconfirmed: &["the header's name is WorkOS-Signature", "the event type is event, and the delivery id is id"],
    },
);
