//! A login by a code: the person types it in a browser that may be anywhere (RFC 8628).

use std::time::Duration;

use ndauth_terminal::{Failure, aside, shown, warn};
use tokio::time::{Instant, sleep};

use super::browser::device_name;
use super::logins::Login;
use super::oauth::{self, Error, Issuer};
use crate::settings::Common;
use crate::terminal::left_told;

/// RFC 8628, section 3.5: so much longer between two questions, where the server says that it is too often.
const SLOWER: Duration = Duration::from_secs(5);
/// The longest between two questions, where the server cannot be reached.
const LONGEST: Duration = Duration::from_secs(60);

/// Asking whether the code was typed in.
struct Polling {
    interval: Duration,
    left: Duration,
}

/// What an answer to it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Nobody typed the code in yet.
    Pending,
    /// That, and that it is asked too often.
    SlowDown,
    /// Nothing: there was no decision.
    Undecided,
    /// Something that no waiting changes.
    Over,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Wait(Duration),
    /// What was told is the end of it.
    Stop,
    /// The code has ended.
    Late,
}

/// Shows a code, and waits until it is typed in.
pub(crate) async fn log_in(common: &Common, issuer: &Issuer) -> Result<Login, Failure> {
    if !issuer.device {
        let message = format!("the server `{}` lets no device in by a code", common.server);
        let hint = "log in where there is a browser, or by `ndcli auth login --with-token`";
        return Err(Failure::failed(message, Some(hint)));
    }
    let device = oauth::begin_device(common, issuer, &device_name()).await?;
    let lasts = left_told(device.lasts);
    aside(&format!(
        "to log in, open this address in a browser on any machine:\n    {}\nand type this code there:\n    {}\n\
         waiting for it, for {lasts} at the most; Ctrl-C stops",
        shown(&device.address),
        shown(&device.user_code)
    ));
    let ends = Instant::now() + device.lasts;
    let mut polling = Polling { interval: device.interval, left: device.lasts };
    let mut next = polling.next(Told::Pending);
    let mut reached = true;
    loop {
        match next {
            Next::Wait(pause) => sleep(pause).await,
            Next::Stop | Next::Late => {
                let hint = "log in again: `ndcli auth login`";
                return Err(Failure::failed("the code was not typed in in time", Some(hint)));
            }
        }
        polling.left = ends.saturating_duration_since(Instant::now());
        let error = match oauth::poll_device(common, &device.code).await {
            Ok(login) => return Ok(login),
            Err(error) => error,
        };
        let told = Told::by(&error);
        next = polling.next(told);
        if next == Next::Stop {
            return Err(error.into());
        }
        if let Error::Failed(failure) = error
            && reached
        {
            warn(&format!("{}; trying again", failure.message));
        }
        reached = told != Told::Undecided;
    }
}

impl Told {
    fn by(error: &Error) -> Told {
        match error {
            Error::Refused(refused) => match refused.code.as_str() {
                "authorization_pending" => Told::Pending,
                "slow_down" => Told::SlowDown,
                _ => Told::Over,
            },
            Error::Failed(_) if error.is_undecided() => Told::Undecided,
            Error::Failed(_) => Told::Over,
        }
    }
}

impl Polling {
    /// What comes after an answer.
    fn next(&mut self, told: Told) -> Next {
        match told {
            Told::Over => return Next::Stop,
            Told::Pending => {}
            Told::SlowDown => self.interval += SLOWER,
            Told::Undecided => self.interval = (self.interval * 2).min(LONGEST.max(self.interval)),
        }
        if self.left <= self.interval { Next::Late } else { Next::Wait(self.interval) }
    }
}

#[cfg(test)]
mod tests {
    use ndauth_core::{Problem, Reason};

    use super::*;
    use crate::login::oauth::Refused;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_asks_as_often_as_it_may() {
        for (told, left, next, interval) in [
            (Told::Pending, 600, Next::Wait(seconds(5)), 5),
            (Told::SlowDown, 600, Next::Wait(seconds(10)), 10),
            (Told::Undecided, 600, Next::Wait(seconds(10)), 10),
            (Told::Pending, 5, Next::Late, 5),
            (Told::SlowDown, 8, Next::Late, 10),
            (Told::Over, 600, Next::Stop, 5),
        ] {
            let mut polling = Polling { interval: seconds(5), left: seconds(left) };
            assert_eq!(polling.next(told), next, "{told:?} with {left} s left");
            assert_eq!(polling.interval, seconds(interval), "{told:?}");
        }
    }

    #[test]
    fn a_server_out_of_reach_is_asked_ever_less_often() {
        let mut polling = Polling { interval: seconds(5), left: seconds(600) };
        let pauses: Vec<Next> = (0..5).map(|_| polling.next(Told::Undecided)).collect();
        assert_eq!(pauses, [10, 20, 40, 60, 60].map(|pause| Next::Wait(seconds(pause))));
        let mut patient = Polling { interval: seconds(90), left: seconds(600) };
        assert_eq!(
            patient.next(Told::Undecided),
            Next::Wait(seconds(90)),
            "never more often than it was told to"
        );
    }

    #[test]
    fn answers_say_whether_to_go_on() {
        let refused = |code: &str| {
            Error::Refused(Refused { code: code.to_owned(), description: String::new(), retry_after: None })
        };
        assert_eq!(Told::by(&refused("authorization_pending")), Told::Pending);
        assert_eq!(Told::by(&refused("slow_down")), Told::SlowDown);
        for over in ["access_denied", "expired_token", "invalid_grant", "invalid_client", "anything"] {
            assert_eq!(Told::by(&refused(over)), Told::Over, "{over}");
        }
        let failed = |reason| Error::Failed(Problem::new(reason, "why").into());
        assert_eq!(Told::by(&failed(Reason::Unavailable)), Told::Undecided);
        assert_eq!(Told::by(&failed(Reason::Internal)), Told::Over);
    }
}
