//! Shops, customers and their questions.

use super::super::scheme::{Algorithm, Encoding, KeyForm, Piece, Repeats, TimestampUnit};
use super::build::{
    BODY, BODY_KNOWN, ID_KNOWN, NO_ID, clock, header, hmac_sha1, hmac_sha256, in_header, json, list, method, naming,
};
use super::{About, Preset};

pub(super) const SHOPIFY: Preset = Preset::new(
    in_header("shopify", "X-Shopify-Hmac-SHA256", list![hmac_sha256("", Encoding::Base64, BODY)])
        .named_by(naming![[header("X-Shopify-Topic")]], naming![[header("X-Shopify-Webhook-Id")]]),
    About {
        title: "Shopify",
        settings: "the app's page in the Dev Dashboard, Settings: Client secret; for webhooks made in a shop's \
                   admin, Settings, Notifications, Webhooks",
        not_covered: "X-Shopify-Topic, X-Shopify-Sub-Topic, X-Shopify-Shop-Domain, X-Shopify-Webhook-Id, \
                      X-Shopify-Event-Id and X-Shopify-Triggered-At",
        replay: BODY_KNOWN,
        notes: "Shopify waits 5 s. Test notifications sent by hand do not verify.",
        unconfirmed: &["how long Shopify retries: 8 times in 4 hours, or 19 times in 48"],
    },
);

/// An order that is made and changed at once has the same body in both events.
pub(super) const WOOCOMMERCE: Preset = Preset::new(
    in_header("woocommerce", "X-WC-Webhook-Signature", list![hmac_sha256("", Encoding::Base64, BODY)])
        .named_by(naming![[header("X-WC-Webhook-Topic")]], naming![[header("X-WC-Webhook-Delivery-ID")]])
        .repeating(Repeats::ById),
    About {
        title: "WooCommerce",
        settings: "WooCommerce, Settings, Advanced, Webhooks, Add webhook: Delivery URL and Secret",
        not_covered: "X-WC-Webhook-Topic and X-WC-Webhook-Delivery-ID",
        replay: ID_KNOWN,
        notes: "",
        unconfirmed: &[
            "the event type is X-WC-Webhook-Topic",
            "the delivery id is X-WC-Webhook-Delivery-ID",
            "the ping on saving a webhook is not signed, and refused",
        ],
    },
);

pub(super) const HUBSPOT_V3: Preset = Preset::new(
    in_header(
        "hubspot-v3",
        "X-HubSpot-Signature-v3",
        list![hmac_sha256("", Encoding::Base64, list![Piece::Method, Piece::Url, Piece::Body, Piece::Timestamp],)],
    )
    .timed(clock(header("X-HubSpot-Request-Timestamp"), TimestampUnit::Milliseconds))
    .named_by(naming![[json("[].subscriptionType")]], NO_ID),
    About {
        title: "HubSpot, signature v3",
        settings: "the developer account's app: Client secret under Auth, Target URL under Webhooks",
        not_covered: "nothing of method, URL, time and body",
        replay: "X-HubSpot-Request-Timestamp within 300 s, and the body for 10 minutes",
        notes: "Needs public_url. A delivery holds several events; where their types differ the type is batch. \
                The older signatures beside it are not read.",
        unconfirmed: &[
            "which escapes of the URL HubSpot decodes before it signs: keep public_url free of them",
            "the event type is subscriptionType of each event",
            "eventId of each event is unique; it is not used",
        ],
    },
);

/// SHA-256 of secret, method, URL and body.
pub(super) const HUBSPOT_V2: Preset = Preset::new(
    in_header(
        "hubspot-v2",
        "X-HubSpot-Signature",
        list![method(
            "",
            Algorithm::Sha256,
            KeyForm::Literal,
            Encoding::Hex,
            list![Piece::Secret, Piece::Method, Piece::Url, Piece::Body],
        )],
    )
    .named_by(naming![[json("[].subscriptionType")]], NO_ID),
    About {
        title: "HubSpot, signature v2",
        settings: "the developer account's app: Client secret under Auth, Target URL under Webhooks",
        not_covered: "nothing of method, URL and body",
        replay: "no time is signed: the body is known for 10 minutes",
        notes: "Needs public_url. Take hubspot-v3 where HubSpot sends it: this one is a plain hash. \
                X-HubSpot-Signature-Version is not read.",
        unconfirmed: &[
            "which escapes of the URL HubSpot decodes before it signs: keep public_url free of them",
            "the event type is subscriptionType of each event",
            "eventId of each event is unique; it is not used",
        ],
    },
);

