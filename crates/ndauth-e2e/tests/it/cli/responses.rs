//! `-f json`: a command prints the response of its RPC, as the HTTP API has it.

use ndauth_core::Timestamp;
use ndauth_proto::json::{from_text, to_value};
use ndauth_proto::v1;
use prost::{Message, Name};
use serde_json::Value;

use super::json;
use crate::installation::Ended;
use crate::on_both;

/// Judges what a command printed.
type Judge = fn(&Ended);

/// Reads a response back from what was printed as JSON, which holds nothing else.
fn is<M: Message + Name + Default>(printed: &Ended) {
    let printed = json(printed);
    let message: M =
        from_text(printed.to_string().as_bytes()).unwrap_or_else(|why| panic!("{why:?}: {printed}"));
    assert_eq!(to_value(&message).expect("JSON"), printed);
}

on_both! {
    /// `-f json` prints the responses of the RPCs as the contract maps them to JSON.
    async fn json_is_that_of_the_http_api(at: &Installation) {
        at.people();
        let server = at.serve();
        let session = at.session();
        let login = at.ndcli_with(&server, &[], &["auth", "login", "--with-token"], session.expose());
        assert_eq!(login.code, 0, "{login:?}");
        let client = server.client(&session).await;
        let cli = |arguments: &str| at.ndcli(&server, &arguments.split(' ').collect::<Vec<_>>());
        // Everything but the instant of the response, in the same order.
        let same = |ours: &Value, theirs: Value| {
            let [ours, theirs] = [ours.clone(), theirs].map(|mut response| {
                let at = response.as_object_mut().and_then(|fields| fields.shift_remove("evaluated_at"));
                let at = at.as_ref().and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
                assert!(at.is_some(), "{response}");
                response.to_string()
            });
            assert_eq!(ours, theirs);
        };
        let mut made = json(&cli("auth token create --name ci --scope ro --org ops --expiry never -f json"));
        let created: v1::CreateTokenResponse = from_text(made.to_string().as_bytes()).expect("the response");
        assert_eq!(to_value(&created).expect("it mints a secret"), made);
        let secret = made["secret"].take().as_str().expect("a secret").to_owned();
        assert!(!made.to_string().contains(&secret[12..]), "it is there once");
        assert_eq!((&made["token"]["orgs"], &made["token"]["expiry"]), (&serde_json::json!(["ops"]), &"never".into()));
        at.ndcli_with(&server, &[("NDCLI_TOKEN", &secret)], &["whoami"], "");

        let (owner, which) = (Some(v1::Whose::mine()), Some(v1::Which::name("ci")));
        let request = v1::ListTokensRequest { owner: owner.clone(), ..Default::default() };
        let listed = json(&cli("auth token list -f json"));
        same(&listed, to_value(&client.list_tokens(request).await.expect("listed")).expect("JSON"));
        assert_eq!(listed["tokens"][0]["last_use"]["address"], "127.0.0.1");
        let request = v1::GetTokenRequest { owner, which };
        let shown = json(&cli("auth token show ci -f json"));
        same(&shown, to_value(&client.get_token(request).await.expect("shown")).expect("JSON"));
        assert_eq!(shown["token"]["used_from"][0]["address"], "127.0.0.1");
        for printed in [&listed, &shown] {
            assert!(!printed.to_string().contains(&secret[12..]), "nothing else shows a secret");
        }
        let asked = json(&cli("whoami -f json"));
        same(&asked["who_am_i"], to_value(&client.who_am_i().await.expect("known")).expect("JSON"));
        assert_eq!(asked["list_orgs"], to_value(&client.list_orgs().await.expect("listed")).expect("JSON"));
        let status = json(&cli("auth status -f json"));
        assert_eq!((&status["source"], &status["list_orgs"]), (&"stored login".into(), &asked["list_orgs"]));
        same(&status["who_am_i"], asked["who_am_i"].clone());

        let revoked = json(&cli("auth token revoke ci --yes -f json"));
        assert_eq!((&revoked["changed"], &revoked["token"]["status"]), (&true.into(), &"REVOKED".into()));
        for format in ["table", "simple", "detailed", "json"] {
            for command in ["auth token list --all", "whoami", "auth status"] {
                let ended = cli(&format!("{command} -f {format}"));
                assert_eq!((ended.code, ended.out.is_empty(), ended.err.as_str()), (0, false, ""), "{command} {format}");
            }
        }
        assert_eq!(json(&cli("auth logout -f json"))["logged_out"], true);
    }

    /// Each response is read back from what is printed, which holds nothing beside it.
    async fn each_command_prints_its_response_as_json(at: &Installation) {
        at.people();
        at.run_admin("account create bob --email bob@example.org");
        at.run_admin("operator grant ada");
        let server = at.serve();
        at.log_in(&server);
        let steps: [(&str, Judge); 41] = [
            ("org create lab", is::<v1::CreateOrgResponse>),
            ("org list", is::<v1::ListOrgsResponse>),
            ("org show lab", is::<v1::GetOrgResponse>),
            ("org member add bob rw --org lab", is::<v1::AddMemberResponse>),
            ("org member set bob ro --org lab", is::<v1::SetMemberResponse>),
            ("org members lab", is::<v1::ListMembersResponse>),
            ("org member remove bob --yes --org lab", is::<v1::RemoveMemberResponse>),
            ("org offer bob --role rw --org lab", is::<v1::OfferMembershipResponse>),
            ("org offers list lab", is::<v1::ListMembershipOffersResponse>),
            ("org offers withdraw bob --org lab", is::<v1::WithdrawMembershipOfferResponse>),
            ("org policy show --org lab", is::<v1::GetOrgPolicyResponse>),
            ("org policy set --suspend-on-reuse on --org lab --dry-run", is::<v1::SetOrgPolicyResponse>),
            ("org policy set --suspend-on-reuse on --org lab --yes", is::<v1::SetOrgPolicyResponse>),
            ("org freeze lab --yes", is::<v1::FreezeOrgResponse>),
            ("org unfreeze lab", is::<v1::UnfreezeOrgResponse>),
            ("offers list", is::<v1::ListMembershipOffersResponse>),
            ("permissions list assets", is::<v1::ListPermissionsResponse>),
            ("auth token create --name ci --scope rw --preview", is::<v1::ExplainTokenResponse>),
            ("auth token create --name ci --scope rw", is::<v1::CreateTokenResponse>),
            ("auth token list", is::<v1::ListTokensResponse>),
            ("auth token update ci --description deploys", is::<v1::UpdateTokenResponse>),
            ("auth token rotate ci", is::<v1::RotateTokenResponse>),
            ("auth token rotation confirm ci", is::<v1::ConfirmRotationResponse>),
            ("auth token show ci", is::<v1::GetTokenResponse>),
            ("auth token rotation retire ci --yes", is::<v1::RetireSecretResponse>),
            ("auth token rotate ci", is::<v1::RotateTokenResponse>),
            ("auth token rotation drop ci", is::<v1::DropRotationResponse>),
            ("auth token renew ci", is::<v1::RenewTokenResponse>),
            ("auth token suspend ci", is::<v1::SuspendTokenResponse>),
            ("auth token resume ci", is::<v1::ResumeTokenResponse>),
            ("auth token explain ci", is::<v1::ExplainTokenResponse>),
            ("org tokens lab", is::<v1::ListPersonalTokensResponse>),
            ("token suspend ci --member ada --org lab", is::<v1::SuspendPersonalTokenResponse>),
            ("token resume ci --member ada --org lab", is::<v1::ResumePersonalTokenResponse>),
            ("auth token revoke --all --created-before now --preview", is::<v1::RevokeAllTokensResponse>),
            ("auth token revoke ci --yes", is::<v1::RevokeTokenResponse>),
            ("org offer bob --role rw --org lab", is::<v1::OfferMembershipResponse>),
            ("auth sessions list", is::<v1::ListSessionsResponse>),
            ("auth notices", is::<v1::GetNoticesResponse>),
            ("auth notices --off rotated", is::<v1::SetNoticesResponse>),
            ("auth sessions revoke --all", is::<v1::RevokeSessionsResponse>),
        ];
        for (line, is_the_response) in steps {
            is_the_response(&at.ndcli(&server, &format!("{line} -f json").split(' ').collect::<Vec<_>>()));
        }
        let bob = at.run_admin("session issue bob");
        for (line, is_the_response) in [
            ("offers accept lab --yes", is::<v1::AcceptMembershipOfferResponse> as Judge),
            ("auth token create --name own --scope ro", is::<v1::CreateTokenResponse>),
        ] {
            let words = format!("{line} -f json");
            let words: Vec<&str> = words.split(' ').collect();
            is_the_response(&at.ndcli_with(&server, &[("NDCLI_TOKEN", &bob)], &words, ""));
        }
        let service = at.service();
        let words = ["validate", "--secret-stdin", "-f", "json"];
        let unknown = at.ndcli_with(&server, &[("NDCLI_TOKEN", service.expose())], &words, "ndpat_x");
        assert_eq!(unknown.code, 1, "{unknown:?}");
        is::<v1::ValidateTokenResponse>(&Ended { code: 0, ..unknown });
    }

    /// A secret that went elsewhere is not in the JSON, which says where it went, and shows the token as it is then.
    async fn json_names_the_destination_of_a_secret(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let file = at.home().join("token").display().to_string();
        for (key, value) in [("to_file", file.as_str()), ("token_file", &file), ("to_command", "cat > /dev/null")] {
            let flag = format!("--{}", key.replace('_', "-"));
            let create = ["auth", "token", "create", "--name", key, "--scope", "ro", "--force", "-o", "json", &flag, value];
            let rotate = ["auth", "token", "rotate", key, "-o", "json", &flag, value];
            for words in [&create[..], &rotate] {
                let printed = json(&at.ndcli(&server, words));
                assert_eq!((&printed[key], &printed["changed"]), (&value.into(), &true.into()), "{printed}");
                assert_eq!((&printed["token"]["status"], printed.get("secret")), (&"ACTIVE".into(), None), "{printed}");
                let shown = json(&at.ndcli(&server, &["auth", "token", "show", key, "-f", "json"]));
                assert_eq!(printed["token"]["secrets"], shown["token"]["secrets"]);
                assert_eq!(printed["token"]["rotation"].is_object(), words == &rotate[..], "{printed}");
            }
        }
    }
}
