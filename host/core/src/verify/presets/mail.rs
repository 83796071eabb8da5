//! Senders of mail.

use super::super::scheme::{Algorithm, Encoding, KeyForm, Piece, TimestampUnit};
use super::build::{
    NO_ID, RECEIVED, basic, clock, form, header, hmac_sha256, in_header, json, json_piece, list, method, naming,
    signed_at, text,
};
use super::{About, Preset};

pub(super) const SENDGRID_ECDSA: Preset = Preset::new(
    in_header(
        "sendgrid-ecdsa",
        "X-Twilio-Email-Event-Webhook-Signature",
        list![method(
            "",
            Algorithm::EcdsaP256,
            // Of a P-256 key the DER SPKI has this length exactly.
            KeyForm::Base64 { prefix: text(""), bytes_min: 91, bytes_max: 91 },
            Encoding::Base64,
            list![Piece::Timestamp, Piece::Body],
        )],
    )
    .timed(clock(header("X-Twilio-Email-Event-Webhook-Timestamp"), TimestampUnit::Seconds))
    .named_by(naming![[json("[].event")]], NO_ID),
    About {
        title: "SendGrid, Event Webhook",
        settings: "app.sendgrid.com, Settings, Mail Settings, Event Webhooks: Post URL, and under \
                   Security features Enable Signed Event Webhook: Verification Key",
        not_covered: "nothing of time and body",
        replay: "X-Twilio-Email-Event-Webhook-Timestamp within 300 s, and the body for 10 minutes",
        notes: "The secret is the verification key, a public key in base64. A delivery holds several events, \
                each with an sg_event_id of its own; where their types differ the type is batch. \
                The tolerance is ours: SendGrid's library checks none.",
        unconfirmed: &[],
    },
);

/// The signed token is the id: it is for one use, and an event's own id is not signed.
pub(super) const MAILGUN: Preset = Preset::new(
    signed_at(
        "mailgun",
        json("signature.signature"),
        None,
        list![hmac_sha256("", Encoding::Hex, list![json_piece("signature.timestamp"), json_piece("signature.token")],)],
    )
    .timed(clock(json("signature.timestamp"), TimestampUnit::Seconds))
    .named_by(naming![[json("event-data.event")]], naming![[json("signature.token")]])
    .answering(RECEIVED),
    About {
        title: "Mailgun",
        settings: "app.mailgun.com, Sending, Webhooks: URL and HTTP webhook signing key",
        not_covered: "the event: only signature.timestamp and signature.token are signed",
        replay: "signature.timestamp within 300 s, and signature.token, which is for one use",
        notes: "parent-signature, of subaccounts, is not read. event-data.id is the event's own id; \
                it is not signed.",
        unconfirmed: &["the event type is event-data.event", "the event's own id is event-data.id"],
    },
);

pub(super) const MAILGUN_FORM: Preset = Preset::new(
    signed_at(
        "mailgun-form",
        form("signature"),
        None,
        list![hmac_sha256("", Encoding::Hex, list![Piece::Form(text("timestamp")), Piece::Form(text("token"))])],
    )
    .timed(clock(form("timestamp"), TimestampUnit::Seconds))
    .named_by(naming![[form("event")]], naming![[form("token")]])
    .answering(RECEIVED),
    About {
        title: "Mailgun, forms: inbound routes and legacy webhooks",
        settings: "app.mailgun.com, Receiving, Create route, Forward: URL; the key is the HTTP webhook signing key \
                   under Sending, Webhooks",
        not_covered: "the event: only timestamp and token are signed",
        replay: "timestamp within 300 s, and token, which is for one use",
        notes: "",
        unconfirmed: &["the event type is the field event; inbound mail has none"],
    },
);

pub(super) const POSTMARK: Preset = Preset::new(
    in_header("postmark", "Authorization", list![basic()]).named_by(naming![[json("RecordType")]], NO_ID),
    About {
        title: "Postmark",
        settings: "account.postmarkapp.com, the server's message stream, Webhooks, Add webhook: URL and Basic auth",
        not_covered: "everything: the password is shown with each delivery and signs nothing",
        replay: "nothing stops who has seen the password; repetitions are known by their body",
        notes: "The secret is user:password.",
        unconfirmed: &["the event type is RecordType; inbound mail has none"],
    },
);
