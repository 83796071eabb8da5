//! Services that pass on the events of others.

use super::super::scheme::{Encoding, Piece, Place, Repeats, TimestampUnit};
use super::build::{BODY, ID_KNOWN, clock, header, hmac_sha256, in_header, in_list, json, list, literal, naming, text};
use super::{About, Preset};

/// `v1` is looked at first, and `v0` only where there is none: a good `v0` beside a bad `v1` is a
/// downgrade. Bodies are those of the application behind Hook0.
pub(super) const HOOK0: Preset = Preset::new(
    in_list(
        "hook0",
        "X-Hook0-Signature",
        ',',
        list![
            hmac_sha256(
                "v1=",
                Encoding::Hex,
                list![
                    Piece::Timestamp,
                    literal("."),
                    Piece::Entry(text("h=")),
                    literal("."),
                    Piece::HeadersOf { entry: text("h="), separator: text(".") },
                    literal("."),
                    Piece::Body,
                ],
            ),
            hmac_sha256("v0=", Encoding::Hex, list![Piece::Timestamp, literal("."), Piece::Body]),
        ],
    )
    .timed(clock(Place::Entry(text("t=")), TimestampUnit::Seconds))
    .named_by(naming![[header("x-event-type")]], naming![[header("x-event-id")]])
    .repeating(Repeats::ById),
    About {
        title: "Hook0, and the Coinbase Developer Platform",
        settings: "the subscription's page or the answer to its creation: secret",
        not_covered: "x-event-type and x-event-id, unless the delivery has a v1 signature that lists them in h",
        replay: "the signed time t within 300 s, and x-event-id for 7 days",
        notes: "A delivery with a v1 signature is never judged by its v0. The platform's older \
                x-coinbase-signature is not read.",
        unconfirmed: &[],
    },
);

pub(super) const HOOKDECK: Preset = Preset::new(
    in_header("hookdeck", "x-hookdeck-signature", list![hmac_sha256("", Encoding::Base64, BODY)])
        .named_by(naming![[json("type")]], naming![[header("x-hookdeck-eventid")]])
        .repeating(Repeats::ById),
    About {
        title: "Hookdeck",
        settings: "dashboard.hookdeck.com, Settings, Project, Secrets: Signing secret; the URL is a destination's",
        not_covered: "x-hookdeck-eventid and what the sender behind Hookdeck put into headers",
        replay: ID_KNOWN,
        notes: "The body is that of the sender behind Hookdeck: where its type is elsewhere, write event_type.",
        unconfirmed: &[
            "the delivery id is x-hookdeck-eventid",
            "the event type is type",
            "during a rotation a second header has the other signature; it is not read, so have both secrets here",
        ],
    },
);

/// The list has one tag for all its signatures: `v0=a,b`. Bodies are those of the application behind Outpost.
pub(super) const OUTPOST: Preset = Preset::new(
    in_list("outpost", "x-outpost-signature", ',', list![hmac_sha256("v0=", Encoding::Hex, BODY)])
        .named_by(naming![[header("x-outpost-topic")]], naming![[header("x-outpost-event-id")]])
        .tagged_once()
        .repeating(Repeats::ById),
    About {
        title: "Outpost, by Hookdeck",
        settings: "the webhook destination's credentials in the tenant's portal: secret (whsec_...)",
        not_covered: "x-outpost-topic and x-outpost-event-id",
        replay: ID_KNOWN,
        notes: "The key is the whole secret, whsec_ included. After a rotation Outpost signs with \
                the old secret too, for a while.",
        unconfirmed: &["the event type is x-outpost-topic", "the delivery id is x-outpost-event-id"],
    },
);
