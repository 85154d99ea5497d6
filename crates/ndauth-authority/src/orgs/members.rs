//! The members of an org, as its members see them and its admins set them.

use ndauth_core::{Account, AccountId, Change, Handle, Org, OrgSlug, Personal, Role, Timestamp, TokenView};
use ndauth_store::{Member, MemberPage, Read, StoreError};

use super::org::unfrozen;
use crate::access::{Admitted, Operation, Whose};
use crate::change::{Changed, Changing, Done, change};
use crate::reading::account;
use crate::{AuthorityError, Caller, Credential, OrgWing};

/// A member of an org.
#[derive(Debug)]
pub struct MemberShown {
    /// The member's account.
    pub account: AccountId,
    /// The member's handle.
    pub handle: Handle,
    /// The member's role.
    pub role: Role,
    /// The instant at which the role was set.
    pub since: Timestamp,
}

/// A page of an org's members.
#[derive(Debug)]
pub struct MemberList {
    /// The org.
    pub org: Org,
    /// The role by which the caller sees it.
    pub role: Role,
    /// The members, by handle.
    pub members: Vec<MemberShown>,
    /// The handle after which the next page begins, if there is one.
    pub next: Option<Handle>,
}

/// A member of an org, as its admins see it.
#[derive(Debug)]
pub struct MemberWithTokens {
    /// The member.
    pub member: MemberShown,
    /// Its live tokens that are for all orgs, or name this one. Of their uses only those in the org are shown.
    pub tokens: Vec<TokenView>,
}

impl OrgWing<'_> {
    /// Lists the members of an org, by handle.
    pub async fn list_members(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        page: &MemberPage,
    ) -> Result<MemberList, AuthorityError> {
        let (read, by) =
            self.0.read_as(credential, Operation::ListMembers, &Whose::Org(slug.clone())).await?;
        let (org, role) = (by.org()?.clone(), by.role()?);
        // One more than the page holds shows whether another page follows.
        let one_more = MemberPage { after: page.after.clone(), limit: page.limit.saturating_add(1) };
        let found = read.list_members_page(org.id, &one_more).await?;
        let mut members: Vec<MemberShown> =
            found.into_iter().map(|(account, member)| shown(account, &member)).collect();
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = members.len() > limit;
        members.truncate(limit);
        let next = members.last().filter(|_| more).map(|member| member.handle.clone());
        Ok(MemberList { org, role, members, next })
    }

    /// Returns a member of an org with its tokens that may have power there, for the org's admins.
    pub async fn get_member(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        handle: &Handle,
    ) -> Result<MemberWithTokens, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        let (read, by) = self.0.read_as(credential, Operation::ListPersonalTokens, &whose).await?;
        let org = by.org()?.id;
        let found = read.find_member(org, handle).await?;
        let (account, member) = found.ok_or_else(|| no_member(handle, slug))?;
        let tokens = read.list_live_tokens_for(account.id, org).await?;
        let tokens = self.0.tokens().views(&read, &by, tokens).await?;
        Ok(MemberWithTokens { member: shown(account, &member), tokens })
    }

    /// Adds an account to an org without an offer: for operators, who need nobody's consent. An operator's session adds neither
    /// its own account nor changes who is a member already; the console may do both.
    pub async fn add_member(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        handle: &Handle,
        role: Role,
    ) -> Result<Changed<MemberShown>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        change(self.0, credential, Operation::AddMember, &whose, |changing| async move {
            let member = changing.find_member(changing.by.org()?.id, handle).await?;
            if !matches!(changing.by.caller, Caller::Console) {
                if changing.by.account()?.handle == *handle {
                    let why = format!(
                        "`{handle}` is your own account: another operator adds it, or `ndauthd admin`"
                    );
                    return Err(AuthorityError::invalid("handle", why));
                }
                if member.is_some() {
                    let why = format!("`{handle}` is already a member: an admin of the org changes the role");
                    return Err(AuthorityError::invalid("handle", why));
                }
            }
            match member {
                Some((account, before)) => set_role(changing, account, Some(before), role).await,
                None => {
                    let account = account(&changing, handle).await?;
                    set_role(changing, account, None, role).await
                }
            }
        })
        .await
    }

    /// Changes the role of a member of an org. Fails for an account that is no member, which can be offered a
    /// membership instead.
    pub async fn set_member(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        handle: &Handle,
        role: Role,
    ) -> Result<Changed<MemberShown>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        change(self.0, credential, Operation::SetMember, &whose, |changing| async move {
            let found = changing.find_member(changing.by.org()?.id, handle).await?;
            let (account, before) = found.ok_or_else(|| no_member(handle, slug))?;
            set_role(changing, account, Some(before), role).await
        })
        .await
    }

    /// Removes an account from an org.
    pub async fn remove_member(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        handle: &Handle,
    ) -> Result<Changed<()>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        change(self.0, credential, Operation::RemoveMember, &whose, |changing| async move {
            let org = changing.by.org()?.id;
            let found = changing.find_member(org, handle).await?;
            let (account, _) = found.ok_or_else(|| no_member(handle, slug))?;
            refuse_if_frozen(&changing.by)?;
            keep_an_admin(&changing, &changing.by, &account).await?;
            changing.remove_member(account.id, org).await?;
            let change = Change::MemberRemoved { org, account: account.id };
            Ok(changing.done(change, Personal::new(), ()))
        })
        .await
    }
}

