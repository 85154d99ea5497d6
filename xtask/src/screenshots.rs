//! Pictures of every page, for people to look at. A few of them are kept in `docs/screenshots`.

use std::fs;
use std::path::Path;

use anyhow::ensure;

use crate::cargo::root;
use crate::test;

/// The ends of the names of the pictures that are kept. The name of a picture is its page, width and colours.
const KEPT: [&str; 4] =
    ["-360-light.webp", "-1280-light.webp", "tokens-1280-dark.webp", "token-1280-dark.webp"];

/// The limit for all pictures that are kept, in bytes.
const MAX_KEPT: u64 = 1_500_000;

/// Draws every page into `target/screenshots`, at each width and in both colours.
pub(crate) fn draw() -> anyhow::Result<()> {
    let drawn = root().join("target/screenshots");
    empty(&drawn)?;
    test::run_drawing(&drawn)?;
    let kept = root().join("docs/screenshots");
    empty(&kept)?;
    let mut size = 0;
    for entry in fs::read_dir(&drawn)? {
        let entry = entry?;
        let (picture, name) = (entry.path(), entry.file_name());
        if name.to_str().is_some_and(|name| KEPT.iter().any(|end| name.ends_with(end))) {
            size += fs::copy(picture, kept.join(name))?;
        }
    }
    ensure!(size < MAX_KEPT, "the pictures in docs/screenshots take {size} bytes");
    eprintln!(
        "every page is drawn in {}, and {size} bytes of them are kept in docs/screenshots",
        drawn.display()
    );
    Ok(())
}

/// Makes a folder, without what it had before.
fn empty(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    Ok(())
}
