use expect_test::expect;

use super::*;

/// The table looks exactly as the documentation shows it.
#[test]
fn the_table_has_the_documented_look() {
    let row = |cells: [&str; 7]| cells.map(str::to_owned);
    let rows = Rows {
        titles: ["NAME", "PREFIX", "SCOPE", "ORG", "EXPIRES", "LAST USED", "STATUS"],
        rows: vec![
            row(["github-ci", "ndpat_Jj8IYR", "RW", "-", "2026-08-24", "2m", "active"]),
            row(["readonly-monitor", "ndpat_aB3xYz", "RO", "ops", "Never", "Never", "active"]),
        ],
        last_width: 7,
    };
    expect![[r#"
        ╭──────────────────┬──────────────┬───────┬─────┬────────────┬───────────┬─────────╮
        │ NAME             │ PREFIX       │ SCOPE │ ORG │ EXPIRES    │ LAST USED │ STATUS  │
        ├──────────────────┼──────────────┼───────┼─────┼────────────┼───────────┼─────────┤
        │ github-ci        │ ndpat_Jj8IYR │ RW    │ -   │ 2026-08-24 │ 2m        │ active  │
        │ readonly-monitor │ ndpat_aB3xYz │ RO    │ ops │ Never      │ Never     │ active  │
        ╰──────────────────┴──────────────┴───────┴─────┴────────────┴───────────┴─────────╯
    "#]]
    .assert_eq(&rows.at(OutputTarget::Stream));
}

#[test]
fn a_hostile_name_keeps_the_table_straight() {
    let rows = Rows {
        titles: ["NAME", "STATUS"],
        rows: vec![
            ["\u{1b}[2J日本語".to_owned(), "active".to_owned()],
            ["👩‍💻".to_owned(), "active".to_owned()],
        ],
        last_width: 7,
    };
    expect![[r#"
        ╭─────────────────┬─────────╮
        │ NAME            │ STATUS  │
        ├─────────────────┼─────────┤
        │ \u{1b}[2J日本語 │ active  │
        │ 👩‍💻              │ active  │
        ╰─────────────────┴─────────╯
    "#]]
    .assert_eq(&rows.at(OutputTarget::Stream));
}

/// A table on a terminal of 80 columns is wrapped without loss.
#[test]
fn a_table_is_no_wider_than_its_terminal() {
    let rows = Rows {
        titles: ["RESULT", "REASON", "FACTOR", "MESSAGE"],
        rows: vec![[
            "refused".to_owned(),
            "ROLE_TOO_LOW".to_owned(),
            "role".to_owned(),
            "the owner's role in the org `dev` is `RO`, and this needs `RW`".to_owned(),
        ]],
        last_width: 0,
    };
    expect![[r#"
        ╭─────────┬──────────────┬────────┬────────────────────────────────────────────╮
        │ RESULT  │ REASON       │ FACTOR │ MESSAGE                                    │
        ├─────────┼──────────────┼────────┼────────────────────────────────────────────┤
        │ refused │ ROLE_TOO_LOW │ role   │ the owner's role in the org `dev` is `RO`, │
        │         │              │        │  and this needs `RW`                       │
        ╰─────────┴──────────────┴────────┴────────────────────────────────────────────╯
    "#]]
    .assert_eq(&rows.at(OutputTarget::Terminal(80)));
    assert!(rows.at(OutputTarget::Stream).lines().all(|line| line.chars().count() > 80));
    let narrow = rows.at(OutputTarget::Terminal(40));
    assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
}

#[test]
fn what_runs_from_right_to_left_is_kept_by_itself() {
    let rows = Rows {
        titles: ["NAME", "STATUS"],
        rows: vec![["שלום".to_owned(), "active".to_owned()]],
        last_width: 0,
    };
    let table = rows.at(OutputTarget::Terminal(80));
    assert!(table.contains("│ \u{2068}שלום\u{2069} │ active │"), "{table:?}");
    assert!(rows.at(OutputTarget::Stream).contains("│ שלום │ active │"));
}
