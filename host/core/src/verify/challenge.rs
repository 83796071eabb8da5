//! How senders make sure that the host is their customer's. Nothing that a stranger chose is signed
//! or sent back unless it is a plain word.

use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::delivery::{Delivery, Document};
use super::key::State;
use super::scheme::{Answer, Challenge, ChallengeReply, Place};
use super::{Refusal, Verifier};

/// Longest word that is signed, or sent back to a stranger.
const WORD_BYTES_MAX: usize = 128;
/// Longest text that is sent back to a verified sender.
const ECHO_BYTES_MAX: usize = 1024;

/// What is answered in place of the receipt. It is sent with `X-Content-Type-Options: nosniff`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Reply {
    fn text(body: String) -> Reply {
        Reply { status: 200, content_type: "text/plain; charset=utf-8".to_owned(), body: body.into_bytes() }
    }

    fn json(body: String) -> Reply {
        Reply { status: 200, content_type: "application/json".to_owned(), body: body.into_bytes() }
    }
}

impl Answer {
    /// `None` for the host's own receipt.
    pub(super) fn reply(&self) -> Option<Reply> {
        match self {
            Answer::Receipt => None,
            Answer::Fixed { status, content_type, body } => {
                Some(Reply { status: *status, content_type: content_type.to_string(), body: body.as_bytes().to_vec() })
            }
        }
    }
}

impl Verifier {
    /// The answer to a GET that is a challenge: `NoChallenge` for a scheme without one, and for
    /// a GET that asks something else. What is to be signed is signed with the first secret.
    pub fn challenge(&self, delivery: &Delivery<'_>) -> Result<Reply, Refusal> {
        self.challenge_under(0, delivery)
    }

    /// The same with the secret at that position.
    pub(super) fn challenge_under(&self, secret: usize, delivery: &Delivery<'_>) -> Result<Reply, Refusal> {
        match &self.scheme.challenge {
            Some(Challenge::Echo { echo, verify, only }) => {
                if let Some((parameter, value)) = only
                    && delivery.query(parameter).as_deref() != Some(value.as_ref())
                {
                    return Err(Refusal::NoChallenge);
                }
                if let Some(parameter) = verify {
                    self.check_verify_token(delivery, parameter)?;
                }
                Ok(Reply::text(word(delivery.query(echo).as_deref())?))
            }
            Some(Challenge::Crc { token }) => {
                let token = word(delivery.query(token).as_deref())?;
                let keyed =
                    self.keys.get(secret).and_then(|key| hmac_sha256(key.states.first().map(|(_, state)| state)));
                let signature = keyed.and_then(|state| state.sign(&[token.as_bytes().into()]));
                let signature = BASE64_STANDARD.encode(signature.ok_or(Refusal::NoChallenge)?);
                Ok(Reply::json(format!(r#"{{"response_token":"sha256={signature}"}}"#)))
            }
            _ => Err(Refusal::NoChallenge),
        }
    }

    fn check_verify_token(&self, delivery: &Delivery<'_>, parameter: &str) -> Result<(), Refusal> {
        let token = self.verify_token.as_ref().ok_or(Refusal::NoVerifyToken)?;
        let shown = delivery.query(parameter).unwrap_or_default();
        // Hashes are of one length, so that the comparison tells nothing.
        let fits = Sha256::digest(shown.as_bytes()).ct_eq(&Sha256::digest(token.expose()));
        if bool::from(fits) { Ok(()) } else { Err(Refusal::WrongVerifyToken) }
    }

    /// The answer to a POST that is a challenge, once it is verified under the key of `state`.
    pub(super) fn posted(
        &self,
        delivery: &Delivery<'_>,
        document: &Document<'_>,
        state: Option<&State>,
    ) -> Result<Option<Reply>, Refusal> {
        let Some(Challenge::Post { at, value, reply }) = &self.scheme.challenge else {
            return Ok(None);
        };
        let read = |place: &Place| place.value(delivery, document, None);
        if read(at).as_deref() != Some(value.as_ref()) {
            return Ok(None);
        }
        match reply {
            ChallengeReply::Fixed(answer) => Ok(answer.reply()),
            ChallengeReply::Echo(place) => {
                let text =
                    read(place).filter(|text| text.len() <= ECHO_BYTES_MAX && !text.chars().any(char::is_control));
                Ok(Some(Reply::text(text.ok_or(Refusal::BadChallenge)?)))
            }
            ChallengeReply::Hmac(place) => {
                let plain = word(read(place).as_deref())?;
                let signature = hmac_sha256(state).and_then(|state| state.sign(&[plain.as_bytes().into()]));
                let signature = hex::encode(signature.ok_or(Refusal::NoChallenge)?);
                Ok(Some(Reply::json(format!(r#"{{"plainToken":"{plain}","encryptedToken":"{signature}"}}"#))))
            }
        }
    }
}

fn hmac_sha256(state: Option<&State>) -> Option<&State> {
    state.filter(|state| matches!(state, State::HmacSha256(_)))
}

/// A body of a webhook is no such word: nobody gets one signed this way.
fn word(text: Option<&str>) -> Result<String, Refusal> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'=' | b'-');
    let word = text.filter(|text| (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain));
    word.map(str::to_owned).ok_or(Refusal::BadChallenge)
}
