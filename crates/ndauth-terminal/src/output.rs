//! Standard output.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use crate::failure::Failure;

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
