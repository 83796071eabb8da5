use std::collections::BTreeMap;

use super::*;
use crate::name::ProviderName;
use crate::time::{Millis, Timestamp};

const MINUTE: u64 = 60_000;
/// What a clock shows that is a day ahead, in minutes.
const AHEAD: u64 = 24 * 60;

fn at(minutes: u64) -> Timestamp {
    Timestamp(1_750_000_000_000 + minutes * MINUTE)
}

fn terms() -> Terms {
    Terms { usual: vec!["ops".into()], ..Terms::default() }
}

fn wrong(abouts: &[&str]) -> Judged {
    let condition =
        |about: &&str| Condition { rule: Rule::HandlerFailing, about: (*about).into(), text: format!("{about} fails") };
    Judged { wrong: abouts.iter().map(condition).collect(), ..Judged::default() }
}

fn told(book: &Book) -> Vec<Vec<(String, bool)>> {
    let parts = |message: &Message| message.parts.iter().map(|p| (p.about.clone(), p.resolved.is_some())).collect();
    book.messages.iter().map(parts).collect()
}

fn part(about: &str, is_resolved: bool) -> (String, bool) {
    (about.to_owned(), is_resolved)
}

#[test]
fn what_begins_together_is_told_together_and_once_and_so_is_its_end() {
    let (mut book, terms) = (Book::default(), terms());
    assert_eq!(book.step(wrong(&["a"]), &terms, at(0)), Step::Changed);
    assert_eq!(told(&book), Vec::<Vec<_>>::new(), "others may follow");
    for minute in 1..4 {
        book.step(wrong(&["a", "b"]), &terms, at(minute));
    }
    assert_eq!(told(&book), [vec![part("a", false), part("b", false)]]);
    assert_eq!(book.step(wrong(&["a", "b"]), &terms, at(4)), Step::Same);
    // `b` is right for a moment only.
    book.step(wrong(&[]), &terms, at(5));
    for minute in 6..9 {
        book.step(wrong(&["b"]), &terms, at(minute));
    }
    assert_eq!(told(&book)[1..], [vec![part("a", true)]]);
    assert_eq!((book.alerts.len(), book.history.len(), book.history[0].about.as_str()), (1, 1, "a"));
}

#[test]
fn what_nobody_was_told_of_ends_without_a_word() {
    let (mut book, terms) = (Book::default(), Terms { group: Millis(10 * MINUTE), ..terms() });
    book.step(wrong(&["a"]), &terms, at(0));
    for minute in 1..20 {
        book.step(wrong(&[]), &terms, at(minute));
    }
    assert_eq!((told(&book).len(), book.history.len()), (0, 1));
}

#[test]
fn what_was_wrong_for_a_moment_makes_no_message() {
    let (mut book, terms) = (Book::default(), terms());
    let seconds = |seconds: u64| Timestamp(at(0).0 + seconds * 1000);
    book.step(wrong(&["a"]), &terms, seconds(0));
    for now in [15, 30, 45, 60, 75, 90] {
        book.step(wrong(&[]), &terms, seconds(now));
    }
    assert_eq!((told(&book).len(), book.alerts.len(), book.history.len()), (0, 0, 1));
}

#[test]
fn over_a_restart_nothing_is_told_twice_or_forgotten() {
    let (mut book, terms) = (Book::default(), terms());
    book.step(wrong(&["a"]), &terms, at(0));
    book.step(wrong(&["a"]), &terms, at(1));
    assert_eq!(told(&book).len(), 1);
    let mut book: Book = serde_json::from_str(&serde_json::to_string(&book).unwrap()).unwrap();
    // Counters begin anew, so the rule knows nothing for a while.
    let open = Judged { open: [Rule::HandlerFailing].into(), ..Judged::default() };
    for minute in 2..10 {
        assert_eq!(book.step(open.clone(), &terms, at(minute)), Step::Same);
    }
    assert_eq!(told(&book).len(), 1);
    for minute in 10..13 {
        book.step(wrong(&[]), &terms, at(minute));
    }
    assert_eq!(told(&book)[1..], [vec![part("a", true)]]);
}

