//! How a sender makes sure of the host, and what it is told.

use super::super::reader::{Field, Section};
use super::super::template::one_place;
use super::name;
use crate::verify::scheme::{Answer, Challenge, ChallengeReply, Text};

/// Text of an answer.
const ANSWER_BYTES_MAX: usize = 4096;

/// None also where the map is empty, which takes a preset's challenge away.
pub(super) fn challenge(mut section: Section<'_>) -> Option<Challenge> {
    let echo = section.parsed("echo", name);
    let verify = section.parsed("verify", name);
    let only = section.parsed("only", only);
    if (verify.is_some() || only.is_some()) && echo.is_none() {
        section.place().wrong("verify needs echo, as does only: the parameter that is sent back");
    }
    let given = [
        echo.map(|echo| Challenge::Echo { echo, verify, only }),
        section.parsed("crc", name).map(|token| Challenge::Crc { token }),
        section.parsed("pair", name).map(|member| Challenge::Pair { member }),
        posted(section.section("post")),
    ];
    let mut given = given.into_iter().flatten();
    let first = given.next();
    if given.next().is_some() {
        section.place().wrong("must be one of echo, crc, pair and post");
    }
    section.finish();
    first
}

/// `PARAMETER=VALUE`.
fn only(text: &str) -> Result<(Text, Text), String> {
    let (parameter, value) = text.split_once('=').ok_or("must be PARAMETER=VALUE, such as hub.mode=subscribe")?;
    Ok((name(parameter)?, name(value)?))
}

fn posted(mut post: Section<'_>) -> Option<Challenge> {
    let at = post.parsed("at", one_place);
    let value = post.parsed("value", name);
    let replies = [
        post.parsed("echo", one_place).map(ChallengeReply::Echo),
        post.parsed("hmac", one_place).map(ChallengeReply::Hmac),
        post.take("answer").and_then(answer).map(ChallengeReply::Fixed),
    ];
    let replies: Vec<ChallengeReply> = replies.into_iter().flatten().collect();
    let posted = match (at, value, replies.as_slice()) {
        (Some(at), Some(value), [reply]) => Some(Challenge::Post { at, value, reply: reply.clone() }),
        (None, None, []) => None,
        _ => {
            post.place().wrong("needs at, value and one of echo, hmac and answer");
            None
        }
    };
    post.finish();
    posted
}

pub(super) fn answer(field: Field<'_>) -> Option<Answer> {
    if !field.is_map() {
        return field.parsed(|text| match text {
            "receipt" => Ok(Answer::Receipt),
            _ => {
                Err(format!("must be receipt, or {{ status: 200, content_type: text/plain, body: ok }}, got {text:?}"))
            }
        });
    }
    let mut section = field.section();
    let status = section.number("status", 200..=299u16).unwrap_or(200);
    let content_type = section.parsed("content_type", name).unwrap_or_else(|| "text/plain".into());
    let body = section.parsed("body", |text| match text.len() <= ANSWER_BYTES_MAX {
        true => Ok(Text::Owned(text.to_owned())),
        false => Err(format!("must have at most {ANSWER_BYTES_MAX} bytes")),
    });
    section.finish();
    Some(Answer::Fixed { status, content_type, body: body.unwrap_or_default() })
}
