//! `ndcli auth notices`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use ndauth_core::NoticeKind;
use ndauth_proto::{notice_kind_from_proto, notice_kind_to_proto, v1};
use ndauth_terminal::{Failure, Rows, aside, print, print_message, required_timestamp, shown, warn};

use crate::connection::{ServerConnection, connect};
use crate::settings::{CommonOptions, Format};

#[derive(clap::Args)]
pub(crate) struct Notices {
    /// Mail no more notices of this kind
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    off: Vec<NoticeKind>,

    /// Mail notices of this kind again
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    on: Vec<NoticeKind>,
}

/// A setting, read off the wire into what is shown of it.
struct SettingShown {
    kind: NoticeKind,
    mailed: &'static str,
}

fn kinds() -> impl TypedValueParser<Value = NoticeKind> {
    let names = PossibleValuesParser::new(NoticeKind::ALL.map(|kind| kind.to_string()));
    names.map(|text| text.parse().expect("the values are kinds"))
}

/// Shows which notices are mailed to the caller, or turns some off and on.
pub(crate) async fn run(common: &CommonOptions, notices: &Notices) -> Result<(), Failure> {
    let server = connect(common).await?;
    if notices.off.is_empty() && notices.on.is_empty() {
        let answer = server.ask(async |client| client.get_notices(v1::GetNoticesRequest {}).await).await?;
        show(common, &answer.settings, || print_message(&answer))?;
        if !answer.mailed {
            aside("this server mails no notices");
        }
        return warn_of_undelivered(&answer);
    }
    let kinds = |kinds: &[NoticeKind]| kinds.iter().map(|kind| notice_kind_to_proto(*kind).into()).collect();
    let request = v1::SetNoticesRequest { off: kinds(&notices.off), on: kinds(&notices.on) };
    let answer = server.ask(async |client| client.set_notices(request.clone()).await).await?;
    show(common, &answer.settings, || print_message(&answer))
}

/// Asks for the mails that did not reach the caller's account.
pub(crate) async fn undelivered(server: &ServerConnection) -> Result<v1::GetNoticesResponse, Failure> {
    server.ask(async |client| client.get_notices(v1::GetNoticesRequest {}).await).await
}

/// Warns of mails that did not arrive.
pub(crate) fn warn_of_undelivered(answer: &v1::GetNoticesResponse) -> Result<(), Failure> {
    for mail in &answer.undelivered {
        let at = required_timestamp("made_at", Some(mail.made_at))?;
        let (notices, problem) = (mail.notices, shown(&mail.problem));
        warn(&format!(
            "a mail with {notices} notice(s) of {} could not be delivered: {problem}",
            at.minute()
        ));
    }
    Ok(())
}

fn show(
    common: &CommonOptions,
    settings: &[v1::NoticeSetting],
    json: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let read = |setting: &v1::NoticeSetting| {
        let kind = notice_kind_from_proto("kind", setting.kind)?;
        let mailed = match (setting.on, setting.security) {
            (_, true) => "always",
            (true, false) => "on",
            (false, false) => "off",
        };
        Ok(SettingShown { kind, mailed })
    };
    let settings = settings.iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
    match common.format {
        Format::Table | Format::Detailed => {
            let row = |setting: &SettingShown| {
                let SettingShown { kind, mailed } = setting;
                [kind.to_string(), (*mailed).to_owned(), kind.description().to_owned()]
            };
            let rows = settings.iter().map(row).collect();
            print(&Rows { titles: ["KIND", "MAILED", "WHEN"], rows, last_width: 0 }.table())
        }
        Format::Simple => {
            let line = |setting: &SettingShown| format!("• {} {}\n", setting.kind, setting.mailed);
            print(&settings.iter().map(line).collect::<String>())
        }
        Format::Json => json(),
    }
}
