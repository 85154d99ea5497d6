//! `ndcli auth token leaked`: reports secrets that leaked. No credential is needed.

use std::io::{self, IsTerminal, Read};

use ndauth_core::{Class, InvalidSecret, PresentedOutcome, Problem, Reason, Secret};
use ndauth_proto::{leak_outcome_from_proto, leak_outcome_to_proto, v1};
use ndauth_terminal::{Failure, Rows, aside, detailed, nonsense, print, print_message};
use tokio::time::{Instant, timeout_at};

use crate::settings::{CommonOptions, Format};
use crate::transport::wait::Wait;
use crate::transport::{failed, open_without_credential, reach, with_attempt_duration};

#[derive(clap::Args)]
pub(crate) struct Leaked {
    /// Read the secrets from standard input: one on each line, at most 1000
    #[arg(long, required = true)]
    secret_stdin: bool,
}

/// A line of standard input.
struct LeakedLine {
    number: usize,
    secret: Result<Secret, InvalidSecret>,
}

/// The outcome of a line.
struct Reported {
    line: usize,
    prefix: Option<String>,
    outcome: PresentedOutcome,
    /// The outcome, for people.
    text: String,
}

/// The most secrets in a request.
const MOST: usize = 1000;
/// More bytes than the longest input has: each secret in a line of its own, and some blanks.
const ENOUGH: u64 = 256 * 1024;

/// Reports the secrets. The exit code is 0 only if none of them works any longer.
pub(crate) async fn run(common: &CommonOptions, _: &Leaked) -> Result<(), Failure> {
    let lines = read_lines()?;
    let secrets = lines.iter().filter_map(|line| line.secret.as_ref().ok());
    let secrets: Vec<String> = secrets.map(|secret| secret.expose().to_owned()).collect();
    let answer = match secrets.is_empty() {
        // Another text may be another system's secret, so it is not sent.
        true => v1::ReportLeakedResponse::default(),
        false => report(common, v1::ReportLeakedRequest { secrets }).await?,
    };
    let reported = merge(&lines, answer)?;
    show(common.format, &reported)?;
    let alive: Vec<_> = reported.iter().filter(|reported| !reported.outcome.is_dead()).collect();
    match alive.first() {
        None => Ok(()),
        Some(first) => Err(Failure::without_message(Some(next_step(first.outcome)))),
    }
}

