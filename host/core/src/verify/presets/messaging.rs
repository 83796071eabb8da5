//! Chat, calls and meetings.

use super::super::scheme::{
    Algorithm, Answer, BodyForm, Challenge, ChallengeReply, Encoding, KeyForm, List, Method, Piece, Place, Scheme,
    TimestampUnit,
};
use super::build::{
    BODY, NO_ID, RECEIVED, answer, clock, form, header, hmac_sha1, hmac_sha256, in_header, json, list, literal, method,
    naming, text, token,
};
use super::{About, Preset};

/// `v0:TIME:BODY`, of Slack and Zoom.
const VERSION_TIME_BODY: List<Piece> = list![literal("v0:"), Piece::Timestamp, literal(":"), Piece::Body];

/// Slack shows the body of the answer to a slash command, so it is empty.
pub(super) const SLACK: Preset = Preset::new(
    in_header("slack", "X-Slack-Signature", list![hmac_sha256("v0=", Encoding::Hex, VERSION_TIME_BODY)])
        .timed(clock(header("X-Slack-Request-Timestamp"), TimestampUnit::Seconds))
        .named_by(
            naming![[json("event.type")], [json("type")], [form("command")]],
            naming![[json("event_id")], [json("trigger_id")], [form("trigger_id")]],
        )
        .in_body(BodyForm::JsonOrForm { field: text("payload") })
        .challenged(Challenge::Post {
            at: json("type"),
            value: text("url_verification"),
            reply: ChallengeReply::Echo(json("challenge")),
        })
        .answering(RECEIVED),
    About {
        title: "Slack: events, slash commands, interactivity",
        settings: "api.slack.com/apps, the app's Basic Information: Signing Secret; URLs under Event Subscriptions, \
                   Slash Commands and Interactivity",
        not_covered: "X-Slack-Retry-Num and X-Slack-Retry-Reason",
        replay: "X-Slack-Request-Timestamp within 300 s, and event_id or trigger_id in the signed body",
        notes: "The type of a slash command is the command: slack//weather. Slack waits 3 s.",
        unconfirmed: &["X-Slack-No-Retry: 1 in an answer stops retries; it is not sent"],
    },
);

const fn discord(name: &'static str) -> Scheme {
    in_header(name, "X-Signature-Ed25519", list![discord_method()])
        .timed(clock(header("X-Signature-Timestamp"), TimestampUnit::Seconds))
}

const fn discord_method() -> Method {
    let key = KeyForm::Hex { prefix: text(""), bytes_min: 32, bytes_max: 32 };
    method("", Algorithm::Ed25519, key, Encoding::Hex, list![Piece::Timestamp, Piece::Body])
}

