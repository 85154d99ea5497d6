//! The metrics, of a server that has done nothing and of one that is used.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ndauth_core::{Reason, Secret};
use rustix::process::Signal;

use super::promtool;
use crate::documents::read;
use crate::installation::{Running, run};
use crate::instances::Asker;
use crate::on_both;
use crate::requests::new_token;

/// A name that ends a label, and begins another series, where it is not escaped.
const HOSTILE: &str = "ci\"} 1 \\ ndauth_mirror_bytes{x=\"é";

/// Returns the metrics, which must be what Prometheus takes, without a warning.
fn checked(server: &Running) -> String {
    let (status, metrics) = server.get("/metrics");
    assert_eq!(status, 200);
    let ended = run(promtool(&["check", "metrics"]), &metrics);
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, "", ""), "{metrics}");
    metrics
}

/// Returns the metrics that the page for operators lists.
fn documented() -> BTreeSet<String> {
    let page = read("docs/operations.md");
    let table = page.split("| metric | kind |").nth(1).expect("the table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let name = row.trim_start_matches("| `");
        name.split(['{', '`']).next().expect("a name").to_owned()
    })
    .collect()
}

fn described(metrics: &str) -> BTreeSet<String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|line| line.split(' ').next().expect("a name").to_owned()).collect()
}

/// Returns the value of a series.
fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

on_both! {
    async fn every_metric_is_there_from_the_start_and_nothing_else(at: &Installation) {
        at.people();
        let server = at.serve();
        let fresh = checked(&server);
        assert_eq!(described(&fresh), documented());
        assert!(!fresh.contains("_bucket"), "nothing was measured yet: {fresh}");
        let series = fresh.lines().filter(|line| line.starts_with("ndauth_"));
        assert!(series.clone().count() < 240, "{fresh}");
        let is_at_rest = |line: &str| line.ends_with(" 0") || line.ends_with(" 1");
        let measured = ["ndauth_mirror_", "ndauth_limit_size", "ndauth_head_", "ndauth_limit_taken", "ndauth_freshness_"];
        for line in series.filter(|line| !measured.iter().any(|name| line.starts_with(name))) {
            assert!(is_at_rest(line), "{line}");
        }
        for begins in [
            "ndauth_failures_total{code=\"14\"}",
            "ndauth_limit_reached_total{limit=\"waiting-devices\"}",
            "ndauth_verdicts_total{reason=\"ALLOWED\"}",
            "ndauth_verdicts_total{reason=\"TOKEN_REVOKED\"}",
            "ndauth_rpcs_total{rpc=\"ndauth.v1.TokenService/CreateToken\",code=\"0\"}",
            "ndauth_retired_secrets_presented_total",
        ] {
            assert_eq!(value(&fresh, begins), Some(0.0), "{begins}");
        }
        assert!(!fresh.contains("reason=\"OVERLOADED\""), "no verdict has this reason");

        let client = server.client(&at.session()).await;
        let secret = client.create_token(new_token("ci")).await.expect("made").secret;
        let service = Asker(server.client(&at.service()).await);
        assert_eq!(service.refused(&secret).await, Ok(None));
        assert_eq!(service.refused("ndpat_x").await, Ok(Some(Reason::SecretMalformed)));
        let stranger: Secret = "ndses_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4".parse().expect("a secret");
        server.client(&stranger).await.who_am_i().await.expect_err("refused");
        let used = checked(&server);
        assert_eq!(described(&used), documented());
        for (series, expected) in [
            ("ndauth_rpc_seconds_bucket{rpc=\"ndauth.v1.TokenService/CreateToken\",le=\"+Inf\"}", 1.0),
            ("ndauth_rpcs_total{rpc=\"ndauth.v1.ValidationService/ValidateToken\",code=\"0\"}", 2.0),
            ("ndauth_rpcs_total{rpc=\"ndauth.v1.AccountService/WhoAmI\",code=\"16\"}", 1.0),
            ("ndauth_store_write_seconds_count{name=\"CreateToken\"}", 1.0),
            ("ndauth_verdicts_total{reason=\"ALLOWED\"}", 1.0),
            ("ndauth_verdicts_total{reason=\"SECRET_MALFORMED\"}", 1.0),
            ("ndauth_failures_total{code=\"13\"}", 0.0),
        ] {
            assert_eq!(value(&used, series), Some(expected), "{series} in\n{used}");
        }
        assert!(!used.contains("_bucket{rpc=\"ndauth.v1.TokenService/RotateToken\""), "{used}");
    }

    async fn an_org_s_tokens_show_when_they_expire_where_the_operator_names_the_org(at: &Installation) {
        at.people();
        for org in ["ops", "dev"] {
            at.run_admin(&format!("member set {org} ada ADMIN"));
        }
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--org-token-expiry", "ops,nope"]);
        at.log_in(&server);
        let token = |words: &[&str]| {
            let ended = at.ndcli(&server, &[&["token"], words].concat());
            assert_eq!(ended.code, 0, "{ended:?}");
        };
        for (org, name, lasts) in
            [("ops", "deploy", "30d"), ("ops", HOSTILE, "7d"), ("ops", "revoked", "30d"), ("dev", "elsewhere", "30d")]
        {
            token(&["create", name, "--scope", "read:assets", "--org", org, "--expires-in", lasts]);
        }
        token(&["revoke", "revoked", "--org", "ops", "--yes"]);
        server.client(&at.session()).await.create_token(new_token("personal")).await.expect("made");
        let names = async || {
            let metrics = checked(&server);
            let shown = metrics.lines().filter_map(|line| line.strip_prefix("ndauth_org_token_seconds_to_expiry"));
            shown.map(|line| line.rsplit_once(' ').expect("a value").0.to_owned()).collect::<Vec<_>>()
        };
        let expected = vec![
            format!("{{org=\"ops\",token=\"{}\"}}", HOSTILE.replace('\\', "\\\\").replace('"', "\\\"")),
            "{org=\"ops\",token=\"deploy\"}".to_owned(),
        ];
        let begun = Instant::now();
        while names().await != expected {
            assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", names().await);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let metrics = checked(&server);
        let days = value(&metrics, "ndauth_org_token_seconds_to_expiry{org=\"ops\",token=\"deploy\"}");
        let days = days.expect("shown") / 86400.0;
        assert!(days > 29.9 && days <= 30.0, "{days}");
        assert_eq!(described(&metrics), documented(), "a name makes no metric");
        let reported = server.before.lines().map(str::to_owned).chain(server.log.try_iter());
        assert_eq!(reported.filter(|line| line.contains("\"nope\"")).count(), 1, "it is reported once");
        // An org that nobody names shows nothing.
        server.signal(Signal::TERM);
        assert!(server.ended().success());
        let quiet = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &[]);
        assert!(!checked(&quiet).contains("token="));
    }
}