fn read_lines() -> Result<Vec<LeakedLine>, Failure> {
    if io::stdin().is_terminal() {
        aside("paste the secrets, each on a line of its own, then press Ctrl-D:");
    }
    let mut bytes = Vec::new();
    io::stdin().take(ENOUGH).read_to_end(&mut bytes).map_err(|error| {
        Failure::failed(format!("cannot read the secrets from standard input: {error}"), None)
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    let lines: Vec<LeakedLine> = lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| LeakedLine { number, secret: line.parse() })
        .collect();
    match lines.len() {
        0 => Err(Failure::usage("there is no secret on standard input", "write one secret on each line")),
        1..=MOST if (bytes.len() as u64) < ENOUGH => Ok(lines),
        _ => Err(Failure::usage(
            format!("there are more than {MOST} secrets on standard input"),
            "split them: `split -l 1000`",
        )),
    }
}

/// Reports secrets, and repeats that while the server cannot be reached or cannot decide: one that was ended stays so.
async fn report(
    common: &CommonOptions,
    request: v1::ReportLeakedRequest,
) -> Result<v1::ReportLeakedResponse, Failure> {
    let give_up = Instant::now() + common.timeout;
    let client = reach(common, async || open_without_credential(common).await).await?;
    let mut wait = Wait::until(give_up);
    loop {
        let late = |_| Problem::new(Reason::Unavailable, "no response arrived in time");
        let answer = timeout_at(give_up, client.report_leaked(request.clone())).await.map_err(late);
        match answer.flatten() {
            Ok(answer) => return Ok(answer),
            Err(problem) if problem.class() == Class::Undecided && wait.longer(&problem.message).await => {}
            Err(problem) if problem.class() == Class::Undecided => {
                let message = with_attempt_duration(&problem.message, common.timeout);
                return Err(failed(common, Problem { message, ..problem }));
            }
            Err(problem) => return Err(failed(common, problem)),
        }
    }
}

/// Returns the outcome of each line.
fn merge(lines: &[LeakedLine], answer: v1::ReportLeakedResponse) -> Result<Vec<Reported>, Failure> {
    let mut answered = (0..).zip(answer.reports);
    let mut reported = Vec::with_capacity(lines.len());
    for LeakedLine { number, secret } in lines {
        let (prefix, outcome, text) = match secret {
            Err(why) => (None, PresentedOutcome::Malformed, format!("not a secret: {why}")),
            Ok(secret) => {
                let (_, report) = answered
                    .next()
                    .filter(|(index, report)| *index == report.index)
                    .ok_or_else(|| nonsense("a report is missing"))?;
                let outcome = leak_outcome_from_proto(report.outcome);
                let outcome = outcome.ok_or_else(|| nonsense("a report has an unknown outcome"))?;
                (Some(secret.prefix().to_string()), outcome, sentence(outcome).to_owned())
            }
        };
        reported.push(Reported { line: *number, prefix, outcome, text });
    }
    Ok(reported)
}

fn show(format: Format, reported: &[Reported]) -> Result<(), Failure> {
    let prefix = |reported: &Reported| reported.prefix.clone().unwrap_or_else(|| "-".to_owned());
    match format {
        Format::Table => {
            let row = |row: &Reported| [row.line.to_string(), prefix(row), row.text.clone()];
            let rows = reported.iter().map(row).collect();
            print(&Rows { titles: ["LINE", "PREFIX", "OUTCOME"], rows, last_width: 0 }.table())
        }
        Format::Simple => {
            let line = |row: &Reported| format!("• line {} [{}] {}\n", row.line, prefix(row), row.text);
            print(&reported.iter().map(line).collect::<String>())
        }
        Format::Detailed => {
            for row in reported {
                let line = ("Line", row.line.to_string());
                print(&detailed(&[line, ("Prefix", prefix(row)), ("Outcome", row.text.clone())]))?;
            }
            Ok(())
        }
        Format::Json => {
            let report = |(index, row): (u32, &Reported)| v1::LeakReport {
                index,
                prefix: row.prefix.clone(),
                outcome: leak_outcome_to_proto(row.outcome).into(),
            };
            print_message(&v1::ReportLeakedResponse { reports: (0..).zip(reported).map(report).collect() })
        }
    }
}

/// Describes an outcome.
fn sentence(outcome: PresentedOutcome) -> &'static str {
    match outcome {
        PresentedOutcome::Revoked => "its token is revoked",
        PresentedOutcome::Retired => "retired; its token and the new secret live on",
        PresentedOutcome::RotationDropped => "dropped; its token and the other secret live on",
        PresentedOutcome::SessionEnded => "its session is ended",
        PresentedOutcome::AlreadyDead => "had ended before",
        PresentedOutcome::ReuseRecorded => "had been replaced before; recorded as reuse",
        PresentedOutcome::ServiceReported => "a service's, and still works; the operator is told",
        PresentedOutcome::Unknown => "unknown to this server",
        PresentedOutcome::Malformed => "not a secret of ndauth",
    }
}

/// Returns the next step for the first secret that may still work.
fn next_step(outcome: PresentedOutcome) -> &'static str {
    match outcome {
        PresentedOutcome::ServiceReported => "tell the operator to rotate it: `ndcli admin service rotate`",
        PresentedOutcome::Malformed => "write each secret whole and alone on a line: it has 49 characters",
        _ => "if it is another server's, name that: `--server URL`",
    }
}
