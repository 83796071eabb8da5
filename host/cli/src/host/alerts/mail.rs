//! Messages by SMTP.

use std::net::IpAddr;
use std::time::Duration;

use hookbox_core::alert::Message;
use hookbox_core::config::Mail;
use hookbox_core::secret::Secret;
use lettre::message::header::ContentType;
use lettre::transport::smtp::SmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{Message as Written, Transport};

use super::text;

pub(super) struct Letter(Written);

impl Letter {
    pub(super) fn new(mail: &Mail, message: &Message) -> Result<Letter, String> {
        let unreadable = |_| "an address of the channel does not read".to_owned();
        let mut letter = Written::builder()
            .from(mail.from.parse().map_err(unreadable)?)
            .subject(text::subject(message))
            .message_id(Some(format!("<{}@{}>", message.id, mail.from.rsplit('@').next().unwrap_or("hookbox"))))
            .header(ContentType::TEXT_PLAIN);
        for to in &mail.to {
            letter = letter.to(to.parse().map_err(unreadable)?);
        }
        let body = format!("{}\r\n", text::lines(message).join("\r\n"));
        letter.body(body).map(Letter).map_err(|error| format!("the mail cannot be written: {error}"))
    }

    /// Blocks. TLS is a must but on loopback.
    pub(super) fn send(&self, mail: &Mail, password: Option<&Secret>, timeout: Duration) -> Result<(), String> {
        let told = |error: lettre::transport::smtp::Error| format!("the mail was not taken: {error}");
        let transport = match (mail.tls, is_loopback(&mail.host)) {
            (true, _) => SmtpTransport::relay(&mail.host).map_err(told)?,
            (false, true) => SmtpTransport::builder_dangerous(&mail.host),
            (false, false) => SmtpTransport::starttls_relay(&mail.host).map_err(told)?,
        };
        let mut transport = transport.port(mail.port).timeout(Some(timeout));
        if let (Some((user, _)), Some(password)) = (&mail.login, password) {
            let password = String::from_utf8_lossy(password.expose()).into_owned();
            transport = transport.credentials(Credentials::new(user.clone(), password));
        }
        transport.build().send(&self.0).map(|_| ()).map_err(told)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
