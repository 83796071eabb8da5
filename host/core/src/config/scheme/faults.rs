//! What a scheme cannot mean, though each of its keys is good.

use crate::verify::Scheme;
use crate::verify::scheme::{Algorithm, Piece, Place};

/// Each with its cure.
pub(super) fn faults(scheme: &Scheme) -> Vec<&'static str> {
    let has = |wanted: &dyn Fn(&Piece) -> bool| scheme.pieces().any(wanted);
    let time = has(&|piece| *piece == Piece::Timestamp);
    let covers_body = has(&|piece| *piece == Piece::Body);
    let entries = has(&|piece| matches!(piece, Piece::Entry(_) | Piece::HeadersOf { .. }));
    let in_body = matches!(scheme.timestamp.as_ref().map(|rule| &rule.at), Some(Place::Json(_) | Place::Form(_)));
    let token = scheme.methods.iter().all(|method| method.algorithm == Algorithm::Token);
    let digest = scheme.methods.iter().any(|method| method.algorithm == Algorithm::Sha256);
    let unsigned =
        scheme.methods.iter().any(|method| method.algorithm != Algorithm::Token && method.content.is_empty());
    let ambiguous = scheme.methods.iter().any(|method| {
        let mut pairs = method.content.iter().zip(method.content.iter().skip(1));
        scheme.name == "custom" && pairs.any(|(piece, next)| *piece == Piece::Id && !matches!(next, Piece::Literal(_)))
    });
    let wrong = [
        (
            time && scheme.timestamp.is_none(),
            "content has {timestamp}: say where it is, such as timestamp: { header: X-Timestamp }",
        ),
        (
            scheme.timestamp.is_some() && !time && !(in_body && covers_body),
            "the timestamp is not signed, so that anybody could change it: put {timestamp} into content, or leave timestamp out",
        ),
        (
            digest && !has(&|piece| *piece == Piece::Secret),
            "algorithm sha256 is no signature without {secret} in content",
        ),
        (
            has(&|piece| *piece == Piece::Id) && scheme.id_header().is_none(),
            "content has {id}: id must be one header, such as id: \"{header:X-Id}\"",
        ),
        (
            entries && scheme.signature.separator.is_none(),
            "content has {entry:..}: say what stands between entries, such as separator: \",\"",
        ),
        (token && scheme.timestamp.is_some(), "a token signs no time: leave timestamp out"),
        (unsigned, "content is empty: nothing would be signed"),
        (ambiguous, "content must have a text behind {id}, such as {id}.{body}: else an id could be cut elsewhere"),
    ];
    wrong.into_iter().filter_map(|(is, why)| is.then_some(why)).collect()
}
