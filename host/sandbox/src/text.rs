//! Text of a guest, made safe to keep and to show: bounded, and without
//! characters that move a terminal's cursor or turn the reading direction.

use hookbox_core::attempt::MESSAGE_BYTES_MAX;

/// What stands in the place of a character that is not shown.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// One line: breaks and tabs become spaces.
pub(crate) fn line(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { shown(c) }).collect()
}

/// The message of an outcome, cut to [`MESSAGE_BYTES_MAX`]; it keeps its lines.
pub(crate) fn message(text: &str) -> String {
    let kept = prefix(text, MESSAGE_BYTES_MAX);
    let clean: String = kept.chars().map(|c| if matches!(c, '\n' | '\t') { c } else { shown(c) }).collect();
    prefix(&clean, MESSAGE_BYTES_MAX).to_owned()
}

/// The longest prefix of at most so many bytes.
pub(crate) fn prefix(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

/// Whether every character may stand in a header, a row or a terminal.
pub(crate) fn is_plain(text: &str) -> bool {
    text.chars().all(|c| shown(c) == c)
}

fn shown(c: char) -> char {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { REPLACEMENT } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_or_turns_text_is_replaced() {
        assert_eq!(line("a\tb\r\nc\u{1b}[2J\u{202e}d"), "a b  c\u{fffd}[2J\u{fffd}d");
        assert_eq!(message("a\nb\u{7}"), "a\nb\u{fffd}");
        assert!(is_plain("application/json; charset=utf-8") && !is_plain("a\nb"));
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let cut = message(&"é".repeat(MESSAGE_BYTES_MAX));
        assert_eq!(cut.len(), MESSAGE_BYTES_MAX);
        assert!(message(&"\u{1}".repeat(MESSAGE_BYTES_MAX)).len() <= MESSAGE_BYTES_MAX);
    }
}
