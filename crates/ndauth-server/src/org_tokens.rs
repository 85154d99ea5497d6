//! The ends of orgs' tokens, read again and again for the metrics.

use std::sync::Arc;

use ndauth_authority::{Authority, OrgTokenEnds};
use ndauth_core::{Causes, OrgSlug, Orgs};
use tokio::sync::watch;

use crate::ticks::Ticks;

/// Reads the ends of the tokens of these orgs at each tick. What is wrong is logged once, until it is right again.
pub(crate) async fn watch_org_tokens(
    authority: Arc<Authority>,
    orgs: Orgs<OrgSlug>,
    show: watch::Sender<Option<Arc<OrgTokenEnds>>>,
    mut ticks: Ticks,
) {
    let (mut failing, mut unknown, mut is_cut) = (false, Vec::new(), false);
    while ticks.next().await {
        let ends = match authority.operator().org_token_ends(&orgs).await {
            Ok(ends) => ends,
            Err(error) => {
                if !failing {
                    tracing::warn!(error = %Causes(&error), "the ends of orgs' tokens are not in the metrics");
                }
                failing = true;
                continue;
            }
        };
        failing = false;
        if ends.unknown != unknown {
            for org in ends.unknown.iter().filter(|org| !unknown.contains(org)) {
                tracing::warn!(%org, "`org-token-expiry` names an org that does not exist");
            }
            unknown.clone_from(&ends.unknown);
        }
        if ends.is_cut && !is_cut {
            tracing::warn!(
                orgs = OrgTokenEnds::MOST_ORGS,
                tokens_of_an_org = OrgTokenEnds::MOST_OF_AN_ORG,
                tokens = OrgTokenEnds::MOST,
                "the metrics show only those tokens of orgs that end next"
            );
        }
        is_cut = ends.is_cut;
        show.send_replace(Some(Arc::new(ends)));
    }
}
