//! Standard output, and the help that goes there.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use ndauth_core::Class;

use crate::environment::plain;
use crate::failure::{Failure, exit_code};
use crate::text::aside;

/// Prints to standard output, as far as whoever reads it wants to read.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Tells of a command line that is not understood, or gives the help that it asks for. What repeats the
/// person's own words is made safe for the terminal first, and for the log that it may be.
pub fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let text = error.render();
        let text =
            if io::stdout().is_terminal() && !plain() { text.ansi().to_string() } else { text.to_string() };
        return print(&text).map_or_else(Failure::report, |()| ExitCode::SUCCESS);
    }
    aside(error.to_string().trim_end());
    ExitCode::from(exit_code(Class::Invalid))
}
