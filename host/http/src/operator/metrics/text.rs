//! The older of the two forms that Prometheus reads, for whoever does not ask for the newer one.

use std::fmt::Write;

/// A page of OpenMetrics in the text format 0.0.4: there the name of a counter has its suffix in its description, too.
pub(super) fn classic(page: &str) -> String {
    let (mut text, mut help) = (String::with_capacity(page.len()), None);
    for line in page.lines() {
        let words = line.strip_prefix("# ").and_then(|comment| comment.split_once(' '));
        match words {
            Some(("HELP", rest)) => help = rest.split_once(' '),
            Some(("TYPE", rest)) => {
                let Some((name, kind)) = rest.split_once(' ') else { continue };
                let suffix = if kind == "counter" { "_total" } else { "" };
                if let Some((_, words)) = help.take() {
                    let _ = writeln!(text, "# HELP {name}{suffix} {words}");
                }
                let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
            }
            Some(("UNIT", _)) => {}
            _ if line == "# EOF" => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_described_under_the_name_that_its_samples_have() {
        let page = "# HELP a_b What came.\n# TYPE a_b counter\na_b_total{x=\"y\"} 1\n# HELP c Now.\n# TYPE c gauge\nc 2\n# EOF\n";
        let text = "# HELP a_b_total What came.\n# TYPE a_b_total counter\na_b_total{x=\"y\"} 1\n# HELP c Now.\n# TYPE c gauge\nc 2\n";
        assert_eq!(classic(page), text);
    }
}
