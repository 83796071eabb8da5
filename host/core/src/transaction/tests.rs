use super::*;

/// More than is read and written where it is not what is tried.
const DATA: u64 = 1 << 20;

fn needs_key<T>(key: &str) -> Result<T, Unanswered> {
    Err(Unanswered::Needs(Need::Key(key.to_owned())))
}

fn entry(value: &str, version: u64) -> Option<KvEntry> {
    Some(KvEntry { value: value.as_bytes().to_vec(), version })
}

fn begun() -> Transaction {
    let mut transaction = Transaction::new(1000, DATA);
    transaction.saw_used(0);
    transaction
}

#[test]
fn a_key_is_read_once_and_remembered_with_its_version() {
    let mut transaction = begun();
    assert_eq!(transaction.get("n"), needs_key("n"));
    transaction.saw("n", entry("4", 7));
    assert_eq!(transaction.get("n"), Ok(Some(b"4".to_vec())));
    assert_eq!(transaction.increment("n", 3), Ok(7));
    let (reads, _, writes) = transaction.into_parts();
    assert_eq!(reads, [KvRead { key: "n".into(), version: Some(7) }]);
    assert_eq!(writes, [KvWrite::Add { key: "n".into(), delta: 3 }]);
}

#[test]
fn an_attempt_reads_its_own_writes_and_not_the_store() {
    let mut transaction = begun();
    transaction.set("a", b"1", None).unwrap();
    assert_eq!(transaction.increment("a", 1), Ok(2));
    assert_eq!(transaction.delete("a"), Ok(true));
    assert_eq!(transaction.get("a"), Ok(None));
    assert_eq!(transaction.compare_and_swap("a", None, Some(b"x")), Ok(true));
    let (reads, _, writes) = transaction.into_parts();
    assert_eq!(reads, []);
    assert_eq!(writes, [KvWrite::Set { key: "a".into(), value: b"x".to_vec(), ttl: None }]);
}

#[test]
fn what_is_added_reads_nothing_until_it_is_looked_at() {
    let mut transaction = begun();
    transaction.add("n", 2).unwrap();
    transaction.add("n", 3).unwrap();
    assert_eq!(transaction.get("n"), needs_key("n"));
    transaction.saw("n", None);
    assert_eq!(transaction.get("n"), Ok(Some(b"5".to_vec())));
}

#[test]
fn a_page_shows_own_keys_and_hides_deleted_ones() {
    let mut transaction = begun();
    transaction.set("a/2", b"x", None).unwrap();
    assert_eq!(transaction.delete("a/1"), needs_key("a/1"));
    transaction.saw("a/1", entry("x", 1));
    assert_eq!(transaction.delete("a/1"), Ok(true));
    let need = Need::Page { prefix: "a/".into(), after: None, limit: KV_LIST_KEYS_MAX };
    assert_eq!(transaction.list("a/", None), Err(Unanswered::Needs(need)));
    let keys = vec!["a/1".into(), "a/3".into()];
    transaction.saw_page(KvScan { prefix: "a/".into(), after: None, limit: KV_LIST_KEYS_MAX, keys });
    assert_eq!(transaction.list("a/", None), Ok(Page { keys: vec!["a/2".into(), "a/3".into()], next: None }));
    assert!(matches!(transaction.list("a/", None), Err(Unanswered::Needs(Need::Page { .. }))));
}

#[test]
fn a_call_that_needs_something_has_changed_nothing() {
    let mut transaction = Transaction::new(10, DATA);
    assert_eq!(transaction.set("a", b"1234", None), Err(Unanswered::Needs(Need::UsedBytes)));
    transaction.saw_used(8);
    assert!(matches!(transaction.set("a", b"1234", None), Err(Unanswered::LimitExceeded(_))));
    assert_eq!(transaction.into_parts().2, []);
}

/// Whether the call was refused for all that came before it.
fn is_refused<T>(answer: Result<T, Unanswered>) -> bool {
    matches!(answer, Err(Unanswered::LimitExceeded(told)) if told.contains("limits.kv_data"))
}

/// With so many bytes to read and write, and an empty store.
fn of_data(data_max: u64) -> Transaction {
    let mut transaction = Transaction::new(1000, data_max);
    transaction.saw_used(0);
    transaction
}

#[test]
fn what_is_read_counts_once_and_beyond_the_limit_nothing_more_is_read() {
    let mut transaction = of_data(10);
    let read = |transaction: &mut Transaction, key: &str| {
        assert_eq!(transaction.get(key), needs_key(key));
        transaction.saw(key, entry("1234", 1));
        transaction.get(key)
    };
    for _ in 0..2 {
        assert_eq!(transaction.get("a").or_else(|_| read(&mut transaction, "a")), Ok(Some(b"1234".to_vec())));
    }
    assert!(read(&mut transaction, "b").is_ok(), "10 bytes were read");
    assert!(is_refused(read(&mut transaction, "c")));
    assert!(is_refused(transaction.get("d")) && is_refused(transaction.get("a")));
    assert!(is_refused(transaction.list("", None)) && is_refused(transaction.increment("e", 1)));
}

#[test]
fn what_is_read_without_being_told_counts_too() {
    for call in [
        |of: &mut Transaction| of.increment("k", 1).map(|_| ()),
        |of: &mut Transaction| of.delete("k").map(|_| ()),
        |of: &mut Transaction| of.compare_and_swap("k", None, None).map(|_| ()),
    ] {
        let mut transaction = of_data(4);
        assert_eq!(call(&mut transaction), needs_key("k"));
        transaction.saw("k", entry("1234", 1));
        assert!(is_refused(call(&mut transaction)));
    }
}

#[test]
fn each_write_counts_and_one_beyond_the_limit_changes_nothing() {
    let mut transaction = of_data(10);
    transaction.set("a", b"1234", None).unwrap();
    transaction.set("a", b"5678", None).unwrap();
    assert!(is_refused(transaction.set("a", b"", None)));
    let set = KvWrite::Set { key: "a".into(), value: b"5678".to_vec(), ttl: None };
    assert_eq!(transaction.into_parts().2, [set]);
}

#[test]
fn keys_that_are_listed_count() {
    let mut transaction = of_data(8);
    let page = || KvScan { prefix: String::new(), after: None, limit: KV_LIST_KEYS_MAX, keys: vec!["12345".into()] };
    assert!(matches!(transaction.list("", None), Err(Unanswered::Needs(_))));
    transaction.saw_page(page());
    assert!(transaction.list("", None).is_ok());
    assert!(matches!(transaction.list("", None), Err(Unanswered::Needs(_))));
    transaction.saw_page(page());
    assert!(is_refused(transaction.list("", None)));
}

#[test]
fn what_is_kept_elsewhere_counts() {
    let mut transaction = of_data(8);
    assert_eq!(transaction.keep(8), Ok(()));
    assert!(is_refused(transaction.keep(1)));
}
