//! Messages by SMTP.

use std::net::IpAddr;
use std::time::Duration;

use hookbox_core::alert::Message;
use hookbox_core::config::Mail;
use hookbox_core::secret::Secret;
use lettre::message::header::ContentType;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as Sender, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::{Address, Message as Written};

use super::text;

/// Of what a server says to one address.
const ANSWER_CHARS_MAX: usize = 200;

/// So often a mail waits for a receiver who is refused for the moment: some ten minutes. Then the others get it.
const PATIENCE: u32 = 6;

pub(super) struct Letter {
    written: Written,
    is_patient: bool,
}

/// Addresses that the server does not take, each with its answer.
type Refused = Vec<String>;

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
        let written = letter.body(body);
        let is_patient = message.tries < PATIENCE;
        written
            .map(|written| Letter { written, is_patient })
            .map_err(|error| format!("the mail cannot be written: {error}"))
    }

    /// Blocks. Taken where one of its receivers is: then it tells which are not. TLS is a must but on loopback.
    pub(super) fn send(
        &self,
        mail: &Mail,
        password: Option<&Secret>,
        timeout: Duration,
    ) -> Result<Option<String>, String> {
        let mut connection = connect(mail, password, timeout).map_err(not_taken)?;
        let sent = self.hand_over(&mut connection);
        connection.abort();
        let refused = sent?;
        Ok((!refused.is_empty()).then(|| format!("some do not get it: {}", refused.join("; "))))
    }

    /// In one transaction, with its receivers named one by one: an address that is refused keeps it from nobody else.
    fn hand_over(&self, connection: &mut SmtpConnection) -> Result<Refused, String> {
        let (envelope, mut options) = (self.written.envelope(), Vec::new());
        let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        if !envelope.from().into_iter().chain(envelope.to()).all(is_ascii) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err("the mail was not taken: the server takes addresses in ASCII alone".to_owned());
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        connection.command(Sender::new(envelope.from().cloned(), options)).map_err(not_taken)?;
        let mut refused = Refused::new();
        for to in envelope.to() {
            if let Err(error) = connection.command(Rcpt::new(to.clone(), Vec::new())) {
                // Nobody has it yet: a later try sends it to nobody twice.
                if error.is_transient() && self.is_patient {
                    return Err(not_taken(error));
                }
                refused.push(of_receiver(to, error)?);
            }
        }
        if refused.len() == envelope.to().len() {
            return Err(format!("the mail was not taken: {}", refused.join("; ")));
        }
        connection.command(Data).map_err(not_taken)?;
        connection.message(&self.written.formatted()).map_err(not_taken)?;
        Ok(refused)
    }
}

/// As the answer to one receiver; without an answer the connection is of no more use.
fn of_receiver(to: &Address, error: Error) -> Result<String, String> {
    match error.status() {
        Some(_) => Ok(format!("{to}: {error}").chars().take(ANSWER_CHARS_MAX).collect()),
        None => Err(not_taken(error)),
    }
}

fn not_taken(error: Error) -> String {
    format!("the mail was not taken: {error}")
}

fn connect(mail: &Mail, password: Option<&Secret>, timeout: Duration) -> Result<SmtpConnection, Error> {
    let (at, hello) = ((mail.host.as_str(), mail.port), ClientId::default());
    let tls = match mail.tls || !is_loopback(&mail.host) {
        true => Some(TlsParameters::new(mail.host.clone())?),
        false => None,
    };
    let from_the_start = tls.as_ref().filter(|_| mail.tls);
    let mut connection = SmtpConnection::connect(at, Some(timeout), &hello, from_the_start, None)?;
    if let Some(tls) = tls.as_ref().filter(|_| !mail.tls) {
        connection.starttls(tls, &hello)?;
    }
    if let (Some((user, _)), Some(password)) = (&mail.login, password) {
        let password = String::from_utf8_lossy(password.expose()).into_owned();
        connection.auth(DEFAULT_MECHANISMS, &Credentials::new(user.clone(), password))?;
    }
    Ok(connection)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
