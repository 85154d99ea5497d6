use expect_test::expect;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

#[test]
fn last_uses_are_told_as_the_lists_show_them() {
    let now = at("2026-11-22T12:00:00Z");
    for (then, expected) in [
        ("2026-11-22T12:00:30Z", "now"),
        ("2026-11-22T11:59:01Z", "now"),
        ("2026-11-22T11:58:00Z", "2m"),
        ("2026-11-22T11:00:01Z", "59m"),
        ("2026-11-22T11:00:00Z", "1h"),
        ("2026-11-21T12:00:00Z", "1d"),
        ("2026-11-15T12:00:01Z", "6d"),
        ("2026-11-15T12:00:00Z", "11-15"),
        ("2025-11-15T12:00:00Z", "2025-11-15"),
    ] {
        assert_eq!(ago(at(then), now), expected, "{then}");
    }
}

/// The table of the documentation, to the character.
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
    .assert_eq(&rows.table());
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
    .assert_eq(&rows.table());
}
