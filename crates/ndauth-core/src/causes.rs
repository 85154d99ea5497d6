//! An error and all that caused it, for logs.

use std::error::Error;
use std::fmt;

/// An error and its causes, in a line: a log that tells only the first says that something is not available, and not
/// why.
#[derive(Debug)]
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.0.to_string();
        f.write_str(&told)?;
        let mut cause = self.0.source();
        while let Some(next) = cause {
            let text = next.to_string();
            // Some tell their cause themselves.
            if !told.contains(&text) {
                write!(f, ": {text}")?;
            }
            told = text;
            cause = next.source();
        }
        Ok(())
    }
}
