//! The device flow (RFC 8628): a device without a browser waits until a person types its code in a browser
//! and authorizes it.

use std::net::IpAddr;
use std::time::Duration;

use ndauth_core::{DisplayName, OneTime, Secret, SecretHash, SessionId, Timestamp, UserCode};
use ndauth_store::{Read, Ticket, TicketKind};
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};

use super::codes::{ENDED, GrantError, live_account, read_details, ticket, written};
use super::sessions::{Granted, Visitor};
use crate::access::Operation;
use crate::change::change_without_caller;
use crate::limits::{WAITING_DEVICES, network};
use crate::throttle::Tried;
use crate::{AuthorityError, LoginWing, Visit};

/// A device that waits to be authorized.
#[derive(Debug)]
pub struct StartedDevice {
    /// The code that the device polls with.
    pub device_code: OneTime,
    /// The code that the person types.
    pub user_code: UserCode,
    /// The lifetime of both codes.
    pub lasts: Duration,
    /// The least time between two polls.
    pub interval: Duration,
}

/// A waiting device, as its person sees it.
#[derive(Debug)]
pub struct WaitingDevice {
    /// The device's name, as it states.
    pub device: Option<DisplayName>,
    /// The address that the device's request came from, if known.
    pub address: Option<IpAddr>,
    /// The instant of the device's request.
    pub asked_at: Timestamp,
    /// The instant of the response.
    pub now: Timestamp,
}

/// The stored details of a waiting device.
#[derive(Serialize, Deserialize)]
struct Device {
    device: Option<String>,
    address: Option<IpAddr>,
    decided: Option<Decided>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decided {
    /// Authorized by this session, and only while it lives.
    Allowed(SessionId),
    Denied,
}

/// The time for which a device waits.
const DEVICE: Duration = Duration::from_secs(10 * 60);
/// The least time between two polls.
const INTERVAL: Duration = Duration::from_secs(5);

const UNKNOWN: GrantError = GrantError::InvalidGrant("the device code is not known");

impl WaitingDevice {
    /// Returns the device's name, or a text for a device without one.
    pub fn name(&self) -> &str {
        self.device.as_ref().map_or("an unnamed device", DisplayName::as_str)
    }
}

impl LoginWing<'_> {
    /// Starts the device flow: the device waits until a person authorizes it.
    pub async fn begin_device(self, visitor: &Visitor) -> Result<StartedDevice, GrantError> {
        if !self.0.login_settings.device {
            return Err(GrantError::NotOffered);
        }
        let now = self.0.store.moment().await?.now;
        self.0.throttle.take(&[Tried::DeviceFrom(network(visitor.address))], now)?;
        let begun = change_without_caller(self.0, Operation::AskForDevice, |callerless| async move {
            let waiting = callerless.count_tickets(TicketKind::Device, None).await?;
            if usize::try_from(waiting).is_ok_and(|waiting| waiting >= WAITING_DEVICES.total) {
                WAITING_DEVICES.count_refusal();
                return Err(AuthorityError::TooManyTries { after: DEVICE }.into());
            }
            let (device_code, user_code) = (OneTime::mint(&mut SysRng)?, UserCode::mint(&mut SysRng)?);
            let details = Device {
                device: visitor.device.as_ref().map(ToString::to_string),
                address: visitor.address,
                decided: None,
            };
            let ticket = ticket(&callerless, &device_code, TicketKind::Device, DEVICE, &details);
            callerless.insert_ticket(&Ticket { user_code: Some(user_code.hash()), ..ticket }).await?;
            Ok::<_, GrantError>(callerless.observed(StartedDevice {
                device_code,
                user_code,
                lasts: DEVICE,
                interval: INTERVAL,
            }))
        });
        begun.await.map(|done| done.value)
    }

    /// Returns the device waiting with the code that a person typed.
    pub async fn find_waiting_device(
        self,
        cookie: &Secret,
        visitor: &Visitor,
        user_code: &str,
    ) -> Result<WaitingDevice, AuthorityError> {
        let Visit { account, now, .. } = self.visit(cookie, visitor).await?;
        let typed = Tried::CodeBy(account.id);
        self.0.throttle.take(std::slice::from_ref(&typed), now)?;
        let read = self.0.store.read().await?;
        let (ticket, details) = waiting(&read, user_code).await?;
        self.0.throttle.give_back(&typed);
        Ok(WaitingDevice {
            device: details.device.and_then(|device| device.parse().ok()),
            address: details.address,
            asked_at: ticket.created_at,
            now: read.now(),
        })
    }

