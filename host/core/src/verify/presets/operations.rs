//! Those who watch over machines, and machines that talk.

use super::super::scheme::{Encoding, Piece, Place, TimestampUnit};
use super::build::{
    BODY, NO_ID, clock, constant, header, hmac_sha1, hmac_sha256, in_header, in_list, json, list, literal, naming,
    text, token,
};
use super::{About, Preset};

pub(super) const PAGERDUTY: Preset = Preset::new(
    in_list("pagerduty", "X-PagerDuty-Signature", ',', list![hmac_sha256("v1=", Encoding::Hex, BODY)])
        .named_by(naming![[json("event.event_type")]], naming![[json("event.id")]]),
    About {
        title: "PagerDuty, webhooks v3",
        settings: "Integrations, Generic Webhooks (v3), New Webhook: Webhook URL; the secret is shown once",
        not_covered: "X-Webhook-Id",
        replay: "no time is signed: event.id in the signed body is known for 7 days",
        notes: "PagerDuty's own library takes bodies of up to 2 MiB.",
        unconfirmed: &["X-Webhook-Id is the hook's or the delivery's id; it is not used"],
    },
);

pub(super) const SCALR: Preset = Preset::new(
    in_header("scalr", "X-Signature", list![hmac_sha1("", Encoding::Hex, list![Piece::Body, Piece::Timestamp])])
        .timed(clock(header("Date"), TimestampUnit::HttpDate))
        .named_by(naming![[json("eventName")]], naming![[json("eventId")]]),
    About {
        title: "Scalr",
        settings: "Webhooks, Endpoints: URL, and the signing key on the endpoint's page",
        not_covered: "nothing of Date and body",
        replay: "the signed header Date within 300 s, and eventId in the signed body",
        notes: "SHA-1 is all that Scalr offers.",
        unconfirmed: &["the event type is eventName, and the delivery id is eventId"],
    },
);

pub(super) const ELEVENLABS: Preset = Preset::new(
    in_list(
        "elevenlabs",
        "ElevenLabs-Signature",
        ',',
        list![hmac_sha256("v0=", Encoding::Hex, list![Piece::Timestamp, literal("."), Piece::Body])],
    )
    .timed(clock(Place::Entry(text("t=")), TimestampUnit::Seconds))
    .named_by(naming![[json("type")]], NO_ID),
    About {
        title: "ElevenLabs",
        settings: "elevenlabs.io/app, Settings, Webhooks, Create webhook: URL; the secret is shown once",
        not_covered: "nothing of time and body",
        replay: "the signed time t within 300 s, and the body for 10 minutes",
        notes: "",
        unconfirmed: &["the tolerance", "the event type is type"],
    },
);

pub(super) const DEEPGRAM: Preset = Preset::new(
    in_header("deepgram", "dg-token", list![token()])
        .named_by(naming![[constant("transcript")]], naming![[json("metadata.request_id")]]),
    About {
        title: "Deepgram, callbacks",
        settings: "the callback parameter of the request; the secret is the API Key Identifier of the key that made it",
        not_covered: "everything: the token is shown with each delivery and signs nothing",
        replay: "nothing stops who has seen the token; repetitions are known by id and body for 7 days",
        notes: "",
        unconfirmed: &["dg-token is the API Key Identifier", "the delivery id is metadata.request_id"],
    },
);
