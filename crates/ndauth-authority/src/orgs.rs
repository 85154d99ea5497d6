//! Orgs: created and deleted, their members and the memberships that they offer, their policies, and their
//! freeze.

mod impact;
mod members;
mod offers;
mod org;
mod policies;

pub use impact::{BrokenToken, Impact};
pub use members::{MemberList, MemberShown, MemberWithTokens};
pub(crate) use offers::OFFERED_TO;
pub use offers::{Acceptance, OfferShown};
pub use org::{NewOrg, OrgShown};
pub(crate) use org::{live_org, unfrozen};
pub use policies::{Announced, MyOrg, NewPolicy, PoliciesShown, PolicySet};
pub(crate) use policies::{NETWORKS, name_networks};