    /// Authorizes a waiting device, or denies it.
    pub async fn decide_device(
        self,
        cookie: &Secret,
        visitor: &Visitor,
        user_code: &str,
        allow: bool,
    ) -> Result<(), AuthorityError> {
        let Visit { account, session, now } = self.visit(cookie, visitor).await?;
        let typed = Tried::CodeBy(account.id);
        self.0.throttle.take(std::slice::from_ref(&typed), now)?;
        let (id, session) = (account.id, session.id);
        change_without_caller(self.0, Operation::LetDeviceIn, |callerless| async move {
            // Concurrent decisions of one account wait for each other.
            callerless.account(id).await?;
            callerless.session(session).await?.ok_or(AuthorityError::SessionExpired)?;
            let (ticket, mut details) = waiting(&callerless, user_code).await?;
            details.decided = Some(if allow { Decided::Allowed(session) } else { Decided::Denied });
            let account = Some(id);
            callerless.update_ticket(&Ticket { account, details: written(&details), ..ticket }).await?;
            Ok::<_, AuthorityError>(callerless.observed(()))
        })
        .await?;
        self.0.throttle.give_back(&typed);
        Ok(())
    }

    /// Gives an authorized device a session, once.
    pub async fn poll_device(self, device_code: &str, visitor: &Visitor) -> Result<Granted, GrantError> {
        if !self.0.login_settings.device {
            return Err(GrantError::NotOffered);
        }
        let hash = OneTime::hash_of(device_code);
        let read = self.0.store.read().await?;
        self.0.standing.admit(Operation::IssueTokens, read.installation())?;
        let (ticket, details) = device(&read, &hash).await?;
        let now = read.now();
        drop(read);
        // A device that only polls never blocks a writer.
        if details.decided.is_none() {
            let soon = self.0.throttle.take(&[Tried::Poll(hash)], now).is_err();
            return Err(if soon { GrantError::SlowDown } else { GrantError::Pending });
        }
        if let (Some(Decided::Allowed(_)), Some(account)) = (details.decided, ticket.account) {
            self.0.throttle.take(&[Tried::Login(account)], now)?;
        }
        let hash = &hash;
        let granted = change_without_caller(self.0, Operation::IssueTokens, |callerless| async move {
            let (ticket, details) = device(&callerless, hash).await?;
            let (Some(Decided::Allowed(by)), Some(account)) = (details.decided, ticket.account) else {
                return Err(GrantError::Denied);
            };
            let account = live_account(callerless.account(account).await?)?;
            callerless.session(by).await?.ok_or(ENDED)?;
            if !callerless.use_ticket(&ticket).await? {
                return Err(GrantError::InvalidGrant("the device was authorized before"));
            }
            let device = details.device.as_ref().and_then(|device| device.parse().ok());
            let visitor = Visitor { device: device.or(visitor.device.clone()), ..visitor.clone() };
            // The person who typed the code may not be the one who uses the device, so the session proves
            // nothing.
            let session = self.new_session(account.id, &visitor, callerless.now())?;
            callerless.insert_session(&session).await?;
            let granted = self.grant(&callerless, &session).await?;
            Ok::<_, GrantError>(self.begin_session(callerless, &session, granted).await?)
        });
        granted.await.map(|done| done.value)
    }
}

/// Returns the device that waits with a code that a person typed.
async fn waiting(read: &Read, typed: &str) -> Result<(Ticket, Device), AuthorityError> {
    let none = || AuthorityError::NotFound { what: "device waiting with the code", name: typed.to_owned() };
    let code: UserCode = typed.parse().map_err(|why| AuthorityError::invalid("user_code", why))?;
    let ticket = read.find_device(&code.hash()).await?.ok_or_else(none)?;
    let details: Device = read_details(&ticket)?;
    let waits = ticket.used_at.is_none() && ticket.expires_at > read.now() && details.decided.is_none();
    if waits { Ok((ticket, details)) } else { Err(none()) }
}

/// Returns the device that polls with a code, unless it was authorized before or the code expired.
async fn device(read: &Read, hash: &SecretHash) -> Result<(Ticket, Device), GrantError> {
    let ticket = read.find_ticket(hash).await?.filter(|found| found.kind == TicketKind::Device);
    let ticket = ticket.ok_or(UNKNOWN)?;
    if ticket.used_at.is_some() {
        return Err(GrantError::InvalidGrant("the device was authorized before"));
    }
    if ticket.expires_at <= read.now() {
        return Err(GrantError::Expired);
    }
    let details = read_details(&ticket)?;
    Ok((ticket, details))
}
