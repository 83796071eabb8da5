//! Where messages go.

use std::collections::BTreeSet;

use super::super::provider;
use super::super::reader::Section;
use super::super::source::SecretSource;
use crate::name::HandlerRef;

const ADDRESS_BYTES_MAX: usize = 254;
const RECEIVERS_MAX: usize = 32;
const HOST_BYTES_MAX: usize = 253;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// The URL of an incoming webhook, which is a secret.
    Slack(SecretSource),
    /// Any URL, with messages signed by Standard Webhooks.
    Webhook {
        url: String,
        secret: SecretSource,
    },
    Mail(Mail),
    /// A job for a handler.
    Handler(HandlerRef),
}

/// By SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    /// From the first byte; else by STARTTLS, except on loopback, where there is none.
    pub tls: bool,
    pub from: String,
    pub to: BTreeSet<String>,
    pub login: Option<(String, SecretSource)>,
}

impl Channel {
    pub fn kind(&self) -> &'static str {
        match self {
            Channel::Slack(_) => "slack",
            Channel::Webhook { .. } => "webhook",
            Channel::Mail(_) => "mail",
            Channel::Handler(_) => "handler",
        }
    }

    /// The place that its secret is in.
    pub fn source(&self) -> Option<&SecretSource> {
        match self {
            Channel::Slack(secret) | Channel::Webhook { secret, .. } => Some(secret),
            Channel::Mail(mail) => mail.login.as_ref().map(|(_, password)| password),
            Channel::Handler(_) => None,
        }
    }

    pub(super) fn read(mut section: Section<'_>) -> Option<Channel> {
        let place = section.place().clone();
        let slack = section.take("slack");
        let webhook = section.parsed("webhook", provider::url);
        let secret = section.take("secret");
        let mail = section.take("mail");
        let handler = section.parsed("handler", str::parse::<HandlerRef>);
        section.finish();
        let of_mail = mail.is_some();
        let mail = mail.map(|field| Mail::read(field.section()));
        let secret = secret.and_then(SecretSource::read);
        match (slack, webhook, mail, handler) {
            (Some(slack), None, None, None) => SecretSource::read(slack).map(Channel::Slack),
            (None, Some(url), None, None) => {
                if secret.is_none() {
                    place.wrong("secret is missing: write secret: { env: NAME } with what the receiver verifies by, whsec_ and base64");
                }
                Some(Channel::Webhook { url, secret: secret? })
            }
            (None, None, Some(mail), None) => mail.map(Channel::Mail),
            (None, None, None, Some(handler)) => Some(Channel::Handler(handler)),
            (None, None, None, None) if !of_mail => {
                place.wrong("must have one of slack: { env: NAME }, webhook: URL, mail: { server, from, to }, handler: PLUGIN/HANDLER");
                None
            }
            _ => {
                place.wrong("must have one of slack, webhook, mail and handler alone; make a channel of each");
                None
            }
        }
    }
}

impl Mail {
    fn read(mut section: Section<'_>) -> Option<Mail> {
        let server = section.required::<Server>("server", "such as smtps://mail.example.com or smtp://127.0.0.1:25");
        let from = section.required::<Address>("from", "an address, such as hookbox@example.com");
        let to = section.list("to", 1..=RECEIVERS_MAX);
        let place = section.place_of("to");
        let user = section.parsed("user", |text| match text.is_empty() {
            true => Err("must not be empty"),
            false => Ok(text.to_owned()),
        });
        let password = section.take("password").and_then(SecretSource::read);
        if user.is_some() != password.is_some() {
            section.place().wrong("user and password: give both, or none; the password as { env: NAME }");
        }
        section.finish();
        if to.is_none() {
            place.wrong("is missing; write a list of addresses, such as [ops@example.com]");
        }
        let to: BTreeSet<String> =
            to?.iter().filter_map(|field| field.parsed(str::parse::<Address>)).map(|a| a.0).collect();
        let Server { host, port, tls } = server?;
        Some(Mail { host, port, tls, from: from?.0, to, login: user.zip(password) })
    }
}

struct Server {
    host: String,
    port: u16,
    tls: bool,
}

impl std::str::FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Server, String> {
        let wrong =
            || format!("must be smtps://HOST, or smtp://HOST for STARTTLS, with or without :PORT, got {text:?}");
        let (rest, tls) = match (text.strip_prefix("smtps://"), text.strip_prefix("smtp://")) {
            (Some(rest), _) => (rest, true),
            (None, Some(rest)) => (rest, false),
            (None, None) => return Err(wrong()),
        };
        let usual = if tls { 465 } else { 587 };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (rest, usual),
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        match (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(allowed) {
            true => Ok(Server { host: host.to_owned(), port, tls }),
            false => Err(wrong()),
        }
    }
}

struct Address(String);

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        let whole = text.split_once('@').filter(|(name, host)| !name.is_empty() && host.contains(['.', 'l']));
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,;:\"()[]\\".contains(&byte));
        match whole.is_some() && plain && text.len() <= ADDRESS_BYTES_MAX {
            true => Ok(Address(text.to_owned())),
            false => Err(format!("must be an address, such as ops@example.com, got {text:?}")),
        }
    }
}
