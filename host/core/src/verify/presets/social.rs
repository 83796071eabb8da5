//! Social networks.

use super::super::scheme::{Challenge, ChallengeReply, Encoding, Piece, Place, TimestampRule, TimestampUnit};
use super::build::{BODY, NO_ID, RECEIVED, header, hmac_sha256, in_header, json, list, naming, text};
use super::{About, Preset};
use crate::time::Millis;

pub(super) const META: Preset = Preset::new(
    in_header("meta", "X-Hub-Signature-256", list![hmac_sha256("sha256=", Encoding::Hex, BODY)])
        .named_by(naming![[json("object"), json("entry[].changes[].field")]], NO_ID)
        .challenged(Challenge::Echo {
            echo: text("hub.challenge"),
            verify: Some(text("hub.verify_token")),
            only: Some((text("hub.mode"), text("subscribe"))),
        })
        .answering(RECEIVED),
    About {
        title: "Meta: Facebook, Instagram, WhatsApp",
        settings: "developers.facebook.com/apps, the app: App secret under App settings, Basic; Callback URL and \
                   Verify token under Webhooks",
        not_covered: "nothing of the body",
        replay: "no time is signed: the body is known for 10 minutes",
        notes: "Needs a verify token beside the secret. What is signed is the body as sent, with its escaped \
                Unicode. X-Hub-Signature, which is SHA-1, is not read. A delivery holds several entries; \
                where their fields differ the last part of the type is batch.",
        unconfirmed: &["what identifies an entry: its id and time, and for WhatsApp the id of a message"],
    },
);

pub(super) const TWITTER: Preset = Preset::new(
    in_header("twitter", "X-Twitter-Webhooks-Signature", list![hmac_sha256("sha256=", Encoding::Base64, BODY)])
        .named_by(naming![[Place::MemberBeside(text("for_user_id"))]], NO_ID)
        .challenged(Challenge::Crc { token: text("crc_token") })
        .answering(RECEIVED),
    About {
        title: "X (Twitter), Account Activity API",
        settings: "developer.x.com, the app's Keys and tokens: API Key Secret (the consumer secret); \
                   the URL is registered through POST /2/webhooks",
        not_covered: "nothing of the body",
        replay: "no time is signed: the body is known for 10 minutes",
        notes: "X asks for the signature of a crc_token again and again; only tokens that no JSON body could be \
                are signed.",
        unconfirmed: &["the event type is the member beside for_user_id: tweet_create_events and so on"],
    },
);

/// The type comes from the signed body; the headers of type and kind are not signed.
pub(super) const TWITCH: Preset = Preset::new(
    in_header(
        "twitch",
        "Twitch-Eventsub-Message-Signature",
        list![hmac_sha256("sha256=", Encoding::Hex, list![Piece::Id, Piece::Timestamp, Piece::Body])],
    )
    .timed(TimestampRule {
        at: header("Twitch-Eventsub-Message-Timestamp"),
        unit: TimestampUnit::Rfc3339,
        tolerance: Millis(600_000),
    })
    .named_by(
        naming![[json("subscription.type")], [header("Twitch-Eventsub-Subscription-Type")]],
        naming![[header("Twitch-Eventsub-Message-Id")]],
    )
    .challenged(Challenge::Post {
        at: header("Twitch-Eventsub-Message-Type"),
        value: text("webhook_callback_verification"),
        reply: ChallengeReply::Echo(json("challenge")),
    })
    .answering(RECEIVED),
    About {
        title: "Twitch, EventSub",
        settings: "the transport of the request that creates a subscription: callback, and the secret that you choose",
        not_covered: "Twitch-Eventsub-Message-Type, Twitch-Eventsub-Message-Retry and \
                      Twitch-Eventsub-Subscription-Type, which counts only where the body names no type",
        replay: "Twitch-Eventsub-Message-Timestamp within 600 s, and Twitch-Eventsub-Message-Id, both signed",
        notes: "A revocation has the type of what is revoked; subscription.status in the body tells it.",
        unconfirmed: &["the tolerance of 10 minutes", "the signed body names the type in subscription.type"],
    },
);
