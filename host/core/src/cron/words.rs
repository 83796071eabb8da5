//! An expression in English.
//!
//! What is told is what fires, not what was written: `*/45` is "at minutes 0
//! and 45", and `22-2` is two stretches of each day. So two expressions with
//! the same words fire at the same times, unless the words leave parts of a long
//! list out.

mod days;
mod times;

use super::field::{Field, Set};
use super::wall::Wall;

/// Longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 400;

/// Items of a list that are told; fewer where the whole would be too long.
const SHOWN: [usize; 3] = [8, 4, 2];

pub(super) fn describe(wall: &Wall) -> String {
    let mut text = String::new();
    for shown in SHOWN {
        let lists = Lists { shown };
        let times = times::describe(wall.times(), lists);
        let days = days::describe(wall.days(), times.are_clocks, lists);
        text = format!("{}{days}", times.text);
        if text.chars().count() <= DESCRIPTION_CHARS_MAX {
            break;
        }
    }
    text
}

/// How lists are told.
#[derive(Debug, Clone, Copy)]
struct Lists {
    shown: usize,
}

impl Lists {
    /// `a, b and c`; of a long list the first, and how many more.
    fn join(self, items: &[String], word: &str) -> String {
        let mut told: Vec<&str> = items.iter().map(String::as_str).collect();
        let more = if told.len() > self.shown {
            told.truncate(self.shown - 1);
            Some(format!("{} more", items.len() - told.len()))
        } else {
            None
        };
        let last = more.as_deref().or_else(|| told.pop()).unwrap_or_default();
        if told.is_empty() { last.to_owned() } else { format!("{} {word} {last}", told.join(", ")) }
    }

    /// `5`, `5 and 10`, `5 through 10 and 30`.
    fn numbers(self, pieces: &[Piece]) -> String {
        let items: Vec<String> = pieces
            .iter()
            .map(|piece| match *piece {
                Piece::One(number) => number.to_string(),
                Piece::Run(first, last) => format!("{first} through {last}"),
            })
            .collect();
        self.join(&items, "and")
    }
}

/// One number, or three and more in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    One(u32),
    Run(u32, u32),
}

/// Numbers a step of two or more apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progression {
    first: u32,
    step: u32,
    last: u32,
}

fn is_all(set: Set, field: Field) -> bool {
    let (low, high) = field.bounds();
    (low..=high).all(|number| set.contains(number))
}

/// A set in pieces, in order.
fn pieces(numbers: impl Iterator<Item = u32>) -> Vec<Piece> {
    runs(numbers).into_iter().flat_map(|(first, last)| piece(first, last)).collect()
}

/// The first and last of the numbers that follow each other, in order.
fn runs(numbers: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    runs
}

fn piece(first: u32, last: u32) -> Vec<Piece> {
    if last - first >= 2 { vec![Piece::Run(first, last)] } else { (first..=last).map(Piece::One).collect() }
}

/// The pieces of a set in which the last number is followed by the first: a run over the end is one, and comes last.
fn pieces_around(set: Set, (low, high): (u32, u32)) -> Vec<Piece> {
    let size = high - low + 1;
    // From behind the first number that is missing; all numbers are there where none is.
    let from = (low..=high).find(|number| !set.contains(*number)).unwrap_or(low);
    let numbers: Vec<u32> = (from..from + size).filter(|number| set.contains(low + (number - low) % size)).collect();
    let around = |number: u32| low + (number - low) % size;
    let mut pieces: Vec<Piece> = pieces(numbers.into_iter())
        .into_iter()
        .map(|piece| match piece {
            Piece::One(number) => Piece::One(around(number)),
            Piece::Run(first, last) => Piece::Run(around(first), around(last)),
        })
        .collect();
    pieces.sort_by_key(|piece| match *piece {
        Piece::One(number) | Piece::Run(number, _) => number,
    });
    pieces
}

/// At least `least` numbers, each as far from the one before.
fn progression(set: Set, least: usize) -> Option<Progression> {
    let numbers: Vec<u32> = set.numbers().collect();
    let (first, last) = (*numbers.first()?, *numbers.last()?);
    let step = set.next(first + 1)? - first;
    let even = numbers.iter().zip(numbers.iter().skip(1)).all(|(one, next)| next - one == step);
    (even && step >= 2 && numbers.len() >= least).then_some(Progression { first, step, last })
}

/// `1st`, `2nd`, `13th`.
fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