#[test]
fn messages_of_a_channel_have_a_rate_and_what_is_over_waits() {
    let (mut book, terms) = (Book::default(), Terms { hourly_max: 2, group: Millis(0), settle: Millis(0), ..terms() });
    for minute in 0..10 {
        let about = format!("h{minute}");
        book.step(wrong(&[&about]), &terms, at(minute));
    }
    assert_eq!(told(&book).len(), 2);
    book.step(wrong(&["h9"]), &terms, at(61));
    assert_eq!(told(&book).len(), 3);
    assert!(told(&book)[2].contains(&part("h9", false)), "{:?}", told(&book));
}

#[test]
fn a_rule_may_have_channels_of_its_own() {
    let channels = [(Rule::HandlerFailing, vec!["pager".to_owned(), "mail".to_owned()])].into();
    let (mut book, terms) = (Book::default(), Terms { channels, group: Millis(0), ..terms() });
    book.step(wrong(&["a"]), &terms, at(0));
    let channels: Vec<_> = book.messages.iter().map(|message| message.channel.as_str()).collect();
    assert_eq!(channels, ["mail", "pager"]);
    // One that is gone has nobody to tell.
    let gone = Terms { channels: BTreeMap::new(), ..terms };
    book.step(wrong(&["a"]), &gone, at(1));
    let channels: Vec<_> = book.messages.iter().map(|message| message.channel.as_str()).collect();
    assert_eq!(channels, ["ops"]);
}

#[test]
fn a_message_is_tried_again_in_growing_waits_and_not_for_ever() {
    let (mut book, terms) = (Book::default(), Terms { group: Millis(0), ..terms() });
    book.step(wrong(&["a"]), &terms, at(0));
    let mut now = at(0);
    let mut waits = Vec::new();
    loop {
        let [message] = &book.due(now)[..] else { panic!("{book:?}") };
        if book.failed(&message.id, "no".into(), now) {
            break;
        }
        let due = book.messages[0].due;
        waits.push(due.since(now).0 / 1000);
        assert!(book.due(now).is_empty());
        now = due;
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800, 1800]);
    assert!(book.messages.is_empty());
}

#[test]
fn messages_of_one_channel_go_in_order() {
    let (mut book, terms) = (Book::default(), Terms { group: Millis(0), ..terms() });
    book.step(wrong(&["a"]), &terms, at(0));
    book.step(wrong(&["a", "b"]), &terms, at(1));
    assert_eq!(book.messages.len(), 2);
    let first = book.due(at(1));
    assert_eq!((first.len(), first[0].parts[0].about.as_str()), (1, "a"));
    book.failed(&first[0].id, "no".into(), at(1));
    assert!(book.due(at(1)).is_empty(), "the second waits for the first");
    book.delivered(&first[0].id);
    assert_eq!(book.due(at(1))[0].parts[0].about, "b");
}

/// All tries of the first message fail.
fn lose(book: &mut Book, now: Timestamp) {
    let id = book.messages[0].id.clone();
    let tries = (0..TRIES_MAX).map(|_| book.failed(&id, "no".into(), now));
    assert_eq!(tries.filter(|is_lost| *is_lost).count(), 1);
}

#[test]
fn a_channel_is_told_anew_of_what_fires_when_the_message_about_it_was_lost() {
    let (mut book, terms) = (Book::default(), Terms { group: Millis(0), settle: Millis(0), ..terms() });
    book.step(wrong(&["a", "b"]), &terms, at(0));
    book.step(wrong(&["a", "b", "c"]), &terms, at(1));
    lose(&mut book, at(2));
    assert_eq!(told(&book), [vec![part("c", false)]]);
    for minute in 3..6 {
        book.step(wrong(&["a", "b", "c"]), &terms, at(minute));
    }
    assert_eq!(told(&book)[1..], [vec![part("a", false), part("b", false)]], "once, and not what it knows of");
    let text = serde_json::to_string(&book).unwrap();
    assert_eq!(serde_json::from_str::<Book>(&text).unwrap(), book);
}

