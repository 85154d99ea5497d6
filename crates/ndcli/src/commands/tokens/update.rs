//! `ndcli auth token update` and `ndcli token update`.

use ndauth_terminal::Failure;

use super::aim::{NamedToken, OwnerArguments};
use super::suspend::show_changed;
use crate::connection::connect;
use crate::settings::CommonOptions;

#[derive(clap::Args)]
pub(crate) struct Update<W: OwnerArguments> {
    #[command(flatten)]
    named: NamedToken<W>,

    /// Purpose, in your words; an empty text removes it
    #[arg(short, long, value_name = "TEXT")]
    description: String,
}

/// Changes the description of a token.
pub(crate) async fn run<W: OwnerArguments>(
    common: &CommonOptions,
    update: &Update<W>,
) -> Result<(), Failure> {
    let server = connect(common).await?;
    let updated = update.named.aim()?.update(&server, &update.description).await?;
    let how = if updated.changed { "updated" } else { "unchanged" };
    show_changed(common, &updated, how)
}
