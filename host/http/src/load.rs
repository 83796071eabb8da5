//! How much there is to do on this machine, for all of its programs.

use std::fs;

/// Tasks that run or wait to, on average over 1, 5 and 15 minutes; nothing where the system does not tell.
pub(crate) fn average() -> Option<[f64; 3]> {
    parsed(&fs::read_to_string("/proc/loadavg").ok()?)
}

fn parsed(told: &str) -> Option<[f64; 3]> {
    let numbers: Vec<f64> = told.split_whitespace().map_while(|word| word.parse().ok()).take(3).collect();
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_are_read_and_nothing_else() {
        assert_eq!(parsed("0.52 1.58 12.00 2/345 6789\n"), Some([0.52, 1.58, 12.0]));
        for bad in ["", "0.52 1.58", "0.52 x 1"] {
            assert_eq!(parsed(bad), None, "{bad:?}");
        }
    }
}
