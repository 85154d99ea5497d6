//! `ndauthd dev`: a scratch installation on this machine alone, and commands to try it with.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ndauth_authority::{
    Authority, AuthorityError, Clock, Credential, DatabaseUrl, Freshness, Link, LoginSettings, NewAccount,
    NewOrg, NewService, NextCatalogue,
};
use ndauth_core::{ExpiryChoice, Handle, Label, OrgSlug, Orgs, Role, Secret};
use ndauth_server::front::Limits;
use ndauth_server::{
    LogFormat, MailRoute, MailSettings, ServeOptions, Serving, log_to_stderr, parse_mail_from, serve,
    sign_in_url,
};
use ndauth_terminal::{Failure, print, quoted};

use crate::arguments::{Dev, GlobalOptions};
use crate::presets::Preset;
use crate::report::{authority_failure, serve_failure};
use crate::user::refuse_foreign_database;

/// The file that marks a folder as one that `dev` made.
const MARK: &str = "made-by-ndauthd-dev";
/// The folder of the mails, within that of the installation.
const MAILS: &str = "mails";

/// A folder with an installation in it.
struct InstallationFolder {
    folder: PathBuf,
    /// The temporary folder, which is removed when this is dropped. `None` if the folder is kept.
    scratch: Option<tempfile::TempDir>,
}

/// Serves a scratch installation until it is stopped.
pub(crate) fn run(common: &GlobalOptions, dev: &Dev) -> Result<(), Failure> {
    if common.database.is_some() {
        let message = "`dev` makes its own database, and does not use the one that is named";
        return Err(Failure::usage(
            message,
            "unset NDAUTHD_DATABASE and leave `--database` out; or `ndauthd serve`",
        ));
    }
    for address in [dev.listen, dev.admin_listen] {
        if !address.ip().is_loopback() {
            let message = format!("`dev` is for this machine only, and `{address}` can be reached by others");
            return Err(Failure::usage(message, "`ndauthd serve` is for others"));
        }
    }
    log_to_stderr(LogFormat::Text, "warn", None);
    let installation = InstallationFolder::open(dev.keep.as_deref())?;
    let database = DatabaseUrl::Sqlite(installation.folder.join("ndauth.db"));
    refuse_foreign_database(&database)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let options = ServeOptions {
        listen: dev.listen,
        admin_listen: dev.admin_listen,
        database,
        secret_files: Vec::new(),
        data: Some(installation.folder.clone()),
        tls: None,
        plaintext_beyond_loopback: false,
        drain: std::time::Duration::from_secs(1),
        freshness: Freshness::default(),
        limits: Limits::default(),
        public_url: common.public_url.clone(),
        cors_origins: Vec::new(),
        traces: None,
        org_token_expiry: None,
        logins: LoginSettings::default(),
        mail: Some(MailSettings {
            route: MailRoute::Folder(installation.folder.join(MAILS)),
            from: parse_mail_from("ndauth <ndauth@example.org>").expect("a sender"),
            login: None,
            authorities: None,
            plaintext: false,
        }),
    };
    let served = runtime.block_on(async {
        let (session, service, link) =
            populate(&options.database).await.map_err(|error| authority_failure(&error))?;
        fs::write(installation.folder.join("session"), session.expose())?;
        fs::write(installation.folder.join("service"), service.expose())?;
        let on_ready = |serving: Serving| {
            // A closed terminal is no reason to fail.
            let reached = options.public_url.clone().unwrap_or_else(|| format!("http://{}", serving.address));
            let _ = print(&installation.script(serving.address, &sign_in_url(&reached, link.code.expose())));
        };
        serve(&options, None, on_ready).await.map_err(|error| serve_failure(&error))
    });
    runtime.shutdown_background();
    served
}