fn shown(account: Account, member: &Member) -> MemberShown {
    MemberShown { account: account.id, handle: account.handle, role: member.role, since: member.set_at }
}

/// Gives an account a role in the org that the caller was admitted in, where it has had a role `before` or none.
async fn set_role(
    changing: Changing,
    account: Account,
    before: Option<Member>,
    role: Role,
) -> Result<Done<MemberShown>, AuthorityError> {
    refuse_if_frozen(&changing.by)?;
    if let Some(member) = before
        && member.role == role
    {
        let member = MemberShown { account: account.id, handle: account.handle, role, since: member.set_at };
        return Ok(changing.unchanged(member));
    }
    if role != Role::Admin {
        keep_an_admin(&changing, &changing.by, &account).await?;
    }
    let (org, since) = (changing.by.org()?.id, changing.now());
    let offer = changing.set_role(account.id, org, role).await?;
    let change = Change::MemberSet { org, account: account.id, role, offer };
    let member = MemberShown { account: account.id, handle: account.handle, role, since };
    Ok(changing.done(change, Personal::new(), member))
}

/// Returns the error for an account that is no member of an org. It is the same for an unknown handle.
fn no_member(handle: &Handle, slug: &OrgSlug) -> AuthorityError {
    AuthorityError::none("member", format!("{handle} of {slug}"))
}

/// Refuses to change the members of a frozen org, except at the console.
fn refuse_if_frozen(by: &Admitted) -> Result<(), AuthorityError> {
    if matches!(by.caller, Caller::Console) { Ok(()) } else { unfrozen(by.org()?) }
}

/// Refuses to take the role of an org's only admin, except at the console, because nobody could give it to
/// another.
async fn keep_an_admin(read: &Read, by: &Admitted, account: &Account) -> Result<(), AuthorityError> {
    if matches!(by.caller, Caller::Console) {
        return Ok(());
    }
    let org = by.org()?;
    let members = read.list_members(org.id).await?;
    let admins = members.iter().filter(|member| member.role == Role::Admin).map(|member| member.account);
    // A disabled admin cannot give anybody a role.
    let accounts = read.accounts_by_id(admins).await?;
    let mut admins = accounts.values().filter(|account| account.disabled_at.is_none());
    match (admins.next(), admins.next()) {
        (Some(only), None) if only.id == account.id => {
            Err(AuthorityError::LastAdmin { handle: account.handle.clone(), org: org.slug.clone() })
        }
        _ => Ok(()),
    }
}

/// Returns the error for a member without an account, which the schema rules out.
pub(super) fn missing(account: AccountId) -> StoreError {
    StoreError::Corrupt { table: "membership", column: "account_id", id: account.to_string() }
}
