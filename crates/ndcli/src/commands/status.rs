//! `ndcli auth status`.

use ndauth_terminal::{Failure, Rows, detailed, expiry_json, minute, print, print_json, shown};
use serde_json::json;

use super::whoami::ask;
use crate::arguments::{Common, Format};

/// Says which credential is in force, where it was found, and that the server takes it.
pub(crate) async fn run(common: &Common) -> Result<(), Failure> {
    let (who, credential) = ask(common).await?;
    let server = common.server.to_string();
    let file = credential.path.map(|path| path.display().to_string());
    let (account, kind, expires) = (who.name(), who.known.credential(), minute(who.known.expiry()));
    match common.format {
        Format::Table => print(
            &Rows {
                titles: ["SERVER", "ACCOUNT", "CREDENTIAL", "SOURCE", "EXPIRES"],
                rows: vec![[server, account, kind, credential.source.to_owned(), expires]],
                last_width: 0,
            }
            .table(),
        ),
        Format::Simple => print(&format!(
            "• {server} account:{} credential:{} source:{} expires:{expires}\n",
            shown(&account),
            shown(&kind),
            credential.source
        )),
        Format::Detailed => print(&detailed(&[
            ("Server", server),
            ("Account", account),
            ("Credential", kind),
            ("Source", credential.source.to_owned()),
            ("File", file.unwrap_or("-".to_owned())),
            ("Expires", expires),
        ])),
        Format::Json => print_json(&json!({
            "server": server,
            "account": account,
            "source": credential.source,
            "file": file,
            "credential": who.known.json(),
            "expires_at": expiry_json(who.known.expiry()),
        })),
    }
}
