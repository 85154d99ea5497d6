//! Login by a code that the person types in a browser on any machine (RFC 8628).

use std::time::Duration;

use ndauth_terminal::{Failure, aside, shown, warn};
use tokio::time::{Instant, sleep};

use super::browser::device_name;
use super::logins::Login;
use super::oauth::{self, Error, Issuer};
use crate::settings::CommonOptions;
use crate::terminal::format_remaining;

/// The amount by which the polling interval grows when the server replies `slow_down` (RFC 8628, section
/// 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// The maximum polling interval while the server cannot be reached.
const LONGEST: Duration = Duration::from_secs(60);

/// The state of polling for the login.
struct Polling {
    interval: Duration,
    left: Duration,
}

/// The server's reply to a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PollResponse {
    /// The person has not typed the code yet.
    Pending,
    /// The same, and the polling is too frequent.
    SlowDown,
    /// The server could not be reached or could not decide.
    Undecided,
    /// Any other reply, which further polling cannot change.
    Over,
}

/// The next step after a reply.
#[derive(Debug, PartialEq, Eq)]
enum PollStep {
    Wait(Duration),
    /// The reply is final.
    Stop,
    /// The code has expired.
    Late,
}

/// Shows a code, and waits until the person has typed it.
pub(crate) async fn log_in(common: &CommonOptions, issuer: &Issuer) -> Result<Login, Failure> {
    if !issuer.device {
        let message = format!("the server `{}` does not authorize devices by code", common.server);
        let hint = "log in with a browser, or with `ndcli auth login --with-token`";
        return Err(Failure::failed(message, Some(hint)));
    }
    let device = oauth::begin_device(common, issuer, &device_name()).await?;
    let lasts = format_remaining(device.lasts);
    aside(&format!(
        "to log in, open this address in a browser on any machine:\n    {}\nand type this code there:\n    {}\n\
         waiting for it, for {lasts} at the most; Ctrl-C stops",
        shown(&device.address),
        shown(&device.user_code)
    ));
    let ends = Instant::now() + device.lasts;
    let mut polling = Polling { interval: device.interval, left: device.lasts };
    let mut next = polling.next(PollResponse::Pending);
    let mut reached = true;
    loop {
        match next {
            PollStep::Wait(pause) => sleep(pause).await,
            PollStep::Stop | PollStep::Late => {
                let hint = "log in again: `ndcli auth login`";
                return Err(Failure::failed("the code was not entered in time", Some(hint)));
            }
        }
        polling.left = ends.saturating_duration_since(Instant::now());
        let error = match oauth::poll_device(common, &device.code).await {
            Ok(login) => return Ok(login),
            Err(error) => error,
        };
        let response = PollResponse::by(&error);
        next = polling.next(response);
        if next == PollStep::Stop {
            return Err(error.into());
        }
        if let Error::Failed(failure) = error
            && reached
        {
            warn(&format!("{}; trying again", failure.message));
        }
        reached = response != PollResponse::Undecided;
    }
}

impl PollResponse {
    fn by(error: &Error) -> PollResponse {
        match error {
            Error::Refused(refused) => match refused.code.as_str() {
                "authorization_pending" => PollResponse::Pending,
                "slow_down" => PollResponse::SlowDown,
                _ => PollResponse::Over,
            },
            Error::Failed(_) if error.is_undecided() => PollResponse::Undecided,
            Error::Failed(_) => PollResponse::Over,
        }
    }
}

impl Polling {
    /// Returns the step after a reply.
    fn next(&mut self, response: PollResponse) -> PollStep {
        match response {
            PollResponse::Over => return PollStep::Stop,
            PollResponse::Pending => {}
            PollResponse::SlowDown => self.interval += SLOWER,
            PollResponse::Undecided => self.interval = (self.interval * 2).min(LONGEST.max(self.interval)),
        }
        if self.left <= self.interval { PollStep::Late } else { PollStep::Wait(self.interval) }
    }
}

#[cfg(test)]
mod tests {
    use ndauth_core::{Problem, Reason};

    use super::*;
    use crate::login::oauth::ErrorResponse;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn polling_follows_the_servers_interval() {
        for (response, left, next, interval) in [
            (PollResponse::Pending, 600, PollStep::Wait(seconds(5)), 5),
            (PollResponse::SlowDown, 600, PollStep::Wait(seconds(10)), 10),
            (PollResponse::Undecided, 600, PollStep::Wait(seconds(10)), 10),
            (PollResponse::Pending, 5, PollStep::Late, 5),
            (PollResponse::SlowDown, 8, PollStep::Late, 10),
            (PollResponse::Over, 600, PollStep::Stop, 5),
        ] {
            let mut polling = Polling { interval: seconds(5), left: seconds(left) };
            assert_eq!(polling.next(response), next, "{response:?} with {left} s left");
            assert_eq!(polling.interval, seconds(interval), "{response:?}");
        }
    }

    #[test]
    fn polling_slows_down_while_the_server_is_unreachable() {
        let mut polling = Polling { interval: seconds(5), left: seconds(600) };
        let pauses: Vec<PollStep> = (0..5).map(|_| polling.next(PollResponse::Undecided)).collect();
        assert_eq!(pauses, [10, 20, 40, 60, 60].map(|pause| PollStep::Wait(seconds(pause))));
        let mut patient = Polling { interval: seconds(90), left: seconds(600) };
        assert_eq!(
            patient.next(PollResponse::Undecided),
            PollStep::Wait(seconds(90)),
            "never more often than the server allows"
        );
    }

    #[test]
    fn answers_say_whether_to_go_on() {
        let refused = |code: &str| {
            Error::Refused(ErrorResponse {
                code: code.to_owned(),
                description: String::new(),
                retry_after: None,
            })
        };
        assert_eq!(PollResponse::by(&refused("authorization_pending")), PollResponse::Pending);
        assert_eq!(PollResponse::by(&refused("slow_down")), PollResponse::SlowDown);
        for over in ["access_denied", "expired_token", "invalid_grant", "invalid_client", "anything"] {
            assert_eq!(PollResponse::by(&refused(over)), PollResponse::Over, "{over}");
        }
        let failed = |reason| Error::Failed(Problem::new(reason, "why").into());
        assert_eq!(PollResponse::by(&failed(Reason::Unavailable)), PollResponse::Undecided);
        assert_eq!(PollResponse::by(&failed(Reason::Internal)), PollResponse::Over);
    }
}
