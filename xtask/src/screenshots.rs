//! Pictures of every page, for people to look at. A few of them are kept in `docs/screenshots`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::cargo::root;
use crate::test;

/// The pages of which pictures are kept.
const PAGES: [&str; 12] = [
    "tokens",
    "new-token",
    "new-token-previewed",
    "created",
    "token-while-it-rotates",
    "explained",
    "org",
    "org-tokens",
    "policy-previewed",
    "me",
    "operator",
    "sign-in",
];

/// The ends of the names of the pictures that are kept: width and colours.
const SCREENS: [&str; 2] = ["-360-light.webp", "-1280-light.webp"];

/// The pictures that are kept beside them.
const DARK: [&str; 2] = ["tokens-1280-dark.webp", "token-while-it-rotates-1280-dark.webp"];

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
    let light = PAGES.iter().flat_map(|page| SCREENS.map(|screen| format!("{page}{screen}")));
    for name in light.chain(DARK.map(str::to_owned)) {
        size +=
            fs::copy(drawn.join(&name), kept.join(&name)).with_context(|| format!("{name} is not drawn"))?;
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
