//! Senders that move money.

use super::super::scheme::{Algorithm, Encoding, KeyForm, List, Piece, Place, TimestampUnit};
use super::build::{
    BODY, BODY_KNOWN, answer, basic, clock, header, hmac_sha256, in_header, in_list, json, json_piece, list, literal,
    method, naming, signed_at, text,
};
use super::{About, Preset};

pub(super) const STRIPE: Preset = Preset::new(
    in_list(
        "stripe",
        "Stripe-Signature",
        ',',
        list![hmac_sha256("v1=", Encoding::Hex, list![Piece::Timestamp, literal("."), Piece::Body])],
    )
    .timed(clock(Place::Entry(text("t=")), TimestampUnit::Seconds))
    .named_by(naming![[json("type")]], naming![[json("id")]]),
    About {
        title: "Stripe",
        settings: "dashboard.stripe.com/webhooks, the endpoint's page: Signing secret (whsec_...)",
        not_covered: "nothing of time and body",
        replay: "the signed time t within 300 s, and id in the signed body",
        notes: "The key is the whole secret, whsec_ included. Entries of v0, a scheme for tests, are skipped. \
                While a secret is rolled, Stripe signs with both.",
        unconfirmed: &["a rolled secret lives for up to 24 hours"],
    },
);

pub(super) const SQUARE: Preset = Preset::new(
    in_header(
        "square",
        "x-square-hmacsha256-signature",
        list![hmac_sha256("", Encoding::Base64, list![Piece::Url, Piece::Body])],
    )
    .named_by(naming![[json("type")]], naming![[json("event_id")]]),
    About {
        title: "Square",
        settings: "developer.squareup.com, the application's Webhooks, Subscriptions: URL and Signature Key",
        not_covered: "nothing of URL and body",
        replay: "no time is signed: event_id in the signed body is known for 7 days",
        notes: "Needs public_url, exactly as entered at Square. x-square-signature, which is SHA-1, is not read. \
                Square waits 10 s and retries for up to 72 hours.",
        unconfirmed: &[],
    },
);

pub(super) const PADDLE: Preset = Preset::new(
    in_list(
        "paddle",
        "Paddle-Signature",
        ';',
        list![hmac_sha256("h1=", Encoding::Hex, list![Piece::Timestamp, literal(":"), Piece::Body])],
    )
    .timed(clock(Place::Entry(text("ts=")), TimestampUnit::Seconds))
    .named_by(naming![[json("event_type")]], naming![[json("event_id")]]),
    About {
        title: "Paddle Billing",
        settings: "Developer tools, Notifications, Edit destination: Secret key (pdl_ntfset_...)",
        not_covered: "nothing of time and body",
        replay: "the signed time ts within 300 s, and event_id in the signed body",
        notes: "Paddle's own libraries allow 5 s; set tolerance: 5s to be as strict.",
        unconfirmed: &[],
    },
);

/// Adyen's keys are 32 bytes; longer ones do no harm.
const fn adyen_key() -> KeyForm {
    KeyForm::Hex { prefix: text(""), bytes_min: 32, bytes_max: 64 }
}

/// A field that is not there stands empty between its colons; nothing is escaped.
const ADYEN_FIELDS: List<Piece> = list![
    json_piece("pspReference"),
    literal(":"),
    json_piece("originalReference"),
    literal(":"),
    json_piece("merchantAccountCode"),
    literal(":"),
    json_piece("merchantReference"),
    literal(":"),
    json_piece("amount.value"),
    literal(":"),
    json_piece("amount.currency"),
    literal(":"),
    json_piece("eventCode"),
    literal(":"),
    json_piece("success"),
];

pub(super) const ADYEN_ITEM: Preset = Preset::new(
    signed_at(
        "adyen-item",
        json("additionalData.hmacSignature"),
        None,
        list![method("", Algorithm::HmacSha256, adyen_key(), Encoding::Base64, ADYEN_FIELDS)],
    )
    .per("notificationItems[].NotificationRequestItem")
    .named_by(
        naming![[json("notificationItems[].NotificationRequestItem.eventCode")]],
        naming![[
            json("notificationItems[].NotificationRequestItem.pspReference"),
            json("notificationItems[].NotificationRequestItem.eventCode"),
            json("notificationItems[].NotificationRequestItem.success"),
        ]],
    )
    .answering(answer("text/plain", "[accepted]")),
    About {
        title: "Adyen, standard webhooks",
        settings: "Customer Area, Developers, Webhooks, Standard webhook: URL, and Generate under HMAC key",
        not_covered: "everything but pspReference, originalReference, merchantAccountCode, merchantReference, \
                      amount, eventCode and success",
        replay: "no time is signed: pspReference, eventCode and success are known for 7 days",
        notes: "Adyen advises basic auth on top. Keep the old key for a while after a new one is generated: \
                deliveries that wait are still signed with it.",
        unconfirmed: &[],
    },
);

pub(super) const ADYEN_HEADER: Preset = Preset::new(
    in_header(
        "adyen-header",
        "HmacSignature",
        list![method("", Algorithm::HmacSha256, adyen_key(), Encoding::Base64, BODY)],
    )
    .named_by(naming![[json("type")]], naming![])
    .answering(answer("text/plain", "[accepted]")),
    About {
        title: "Adyen, platform, banking and management webhooks",
        settings: "Customer Area, Developers, Webhooks, the webhook's page: URL, and Generate under HMAC key",
        not_covered: "nothing of the body",
        replay: "no time is signed and no id is documented: the body is known for 10 minutes",
        notes: "",
        unconfirmed: &["the header's name is HmacSignature", "the event type is type"],
    },
);

pub(super) const RAZORPAY: Preset = Preset::new(
    in_header("razorpay", "X-Razorpay-Signature", list![hmac_sha256("", Encoding::Hex, BODY)])
        .named_by(naming![[json("event")]], naming![[header("x-razorpay-event-id")]]),
    About {
        title: "Razorpay",
        settings: "Dashboard, Account & Settings, Webhooks, Add New Webhook: URL and Secret",
        not_covered: "x-razorpay-event-id",
        replay: BODY_KNOWN,
        notes: "",
        unconfirmed: &["the delivery id is x-razorpay-event-id"],
    },
);

pub(super) const CHARGEBEE: Preset = Preset::new(
    in_header("chargebee", "Authorization", list![basic()])
        .named_by(naming![[json("event_type")]], naming![[json("id")]]),
    About {
        title: "Chargebee",
        settings: "Settings, Configure Chargebee, Webhooks: URL, and Protect webhook URL with basic authentication",
        not_covered: "everything: the password is shown with each delivery and signs nothing",
        replay: "nothing stops who has seen the password; repetitions are known by id for 7 days",
        notes: "The secret is user:password.",
        unconfirmed: &["the event type is event_type", "the delivery id is id"],
    },
);

pub(super) const COINBASE_COMMERCE: Preset = Preset::new(
    in_header("coinbase-commerce", "X-CC-Webhook-Signature", list![hmac_sha256("", Encoding::Hex, BODY)])
        .named_by(naming![[json("event.type")]], naming![[json("event.id")]]),
    About {
        title: "Coinbase Commerce (legacy)",
        settings: "Commerce, Settings, Notifications: Webhook subscriptions, Show shared secret",
        not_covered: "nothing of the body",
        replay: "no time is signed: event.id in the signed body is known for 7 days",
        notes: "The Coinbase Developer Platform signs as the preset hook0 does.",
        unconfirmed: &[],
    },
);
