//! Standard output, and the help that is printed there.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use clap::error::ErrorKind;
use ndauth_core::Class;

use crate::environment::plain;
use crate::failure::{Failure, exit_code};
use crate::text::aside;

/// Prints to standard output. A reader that closes the pipe is not an error.
pub fn print(text: &str) -> Result<(), Failure> {
    match write(&mut io::stdout().lock(), text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints to standard output text that cannot be shown again, such as a secret. A closed pipe is an error,
/// and a file is synced to disk before this returns.
pub fn print_once(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write(&mut out, text)?;
    let file = File::from(out.as_fd().try_clone_to_owned()?);
    if file.metadata()?.is_file() { file.sync_all() } else { Ok(()) }
}

fn write(out: &mut io::StdoutLock<'_>, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints the error of an invalid command line to standard error, or the requested help to standard output.
/// The error repeats the person's own words, so it is made safe for terminals and logs first.
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
