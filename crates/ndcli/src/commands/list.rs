//! `ndcli auth token list`.

use ndauth_core::Timestamp;
use ndauth_proto::v1;
use ndauth_terminal::{Failure, Rows, TokenShown, ago, detailed, print, print_json, shown, told};
use serde_json::json;

use crate::arguments::{Common, Format};
use crate::connection::connect;

#[derive(clap::Args)]
pub(crate) struct List {
    /// List revoked tokens too
    #[arg(long)]
    all: bool,
}

/// As many as the server gives at once.
pub(crate) const PAGE: i32 = 1000;

/// Lists the account's tokens, oldest first.
pub(crate) async fn run(common: &Common, list: &List) -> Result<(), Failure> {
    let server = connect(common).await?;
    let mut tokens = Vec::new();
    let mut page_token = String::new();
    let now = loop {
        let request = v1::ListTokensRequest {
            include_revoked: list.all,
            page_size: PAGE,
            page_token: page_token.clone(),
        };
        let page = server.ask(async |client| client.list_tokens(request.clone()).await).await?;
        for token in page.tokens {
            tokens.push(TokenShown::read(Some(token))?);
        }
        if page.next_page_token.is_empty() {
            break told("evaluated_at", Some(page.evaluated_at))?;
        }
        page_token = page.next_page_token;
    };
    show(common.format, &tokens, now)
}

/// Shows tokens, as of an instant.
pub(crate) fn show(format: Format, tokens: &[TokenShown], now: Timestamp) -> Result<(), Failure> {
    match format {
        Format::Table => print(&format!("{}Total: {} token(s)\n", table(tokens, now), tokens.len())),
        Format::Simple => print(&tokens.iter().map(line).collect::<String>()),
        Format::Detailed => {
            let tables: String = tokens.iter().map(|token| detailed(&fields(token, now))).collect();
            print(&format!("{tables}Total: {} token(s)\n", tokens.len()))
        }
        Format::Json => {
            let listed: Vec<_> = tokens.iter().map(TokenShown::json).collect();
            print_json(&json!({ "tokens": listed, "total": tokens.len() }))
        }
    }
}

fn table(tokens: &[TokenShown], now: Timestamp) -> String {
    let row = |token: &TokenShown| {
        [
            token.name.clone(),
            token.prefix.clone(),
            token.scope.to_owned(),
            token.org(),
            token.expires(),
            last_used(token, now),
            token.status.to_owned(),
        ]
    };
    Rows {
        titles: ["NAME", "PREFIX", "SCOPE", "ORG", "EXPIRES", "LAST USED", "STATUS"],
        rows: tokens.iter().map(row).collect(),
        // As wide as `expired`, so that the column does not jump.
        last_width: 7,
    }
    .table()
}

fn line(token: &TokenShown) -> String {
    format!(
        "• {} [{}/{}] org:{} expires:{} status:{}\n",
        shown(&token.name),
        shown(&token.prefix),
        token.scope,
        shown(&token.org()),
        token.expires(),
        token.status
    )
}

/// All that is known of a token, as of an instant.
pub(crate) fn fields(token: &TokenShown, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("Name", token.name.clone()),
        ("Id", token.id.clone()),
        ("Prefix", token.prefix.clone()),
        ("Scope", token.scope.to_owned()),
        ("Grants", token.granted()),
        ("Org", token.org()),
        ("For services", token.services.as_ref().map_or("-".to_owned(), |some| some.join(", "))),
        ("From networks", token.networks.as_ref().map_or("-".to_owned(), |some| some.join(", "))),
        ("Type", token.token_type.to_owned()),
        ("Status", token.status.to_owned()),
        ("Created", token.created_at.to_string()),
        ("Expires", token.expires()),
        ("Last used", last_used(token, now)),
    ];
    fields.extend(token.description.clone().map(|text| ("Description", text)));
    fields.extend(token.owner_org.clone().map(|org| ("Owner", format!("the org {org}"))));
    fields.extend(token.last_used_ip.clone().map(|address| ("Last used from", address)));
    fields.extend(token.revoked_at.map(|at| ("Revoked", at.to_string())));
    fields
}

fn last_used(token: &TokenShown, now: Timestamp) -> String {
    token.last_used_at.map_or("Never".to_owned(), |at| ago(at, now))
}