#[test]
fn of_what_has_ended_when_its_message_was_lost_the_end_alone_is_told() {
    let (mut book, terms) = (Book::default(), Terms { group: Millis(0), settle: Millis(0), ..terms() });
    book.step(wrong(&["a"]), &terms, at(0));
    book.step(wrong(&[]), &terms, at(1));
    lose(&mut book, at(2));
    book.step(wrong(&[]), &terms, at(3));
    assert_eq!((told(&book), book.alerts.len()), (vec![vec![part("a", true)]], 0));
}

#[test]
fn a_channel_with_many_messages_that_wait_is_told_of_the_rest_once_there_is_room() {
    let terms = Terms { group: Millis(0), settle: Millis(0), hourly_max: 1000, ..terms() };
    let mut book = Book::default();
    let all: Vec<String> = (0..60).map(|number| format!("h{number:02}")).collect();
    for minute in 1..=60 {
        let abouts: Vec<&str> = all[..minute].iter().map(String::as_str).collect();
        book.step(wrong(&abouts), &terms, at(minute as u64));
    }
    assert_eq!((book.messages.len(), told(&book)[0].clone()), (MESSAGES_MAX, vec![part("h00", false)]));
    book.delivered(&book.messages[0].id.clone());
    let abouts: Vec<&str> = all.iter().map(String::as_str).collect();
    book.step(wrong(&abouts), &terms, at(61));
    let rest: Vec<_> = all[MESSAGES_MAX..].iter().map(|about| part(about, false)).collect();
    assert_eq!((book.messages.len(), told(&book).pop().unwrap()), (MESSAGES_MAX, rest));
}

#[test]
fn ends_that_cannot_be_told_yet_leave_room_for_what_begins() {
    let terms = Terms { group: Millis(0), settle: Millis(0), hourly_max: 1, ..terms() };
    let mut book = Book::default();
    let all: Vec<String> = (0..ALERTS_MAX).map(|number| format!("h{number}")).collect();
    let abouts: Vec<&str> = all.iter().map(String::as_str).collect();
    // The only message of the hour is the one that they began.
    book.step(wrong(&abouts), &terms, at(0));
    book.step(wrong(&[]), &terms, at(1));
    book.step(wrong(&["new"]), &terms, at(2));
    assert_eq!((book.alerts.len(), book.alerts[ALERTS_MAX].about.as_str()), (ALERTS_MAX + 1, "new"));
    book.step(wrong(&["new"]), &terms, at(61));
    assert_eq!((book.alerts.len(), told(&book)[1].len()), (1, ALERTS_MAX + 1));
}

#[test]
fn messages_go_and_alerts_end_though_the_clock_was_set_back() {
    let (mut book, terms) = (Book::default(), Terms { group: Millis(0), ..terms() });
    book.step(wrong(&["a"]), &terms, at(AHEAD));
    let [message] = &book.due(at(AHEAD))[..] else { panic!("{book:?}") };
    book.failed(&message.id, "no".into(), at(AHEAD));
    assert_eq!(book.due(at(AHEAD)), [], "it waits");
    assert_eq!(book.due(at(0)).len(), 1);
    book.failed(&message.id, "no".into(), at(0));
    assert_eq!(book.due(at(0)), [], "it waits by the clock that there is");
    book.delivered(&message.id);
    book.step(wrong(&[]), &terms, at(AHEAD));
    book.step(wrong(&[]), &terms, at(0));
    assert_eq!((book.alerts.len(), book.history.len()), (1, 0), "it was right for no time");
    book.step(wrong(&[]), &terms, at(1));
    assert_eq!((told(&book), book.history.len()), (vec![vec![part("a", true)]], 1));
}

#[test]
fn a_book_from_before_dead_letters_were_in_it_is_read() {
    let text =
        r#"{"alerts":[],"messages":[],"history":[],"seen":{"providers":{"shop":7},"rollbacks":{}},"sent":{},"made":3}"#;
    let book: Book = serde_json::from_str(text).unwrap();
    assert_eq!(
        book.seen,
        Seen { providers: [(ProviderName::parse("shop").unwrap(), Timestamp(7))].into(), ..Seen::default() }
    );
}
