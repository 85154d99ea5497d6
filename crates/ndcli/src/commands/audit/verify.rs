//! `ndcli audit verify`: offline for an export of the whole log, against the server for one of a part.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use ndauth_core::{ChainCheck, ChainFault, Coverage, ExportedEvent, Head};
use ndauth_proto::v1;
use ndauth_terminal::{Failure, aside, print, print_json, warn};
use serde_json::json;

use super::arguments::{VerifyArguments, history};
use super::export::records;
use crate::connection::{ServerConnection, connect};
use crate::settings::{CommonOptions, Format};

/// The longest line that is read, in bytes. An event's is far shorter.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

pub(super) async fn run(common: &CommonOptions, verify: &VerifyArguments) -> Result<(), Failure> {
    let outcome = match &verify.file {
        None => verify_server(common, verify.after).await?,
        Some(path) if verify.org.is_some() || verify.mine => {
            let server = connect(common).await?;
            let history = history(verify.org.as_ref(), false);
            verify_part(&server, history, path, verify.after).await?
        }
        Some(path) => verify_whole(path, verify.after)?,
    };
    report(common.format, outcome)
}

/// The outcome of a verification: the number of events and the last one, or the first fault.
type Outcome = Result<(u64, Option<Head>), ChainFault>;

fn report(format: Format, outcome: Outcome) -> Result<(), Failure> {
    let (events, last) = match outcome {
        Ok(verified) => verified,
        Err(fault) => {
            if format == Format::Json {
                print_json(&json!({ "verified": false, "fault": fault.to_string() }))?;
            }
            let hint = "those before it fit together: to know that they are genuine, compare a hash that you \
                        kept elsewhere";
            return Err(Failure::failed(format!("the chain is broken: {fault}"), Some(hint)));
        }
    };
    let hash = last.map(|last| hex::encode(last.hash));
    if format == Format::Json {
        let last = last.map(|last| last.sequence);
        return print_json(&json!({ "verified": true, "events": events, "last": last, "last_hash": hash }));
    }
    print(&format!("✓ {events} events verified\n"))?;
    if let (Some(last), Some(hash)) = (last, hash) {
        aside(&format!(
            "the last is event {}, with the hash {hash}: what came after it is not in this",
            last.sequence
        ));
    }
    Ok(())
}

/// Verifies the server's log, page by page.
async fn verify_server(common: &CommonOptions, after: u64) -> Result<Outcome, Failure> {
    let server = connect(common).await?;
    let mut check = ChainCheck::new(Coverage::After(after));
    let mut last = after;
    loop {
        let page = records(&server, history(None, true), last).await?;
        let Some(end) = page.events.last() else { return Ok(check.end()) };
        last = end.sequence;
        if let Err(fault) = page.events.iter().try_for_each(|event| check.next(event)) {
            return Ok(Err(fault));
        }
    }
}

/// Verifies a file that holds the whole log after an event.
fn verify_whole(path: &Path, after: u64) -> Result<Outcome, Failure> {
    let mut check = ChainCheck::new(Coverage::After(after));
    let mut fault = None;
    read_lines(path, |event| match check.next(&event) {
        Ok(()) => true,
        Err(found) => {
            fault = Some(found);
            false
        }
    })?;
    Ok(match fault {
        Some(fault) => Err(fault),
        None => check.end(),
    })
}

/// Verifies a file that holds the events of an org or an account. The server is asked which those are: nothing in the
/// file shows what is missing between them.
async fn verify_part(
    server: &ServerConnection,
    history: v1::History,
    path: &Path,
    after: u64,
) -> Result<Outcome, Failure> {
    let mut check = ChainCheck::new(Coverage::Some);
    let mut events = Vec::new();
    let mut fault = None;
    read_lines(path, |event| match check.next(&event) {
        Ok(()) => {
            events.push(Compared::of(&event));
            true
        }
        Err(found) => {
            fault = Some(found);
            false
        }
    })?;
    let mut rest = events.iter().peekable();
    let (mut last, mut pruned) = (after, 0);
    'pages: while rest.peek().is_some() {
        let page = records(server, history.clone(), last).await?;
        let before = rest.len();
        // What the server has removed cannot be compared.
        while rest.next_if(|event| event.sequence <= page.pruned).is_some() {}
        pruned += (before - rest.len()) as u64;
        let Some(end) = page.events.last() else { break };
        last = end.sequence;
        for known in &page.events {
            let known = Compared::of(known);
            match rest.peek() {
                None => break 'pages,
                Some(event) if event.sequence > known.sequence => {
                    return Ok(Err(ChainFault::Missing(known.sequence)));
                }
                Some(event) if event.sequence < known.sequence => {
                    return Ok(Err(ChainFault::Inserted(event.sequence)));
                }
                Some(event) if !event.is(&known) => return Ok(Err(ChainFault::Altered(known.sequence))),
                Some(_) => drop(rest.next()),
            }
        }
    }
    if let Some(event) = rest.next() {
        return Ok(Err(ChainFault::Inserted(event.sequence)));
    }
    if pruned > 0 {
        warn(&format!(
            "{pruned} of them were pruned on the server: each is whole, and they were not \
                       compared"
        ));
    }
    Ok(match fault {
        Some(fault) => Err(fault),
        None => check.end(),
    })
}

/// The hash of an event, and which of its bytes are there. Both are compared: a hash says nothing of bytes that are not.
struct Compared {
    sequence: u64,
    hash: [u8; 32],
    has_public: bool,
    has_personal: bool,
}

impl Compared {
    fn of(event: &ExportedEvent) -> Compared {
        Compared {
            sequence: event.sequence,
            hash: event.hash,
            has_public: event.public.is_some(),
            has_personal: event.personal.is_some(),
        }
    }

    /// Returns true if it is the server's event, with all that the server has of it. Personal bytes may have been erased
    /// there meanwhile.
    fn is(&self, known: &Compared) -> bool {
        self.hash == known.hash
            && self.has_public == known.has_public
            && (self.has_personal || !known.has_personal)
    }
}

/// Passes each event of a file on, until it is told to stop.
fn read_lines(path: &Path, mut each: impl FnMut(ExportedEvent) -> bool) -> Result<(), Failure> {
    let of = |error: io::Error| Failure::failed(format!("cannot read `{}`: {error}", path.display()), None);
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::with_capacity(1 << 20, File::open(path).map_err(of)?))
    };
    let (mut line, mut number) = (String::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        let read = io::Read::take(&mut input, LONGEST_LINE as u64).read_line(&mut line).map_err(of)?;
        if read == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            continue;
        }
        let event = ExportedEvent::parse(&line).map_err(|why| {
            let hint = "give a file that `ndcli audit export` or `ndauthd admin events export` wrote";
            Failure::failed(format!("line {number} is not an exported event: {why}"), Some(hint))
        })?;
        if !each(event) {
            return Ok(());
        }
    }
}
