//! An error with its causes, for logs.

use std::error::Error;
use std::fmt;

/// An error and its causes on one line. The error alone often says only that something is unavailable, and
/// its causes say why.
#[derive(Debug)]
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous = self.0.to_string();
        f.write_str(&previous)?;
        let mut cause = self.0.source();
        while let Some(next) = cause {
            let text = next.to_string();
            // Some errors repeat their cause in their own text.
            if !previous.contains(&text) {
                write!(f, ": {text}")?;
            }
            previous = text;
            cause = next.source();
        }
        Ok(())
    }
}
