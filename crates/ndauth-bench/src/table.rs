//! The measured figures, and the bars that they must meet.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use serde_json::{Value, json};

/// The bar that a figure must meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// No bar: the figure is only reported.
    None,
    /// The minimum.
    AtLeast(f64),
    /// The maximum.
    AtMost(f64),
}

/// A measured figure: a row of the table.
#[derive(Clone, Debug)]
pub struct FigureRow {
    what: String,
    unit: &'static str,
    median: f64,
    least: f64,
    most: f64,
    bar: Bar,
}

impl FigureRow {
    /// Returns a row with the median, the minimum and the maximum of some values.
    pub fn new(what: impl Into<String>, unit: &'static str, values: &[f64], bar: Bar) -> FigureRow {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        FigureRow { what: what.into(), unit, median: median(values), least, most, bar }
    }

    fn reached(&self) -> bool {
        match self.bar {
            Bar::None => true,
            Bar::AtLeast(bar) => self.median >= bar,
            Bar::AtMost(bar) => self.median <= bar,
        }
    }
}

/// Returns the median of some values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the ratios of values that were measured alternately.
pub fn ratios(of: &[f64], to: &[f64]) -> Vec<f64> {
    of.iter().zip(to).map(|(of, to)| of / to).collect()
}

/// Prints a row.
pub fn print_row(row: &FigureRow) {
    let bar = match row.bar {
        Bar::None => "-".to_owned(),
        Bar::AtLeast(bar) => format!("≥ {bar} {}", row.unit),
        Bar::AtMost(bar) => format!("≤ {bar} {}", row.unit),
    };
    let mark = if row.reached() { "" } else { " UNMET" };
    let FigureRow { what, unit, median, least, most, .. } = row;
    println!("| {what} | {median:.2} {unit} | {least:.2} | {most:.2} | {bar}{mark} |");
}

/// Writes the rows as JSON to a file. Fails if a bar is not met.
pub fn end(rows: &[FigureRow], file: &Path) -> anyhow::Result<()> {
    let object = |row: &FigureRow| -> Value {
        let bar = match row.bar {
            Bar::None => Value::Null,
            Bar::AtLeast(bar) => json!({ "at_least": bar }),
            Bar::AtMost(bar) => json!({ "at_most": bar }),
        };
        json!({ "what": row.what, "unit": row.unit, "median": row.median, "least": row.least, "most": row.most,
                "bar": bar, "reached": row.reached() })
    };
    let objects: Vec<Value> = rows.iter().map(object).collect();
    fs::write(file, serde_json::to_string_pretty(&objects)? + "\n")?;
    println!("\nalso in {}", file.display());
    let missed: Vec<&str> = rows.iter().filter(|row| !row.reached()).map(|row| row.what.as_str()).collect();
    ensure!(missed.is_empty(), "bars that were not reached: {}", missed.join("; "));
    Ok(())
}