/// SHA-256 of secret and body.
pub(super) const HUBSPOT_V1: Preset = Preset::new(
    in_header(
        "hubspot-v1",
        "X-HubSpot-Signature",
        list![method("", Algorithm::Sha256, KeyForm::Literal, Encoding::Hex, list![Piece::Secret, Piece::Body])],
    )
    .named_by(naming![[json("[].subscriptionType")]], NO_ID),
    About {
        title: "HubSpot, signature v1",
        settings: "the developer account's app: Client secret under Auth, Target URL under Webhooks",
        not_covered: "nothing of the body",
        replay: "no time is signed: the body is known for 10 minutes",
        notes: "Take hubspot-v3 where HubSpot sends it: this one is a plain hash, to which whoever has seen a \
                delivery can append. X-HubSpot-Signature-Version is not read.",
        unconfirmed: &[
            "the event type is subscriptionType of each event",
            "eventId of each event is unique; it is not used",
        ],
    },
);

pub(super) const ZENDESK: Preset = Preset::new(
    in_header(
        "zendesk",
        "X-Zendesk-Webhook-Signature",
        list![hmac_sha256("", Encoding::Base64, list![Piece::Timestamp, Piece::Body])],
    )
    .timed(clock(header("X-Zendesk-Webhook-Signature-Timestamp"), TimestampUnit::Rfc3339))
    .named_by(naming![[json("type")]], naming![[json("id")]]),
    About {
        title: "Zendesk",
        settings: "Admin Center, Apps and integrations, Webhooks: Endpoint URL; Reveal secret on its page",
        not_covered: "X-Zendesk-Webhook-Id",
        replay: "X-Zendesk-Webhook-Signature-Timestamp within 300 s, and id in the signed body",
        notes: "Zendesk waits 10 s, and stops for a while where 70 % of 5 minutes' deliveries or 1,000 of them \
                fail. Use POST: hooks of GET and DELETE have no body.",
        unconfirmed: &[
            "the order of the signed content: older pages have {body}{timestamp}",
            "the event type is type, and the delivery id is id, of hooks that subscribe to events",
            "X-Zendesk-Webhook-Id is the hook's id; it is not used",
        ],
    },
);

pub(super) const INTERCOM: Preset = Preset::new(
    in_header("intercom", "X-Hub-Signature", list![hmac_sha1("sha1=", Encoding::Hex, BODY)])
        .named_by(naming![[json("topic")]], naming![[json("id")]]),
    About {
        title: "Intercom",
        settings: "app.intercom.com/a/apps/_/developer-hub, the app: Client secret under Basic information, \
                   Endpoint URL under Webhooks",
        not_covered: "nothing of the body",
        replay: "no time is signed: id in the signed body is known for 7 days",
        notes: "SHA-1 is all that Intercom offers. Intercom waits 5 s.",
        unconfirmed: &["Intercom asks with HEAD whether the endpoint is there"],
    },
);

pub(super) const TYPEFORM: Preset = Preset::new(
    in_header("typeform", "Typeform-Signature", list![hmac_sha256("sha256=", Encoding::Base64, BODY)])
        .named_by(naming![[json("event_type")]], naming![[json("event_id")]]),
    About {
        title: "Typeform",
        settings: "the form's Connect, Webhooks, Add a webhook: Endpoint; Edit: Secret",
        not_covered: "nothing of the body",
        replay: "no time is signed: event_id in the signed body is known for 7 days",
        notes: "",
        unconfirmed: &[],
    },
);
