//! Measures the first byte of pages, with many tokens in one org.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::Context;
use ndauth_bench::seed::seed;
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, FigureRow, median};
use ndauth_core::TokenId;
use ndauth_store::testing::execute;
use ndauth_store::{Clock, Store};

use crate::bench::{Bench, SERVER_CORE, text};

/// The number of tokens that the org owns.
const TOKENS: usize = 100_000;
/// The longest time to the first byte, in milliseconds.
const FIRST_BYTE: f64 = 20.0;

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let url = bench.sqlite("browsed.db");
    let seeded = bench.runtime.block_on(seed(&url, TOKENS))?;
    bench.runtime.block_on(async {
        crate::scale::give_all_to_one_org(&url).await?;
        let store = Store::connect(&url, Clock::Database).await?;
        execute(&store, "UPDATE session SET browser = true").await;
        let to_the_person = "UPDATE token SET org_id = NULL, account_id = (SELECT account_id FROM session LIMIT 1) \
                             WHERE id IN (SELECT id FROM token LIMIT 500)";
        execute(&store, to_the_person).await;
        anyhow::Ok(store.close().await?)
    })?;
    let org = seeded.tokens.iter().map(|(_, org)| org).min().context("an org")?.clone();
    let server = Server::ndauthd(SERVER_CORE, &bench.binary("ndauthd"), &text(&url), &[])?;
    let browser = Browser { address: server.address, cookie: seeded.session.expose().to_owned() };
    let list = format!("/orgs/{org}/tokens");
    let (counting, first) = browser.get(&list)?;
    let what = format!("{TOKENS} tokens in an org: first byte of the list that counts them, once a minute");
    bench.row(FigureRow::new(what, "ms", &[counting], Bar::None));
    let below = format!("{list}/");
    let ids = first.split(&below).filter_map(|rest| rest.get(..36)?.parse::<TokenId>().ok());
    let token = ids.last().context("a token")?;
    let pages = [
        ("the list of the org's tokens", list.clone()),
        ("the list by last use", format!("{list}?sort=used&reverse=yes")),
        ("a search that finds nothing", format!("{list}?q=no-such-name")),
        ("one token", format!("{list}/{token}")),
        ("its explanation", format!("{list}/{token}/explain")),
        ("the form of a new token", format!("{list}/new")),
        ("the org", format!("/orgs/{org}")),
        ("the personal tokens in it", format!("/orgs/{org}/personal-tokens")),
        ("a person's tokens", "/tokens".to_owned()),
        ("a person's sessions", "/me".to_owned()),
    ];
    for (what, path) in pages {
        let mut times = Vec::new();
        for _ in 0..bench.rounds * 10 {
            let (time, page) = browser.get(&path)?;
            anyhow::ensure!(
                page.starts_with("HTTP/1.1 200"),
                "{path}: {}",
                page.lines().next().unwrap_or("")
            );
            times.push(time);
        }
        let what = format!("{TOKENS} tokens in an org: first byte of {what}");
        bench.row(FigureRow::new(what, "ms", &[median(&times)], Bar::AtMost(FIRST_BYTE)));
    }
    server.end()
}

/// A browser that is signed in.
struct Browser {
    address: SocketAddr,
    cookie: String,
}

impl Browser {
    /// Returns the time to the first byte of a page in milliseconds, and the page with its headers.
    fn get(&self, path: &str) -> anyhow::Result<(f64, String)> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let (address, cookie) = (self.address, &self.cookie);
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: ndauth={cookie}\r\nconnection: close\r\n\r\n"
        );
        let begun = Instant::now();
        stream.write_all(request.as_bytes())?;
        let mut page = vec![0; 1];
        stream.read_exact(&mut page)?;
        let time = begun.elapsed().as_secs_f64() * 1e3;
        stream.read_to_end(&mut page)?;
        Ok((time, String::from_utf8_lossy(&page).into_owned()))
    }
}
