//! The ends of orgs' tokens, for the metrics of orgs that asked for them.

use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Label, OrgSlug, Orgs, Timestamp};

use crate::{AuthorityError, OperatorWing};

/// The ends of the live tokens of some orgs, as of an instant.
#[derive(Clone, Debug)]
pub struct OrgTokenEnds {
    /// The instant by the database's clock, and by this machine's.
    read: (Timestamp, SinceBoot),
    ends: Vec<(OrgSlug, Label, Timestamp)>,
    /// The orgs that were named and that there are none of.
    pub unknown: Vec<OrgSlug>,
    /// True if there are more tokens or orgs than are shown.
    pub is_cut: bool,
}

/// The age at which the ends that were read are no longer shown.
const KEPT: Duration = Duration::from_secs(60);

impl OrgTokenEnds {
    /// The most orgs whose tokens are shown.
    pub const MOST_ORGS: usize = 200;
    /// The most tokens of an org that are shown: those that end next.
    pub const MOST_OF_AN_ORG: usize = 100;
    /// The most tokens that are shown in all: those that end next.
    pub const MOST: usize = 5_000;

    /// Returns the org, the token's name and the seconds to its end, of each token that is still live. There are none
    /// once they were read too long ago.
    pub fn seconds(&self) -> impl Iterator<Item = (&str, &str, f64)> {
        let (read, at) = self.read;
        let age = SinceBoot::now().since(at);
        let now = read.checked_add(age).unwrap_or(Timestamp::MAX);
        let live = self.ends.iter().filter(move |(.., end)| age <= KEPT && *end > now);
        live.map(move |(org, token, end)| (org.as_str(), token.as_str(), end.since(now).as_secs_f64()))
    }
}

impl OperatorWing<'_> {
    /// Reads the ends of the live tokens of orgs, those that end next first. Deleted orgs have none.
    pub async fn org_token_ends(self, orgs: &Orgs<OrgSlug>) -> Result<OrgTokenEnds, AuthorityError> {
        let begun = SinceBoot::now();
        let read = self.0.store.read().await?;
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        match orgs {
            Orgs::All => found = read.list_orgs_page(false, None, count(OrgTokenEnds::MOST_ORGS + 1)).await?,
            Orgs::Only(slugs) => {
                for slug in slugs {
                    match read.find_org_by_slug(slug).await?.filter(|org| org.deleted_at.is_none()) {
                        Some(org) => found.push(org),
                        None => unknown.push(slug.clone()),
                    }
                }
            }
        }
        let mut is_cut = found.len() > OrgTokenEnds::MOST_ORGS;
        found.truncate(OrgTokenEnds::MOST_ORGS);
        let mut ends = Vec::new();
        for org in found {
            let mut of_org =
                read.list_org_token_ends(org.id, count(OrgTokenEnds::MOST_OF_AN_ORG + 1)).await?;
            is_cut |= of_org.len() > OrgTokenEnds::MOST_OF_AN_ORG;
            of_org.truncate(OrgTokenEnds::MOST_OF_AN_ORG);
            ends.extend(of_org.into_iter().map(|(name, end)| (org.slug.clone(), name, end)));
        }
        ends.sort_by_key(|(.., end)| *end);
        is_cut |= ends.len() > OrgTokenEnds::MOST;
        ends.truncate(OrgTokenEnds::MOST);
        Ok(OrgTokenEnds { read: (read.now(), begun), ends, unknown, is_cut })
    }
}

fn count(most: usize) -> u64 {
    most.try_into().unwrap_or(u64::MAX)
}
