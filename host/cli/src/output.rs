//! Rows for people.

use serde_json::Value;

/// Characters of one cell.
const CELL_MAX: usize = 60;

/// A column: its head, and where its value is (`counts.fired`).
pub(crate) type Column = (&'static str, &'static str);

/// Prints rows as a table, or says that there are none and what makes some.
pub(crate) fn table(rows: &[Value], columns: &[Column], empty: &str) {
    if rows.is_empty() {
        say!("{empty}");
        return;
    }
    let heads = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|(_, path)| cell(row, path)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(heads).chain(cells).collect();
    let width =
        |n: usize| lines.iter().filter_map(|line| line.get(n)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    for line in &lines {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        say!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Prints one object, a field a line; lists and objects below it are indented.
pub(crate) fn fields(value: &Value, indent: usize) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        say!("{margin}{name}");
                        fields(value, indent + 2);
                    }
                    Value::Array(items) if items.iter().any(Value::is_object) => {
                        say!("{margin}{name}");
                        for item in items {
                            fields(item, indent + 2);
                            say!();
                        }
                    }
                    _ => say!("{margin}{name:<16} {}", plain(value)),
                }
            }
        }
        other => say!("{margin}{}", plain(other)),
    }
}

fn cell(row: &Value, path: &str) -> String {
    let value = path.split('.').try_fold(row, |value, part| value.get(part));
    let text = value.map(plain).unwrap_or_default();
    if text.chars().count() > CELL_MAX {
        let clipped: String = text.chars().take(CELL_MAX - 1).collect();
        return clipped + "…";
    }
    text
}

pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        // What a sender or a plugin wrote must not drive the terminal.
        Value::String(text) => text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
