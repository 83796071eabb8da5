//! Rows that no release can have written, or a later one has.

use super::*;

#[test]
fn another_version_of_a_form_is_refused() {
    let mut row = encode(&7u64).unwrap();
    row[0] = 9;
    let refused = decode::<u64>(&row).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the store is damaged: a row has the form 9, this release reads 1: start the release that wrote it"
    );
    assert!(decode_run(RunId::new(NOW, 1), &row).is_err());
    assert_eq!(decode::<u64>(&[]).unwrap_err().to_string(), "the store is damaged: a row is empty");
}

#[test]
fn a_row_that_was_cut_off_is_refused() {
    let (row, _) = StoredRun::new(run(RunState::Pending { due: NOW }, all_outcomes())).encode().unwrap();
    for length in 0..row.len() {
        assert!(decode_run(RunId::new(NOW, 1), row.get(..length).unwrap()).is_err(), "{length}");
    }
}