/// Creates the accounts, orgs and services that are missing, and mints new secrets.
async fn populate(database: &DatabaseUrl) -> Result<(Secret, Secret, Link), AuthorityError> {
    let console = &Credential::Console;
    // The lock fails if a server runs on this database, so that its secrets are not replaced.
    let _lock = Authority::lock(database)?;
    let authority = Authority::create(database, Clock::Database, None).await?;
    let handle: Handle = "dev".parse().expect("a handle");
    let email = "dev@example.org".parse().expect("an address");
    let account = NewAccount { handle: handle.clone(), email, name: None, operator: true };
    there(authority.operator().create_account(console, &account).await)?;
    authority.operator().enable_account(console, &handle).await?;
    for (slug, role) in [("acme", Role::Admin), ("sandbox", Role::Ro)] {
        let slug: OrgSlug = slug.parse().expect("a slug");
        if there(
            authority.orgs().create(console, &NewOrg { slug: slug.clone(), name: None, admin: None }).await,
        )?
        .is_some()
        {
            authority.orgs().add_member(console, &slug, &handle, role).await?;
        }
    }
    let preset = NextCatalogue::With(Preset::Namespace.document());
    authority.operator().apply_catalogue(console, &preset).await?;
    let name: Label = "registry".parse().expect("a name");
    let service = match there(
        authority
            .operator()
            .create_service(
                console,
                &NewService { name: name.clone(), orgs: Orgs::All, states_address: true },
            )
            .await,
    )? {
        Some(made) => made.value,
        None => {
            authority.operator().rotate_service(console, &name, std::time::Duration::ZERO).await?.value.secret
        }
    };
    let lifetime = ExpiryChoice::parse_duration("12h").expect("a duration");
    let session = authority.operator().issue_session(console, &handle, lifetime).await?;
    let link = authority.logins().sign_in_link(console, &handle).await?;
    authority.close().await?;
    Ok((session, service, link))
}

/// Returns the created item, or `None` if it existed before.
fn there<T>(made: Result<T, AuthorityError>) -> Result<Option<T>, AuthorityError> {
    match made {
        Err(AuthorityError::NameTaken { .. }) => Ok(None),
        made => made.map(Some),
    }
}

impl InstallationFolder {
    fn open(keep: Option<&Path>) -> Result<InstallationFolder, Failure> {
        let Some(folder) = keep else {
            let scratch = tempfile::Builder::new().prefix("ndauthd-dev-").tempdir()?;
            return Ok(InstallationFolder { folder: scratch.path().to_owned(), scratch: Some(scratch) });
        };
        fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let empty = fs::read_dir(&folder)?.next().is_none();
        if !empty && !folder.join(MARK).exists() {
            let message = format!("`{}` contains files that `ndauthd dev` did not make", folder.display());
            return Err(Failure::usage(message, "name a new or an empty folder"));
        }
        fs::write(folder.join(MARK), "")?;
        Ok(InstallationFolder { folder, scratch: None })
    }

    /// Returns the commands to type next, each on its own line.
    fn script(&self, address: SocketAddr, link: &str) -> String {
        let kept = match &self.scratch {
            Some(_) => "It is deleted on exit; `--keep FOLDER` keeps it.",
            None => "It is kept in that folder.",
        };
        format!(
            "A scratch installation is served on http://{address}, from {folder}.\n\
             {kept} Ctrl-C ends it.\n\
             \n\
             Open in a browser, to sign in once: {link}\n\
             Then `ndcli auth login` logs in through the browser; `session` is a login that needs none.\n\
             \n\
             You are `dev`: ADMIN in the org `acme`, RO in `sandbox`. In another terminal:\n\
             \n\
             \x20   cd {quoted}\n\
             \x20   export NDCLI_SERVER=http://{address}\n\
             \x20   ndcli auth login --with-token < session\n\
             \x20   ndcli auth token create --name ci --scope rw -f simple | sed 's/.*token://' > token\n\
             \x20   ndcli auth token list\n\
             \n\
             A pipeline has the token as NDCLI_TOKEN, or in a file:\n\
             \n\
             \x20   NDCLI_TOKEN_FILE=token ndcli whoami\n\
             \n\
             A service, by a secret of its own, asks what the token may do; once it is revoked, nothing:\n\
             \n\
             \x20   NDCLI_TOKEN_FILE=service ndcli validate --secret-stdin --org acme --access rw < token\n\
             \x20   ndcli auth token revoke ci --yes\n\
             \x20   NDCLI_TOKEN_FILE=service ndcli validate --secret-stdin --org acme --access rw < token\n\
             \n\
             Mails to people are files in the folder `{MAILS}`, a few seconds after what they tell.\n\
             \n\
             The operator works on the database itself:\n\
             \n\
             \x20   export NDAUTHD_DATABASE=sqlite:ndauth.db\n\
             \x20   ndauthd admin token list --all\n\
             \x20   ndauthd admin check\n",
            folder = self.folder.display(),
            quoted = quoted(&self.folder.display().to_string()),
        )
    }
}
