use expect_test::expect;

use super::*;

/// The table of the documentation, to the character, but for one cell: all orgs are called `all`.
#[test]
fn the_table_has_the_documented_look() {
    let row = |cells: [&str; 7]| cells.map(str::to_owned);
    let rows = Rows {
        titles: ["NAME", "PREFIX", "SCOPE", "ORG", "EXPIRES", "LAST USED", "STATUS"],
        rows: vec![
            row(["github-ci", "ndpat_Jj8IYR", "RW", "all", "2026-08-24", "2m", "active"]),
            row(["readonly-monitor", "ndpat_aB3xYz", "RO", "ops", "Never", "Never", "active"]),
        ],
        last_width: 7,
    };
    expect![[r#"
        ╭──────────────────┬──────────────┬───────┬─────┬────────────┬───────────┬─────────╮
        │ NAME             │ PREFIX       │ SCOPE │ ORG │ EXPIRES    │ LAST USED │ STATUS  │
        ├──────────────────┼──────────────┼───────┼─────┼────────────┼───────────┼─────────┤
        │ github-ci        │ ndpat_Jj8IYR │ RW    │ all │ 2026-08-24 │ 2m        │ active  │
        │ readonly-monitor │ ndpat_aB3xYz │ RO    │ ops │ Never      │ Never     │ active  │
        ╰──────────────────┴──────────────┴───────┴─────┴────────────┴───────────┴─────────╯
    "#]]
    .assert_eq(&rows.at(OutputTarget::Stream));
}

#[test]
fn control_characters_and_wide_text_keep_the_table_aligned() {
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
        │         │              │        │ and this needs `RW`                        │
        ╰─────────┴──────────────┴────────┴────────────────────────────────────────────╯
    "#]]
    .assert_eq(&rows.at(OutputTarget::Terminal(80)));
    assert!(rows.at(OutputTarget::Stream).lines().all(|line| line.chars().count() > 80));
    let narrow = rows.at(OutputTarget::Terminal(40));
    assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
}

/// Ids, prefixes and days are copied: other columns are folded, and at last each row is a table of its own.
#[test]
fn ids_and_prefixes_are_never_broken() {
    let row = [
        "019f2a61-7c00-7000-8000-000000000001",
        "a laptop of some description",
        "192.0.2.17",
        "2026-11-21 08:00 UTC",
        "ndpat_Jj8IYR",
    ];
    let titles = ["ID", "DEVICE", "ADDRESS", "BEGAN", "PREFIX"];
    let rows = Rows { titles, rows: vec![row.map(str::to_owned)], last_width: 0 };
    for width in 56..140 {
        let text = rows.at(OutputTarget::Terminal(width));
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
        for whole in [row[0], "2026-11-21", row[4]] {
            assert!(text.contains(whole), "{width}: {whole}\n{text}");
        }
    }
    let narrow = rows.at(OutputTarget::Terminal(80));
    assert!(narrow.contains("│ ID      │ 019f2a61-7c00-7000-8000-000000000001"), "{narrow}");
    let wide = rows.at(OutputTarget::Terminal(112));
    assert!(wide.contains("│ ID   "), "{wide}");
}

#[test]
fn right_to_left_text_is_isolated() {
    let rows = Rows {
        titles: ["NAME", "STATUS"],
        rows: vec![["שלום".to_owned(), "active".to_owned()]],
        last_width: 0,
    };
    let table = rows.at(OutputTarget::Terminal(80));
    assert!(table.contains("│ \u{2068}שלום\u{2069} │ active │"), "{table:?}");
    assert!(rows.at(OutputTarget::Stream).contains("│ שלום │ active │"));
}