/// The answer puts off the real one: `{"type":5}` fits commands, components and modals alike.
pub(super) const DISCORD: Preset = Preset::new(
    discord("discord")
        .named_by(naming![[json("type")]], naming![[json("id")]])
        .challenged(Challenge::Post {
            at: json("type"),
            value: text("1"),
            reply: ChallengeReply::Fixed(answer("application/json", r#"{"type":1}"#)),
        })
        .answering(answer("application/json", r#"{"type":5}"#)),
    About {
        title: "Discord, interactions",
        settings: "discord.com/developers/applications, General Information: Public Key and \
                   Interactions Endpoint URL",
        not_covered: "nothing of time and body",
        replay: "X-Signature-Timestamp within 300 s, and id in the signed body",
        notes: "The secret is the application's public key in hex. The event type is the interaction's number: \
                2 for a command, 3 for a component, 5 for a modal. Discord shows that the bot thinks until the \
                plugin edits the response. Autocompletion, type 4, cannot be put off: do not offer it. \
                Discord probes with bad signatures and wants them refused.",
        unconfirmed: &[],
    },
);

pub(super) const DISCORD_EVENTS: Preset = Preset::new(
    discord("discord-events")
        .named_by(naming![[json("event.type")]], NO_ID)
        .challenged(Challenge::Post { at: json("type"), value: text("0"), reply: ChallengeReply::Fixed(NO_CONTENT) })
        .answering(NO_CONTENT),
    About {
        title: "Discord, webhook events",
        settings: "discord.com/developers/applications: Public Key under General Information, Endpoint URL \
                   under Webhooks",
        not_covered: "nothing of time and body",
        replay: "X-Signature-Timestamp within 300 s, and the body for 10 minutes",
        notes: "The secret is the application's public key in hex.",
        unconfirmed: &["the body has no id of the delivery"],
    },
);

const NO_CONTENT: Answer = Answer::Fixed { status: 204, content_type: text("text/plain"), body: text("") };

pub(super) const TELEGRAM: Preset = Preset::new(
    in_header("telegram", "X-Telegram-Bot-Api-Secret-Token", list![token()])
        .named_by(naming![[Place::MemberBeside(text("update_id"))]], naming![[json("update_id")]]),
    About {
        title: "Telegram, Bot API",
        settings: "call setWebhook with url and with a secret_token of your own: 1 to 256 of A-Z, a-z, 0-9, _ and -",
        not_covered: "everything: the token is shown with each delivery and signs nothing",
        replay: "nothing stops who has seen the token; repetitions are known by update_id for 7 days",
        notes: "The event type is the member beside update_id: message, callback_query and so on.",
        unconfirmed: &["Telegram reaches the ports 443, 80, 88 and 8443 alone"],
    },
);

pub(super) const LINE: Preset = Preset::new(
    in_header("line", "X-Line-Signature", list![hmac_sha256("", Encoding::Base64, BODY)])
        .named_by(naming![[json("events[].type")]], NO_ID)
        .answering(RECEIVED),
    About {
        title: "LINE, Messaging API",
        settings: "developers.line.biz/console, the channel: Channel secret under Basic settings, Webhook URL \
                   under Messaging API",
        not_covered: "nothing of the body",
        replay: "no time is signed: the body is known for 10 minutes",
        notes: "A delivery holds several events, each with a webhookEventId of its own; \
                deliveryContext.isRedelivery tells that one was sent before.",
        unconfirmed: &[],
    },
);

pub(super) const ZOOM: Preset = Preset::new(
    in_header("zoom", "x-zm-signature", list![hmac_sha256("v0=", Encoding::Hex, VERSION_TIME_BODY)])
        .timed(clock(header("x-zm-request-timestamp"), TimestampUnit::Seconds))
        .named_by(naming![[json("event")]], NO_ID)
        .challenged(Challenge::Post {
            at: json("event"),
            value: text("endpoint.url_validation"),
            reply: ChallengeReply::Hmac(json("payload.plainToken")),
        })
        .answering(RECEIVED),
    About {
        title: "Zoom",
        settings: "marketplace.zoom.us, Manage, the app's Features, Access: Secret Token and \
                   Event notification endpoint URL",
        not_covered: "nothing of time and body",
        replay: "x-zm-request-timestamp within 300 s, and the body for 10 minutes",
        notes: "Zoom asks for the endpoint's answer again every 72 hours.",
        unconfirmed: &["the tolerance: Zoom's sample checks none"],
    },
);

/// A call asks several times under one CallSid and CallStatus, so these make no id.
pub(super) const TWILIO: Preset = Preset::new(
    in_header(
        "twilio",
        "X-Twilio-Signature",
        list![hmac_sha1("", Encoding::Base64, list![Piece::Url, Piece::SortedForm])],
    )
    .hashing_body_in("bodySHA256")
    .named_by(
        naming![[form("MessageStatus")], [form("SmsStatus")], [form("CallStatus")], [json("type")]],
        naming![
            [header("I-Twilio-Idempotency-Token")],
            [form("MessageSid"), form("MessageStatus")],
            [form("SmsSid"), form("SmsStatus")],
        ],
    )
    .answering(answer("text/xml", "<Response/>")),
    About {
        title: "Twilio",
        settings: "console.twilio.com, Account Info: Auth Token; the URL under Phone Numbers or as StatusCallback",
        not_covered: "I-Twilio-Idempotency-Token",
        replay: "no time is signed: ids and bodies are known for up to 7 days",
        notes: "Needs public_url. SHA-1 is all that Twilio offers. A body that is no form is signed through \
                bodySHA256 in the URL.",
        unconfirmed: &["the delivery id is I-Twilio-Idempotency-Token; without it, MessageSid and the status are"],
    },
);
