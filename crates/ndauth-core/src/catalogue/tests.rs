use super::*;
use crate::ResourceIds;

/// Returns the catalogue of a new database.
pub(crate) fn built_in() -> Catalogue {
    let text = include_str!("../../../../migrations/src/m20261129_000014_catalogue.json");
    Catalogue::new(&serde_json::from_str(text).expect("a document")).expect("a catalogue")
}

/// Returns a catalogue from lines `ROLE action:type`, each followed by its former names.
fn catalogue(lines: &[&str]) -> Catalogue {
    let mut document = CatalogueDocument::default();
    for line in lines {
        let mut words = line.split(' ');
        let role = words.next().and_then(|role| role.parse().ok()).expect("a role");
        let name: PermissionName = words.next().and_then(|name| name.parse().ok()).expect("a name");
        let type_document = document
            .types
            .entry(name.resource_type.to_string())
            .or_insert_with(|| TypeDocument { description: "A type".to_owned(), actions: BTreeMap::new() });
        let formerly = words.map(str::to_owned).collect();
        let action = ActionDocument { role, description: "An action".to_owned(), formerly };
        type_document.actions.insert(name.action.to_string(), action);
    }
    Catalogue::new(&document).expect("a catalogue")
}

fn asked(text: &str) -> Permission {
    text.parse().expect("a permission")
}

fn granted(names: &[&str]) -> Grants {
    let grant = |name: &&str| {
        let asked = asked(name);
        Grant {
            resource_type: asked.resource_type,
            resource_ids: asked.resource_ids,
            actions: Actions::Only([asked.action].into()),
        }
    };
    Grants::only(names.iter().map(grant)).expect("grants")
}

#[test]
fn least_roles() {
    let catalogue = built_in();
    for (permission, role) in [
        ("read:assets", Some(Role::Ro)),
        ("write:assets:prod-1", Some(Role::Rw)),
        ("approve:assets", Some(Role::Admin)),
        ("admin:org", Some(Role::Admin)),
        ("read:audit", Some(Role::Admin)),
        ("list:instance", None),
        ("fly:assets", None),
        ("read:unicorns", None),
    ] {
        assert_eq!(catalogue.least_role(&asked(permission)), role, "{permission}");
    }
}

#[test]
fn own_types_are_distinguished() {
    let own = |text: &str| is_own_resource_type(&text.parse().expect("a resource type"));
    assert!(own("tokens") && own("audit") && own("policy") && own("members"));
    assert!(!own("assets") && !own("token") && !own("tokens/x"));
}

#[test]
fn a_document_reads_back() {
    let catalogue = catalogue(&["RO read:assets view:assets", "RW write:assets", "ADMIN approve:builder"]);
    assert_eq!(Catalogue::new(&catalogue.document()), Ok(catalogue));
}

#[test]
fn invalid_documents_are_refused() {
    let read = |text: &str| {
        let document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Catalogue::new(&document).map(drop).map_err(|why| why.to_string())
    };
    let action = r#"{"read":{"role":"RO","description":"Read"}}"#;
    for (text, expected) in [
        (r#"{"types":{"Assets":{"description":"A","actions":ACTION}}}"#, "`types.Assets`"),
        (r#"{"types":{"tokens":{"description":"A","actions":ACTION}}}"#, "`tokens` belongs to ndauth itself"),
        (r#"{"types":{"assets":{"description":"A","actions":{}}}}"#, "has no actions"),
        (
            r#"{"types":{"assets":{"description":"A","actions":{"Read":{"role":"RO","description":"R"}}}}}"#,
            "`Read` of the type `assets`",
        ),
        (
            r#"{"types":{"assets":{"description":"","actions":ACTION}}}"#,
            "the description of `assets` is empty",
        ),
        (
            r#"{"types":{"assets":{"description":"A","actions":{"read":{"role":"RX","description":"R"}}}}}"#,
            "unknown variant `RX`",
        ),
        (r#"{"types":{"assets":{"description":"A","action":ACTION}}}"#, "unknown field `action`"),
        (
            r#"{"types":{"assets":{"description":"A","actions":{"read":{"role":"RO","description":"R","formerly":["write:assets"]},
                "write":{"role":"RW","description":"W"}}}}}"#,
            "is the name of a permission",
        ),
        (
            r#"{"types":{"assets":{"description":"A","actions":{"read":{"role":"RO","description":"R","formerly":["view:assets"]},
                "write":{"role":"RW","description":"W","formerly":["view:assets"]}}}}}"#,
            "more than one permission",
        ),
        (
            r#"{"types":{"assets":{"description":"A","actions":{"read":{"role":"RO","description":"R","formerly":["read:tokens"]}}}}}"#,
            "`tokens` belongs to ndauth itself",
        ),
    ] {
        let error = read(&text.replace("ACTION", action)).expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// A permission that left the catalogue confers no power; a renamed one is found under both names.
#[test]
fn former_names_stand_for_the_present_one() {
    let after = catalogue(&["RO get:assets read:assets", "RW write:assets"]);
    let holds = |grants: &[&str], permission: &str| after.permit(&granted(grants), &asked(permission));
    assert!(holds(&["read:assets"], "get:assets:prod-1"), "an old token, the new name");
    assert!(holds(&["get:assets"], "read:assets"), "a new token, the old name");
    assert!(holds(&["read:assets"], "read:assets"), "an old token, the old name");
    assert!(!holds(&["read:assets:prod-1"], "get:assets:prod-2"));
    assert!(!holds(&["write:assets"], "get:assets"));
    assert_eq!(after.least_role(&asked("read:assets")), Some(Role::Ro));
    assert_eq!(after.least_role(&asked("list:assets")), None);
    let Grants::Only(old) = granted(&["read:assets", "list:assets", "write:assets"]) else { panic!("a set") };
    let outdated: Vec<(String, Option<String>)> =
        after.outdated(&old).into_iter().map(|(name, now)| (name, now.map(|now| now.to_string()))).collect();
    assert_eq!(
        outdated,
        [("list:assets".to_owned(), None), ("read:assets".to_owned(), Some("get:assets".to_owned()))]
    );
}

#[test]
fn a_change_says_what_it_does() {
    let before = catalogue(&["RO read:assets", "RW write:assets", "ADMIN approve:assets", "RO list:old"]);
    let after = catalogue(&[
        "RO get:assets read:assets",
        "ADMIN write:assets",
        "ADMIN approve:assets",
        "RW fly:kites",
    ]);
    let changes: Vec<String> =
        after.changes_from(&before).expect("a change").iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        [
            "+ fly:kites (RW)",
            "~ read:assets is called get:assets",
            "~ write:assets needs ADMIN, and needed RW",
            "- list:old",
        ]
    );
    assert_eq!(after.changes_from(&after), Ok(Vec::new()));
}

/// A renamed permission never gives a token more than it had.
#[test]
fn renaming_never_widens() {
    let before = catalogue(&["RO read:assets", "RW write:assets", "ADMIN approve:assets"]);
    for (lines, expected) in [
        (["RO read:assets", "RW write:assets approve:assets"].as_slice(), "was there before"),
        (&["RO list:assets read:assets write:assets"], "tokens with one would gain the other"),
        (&["RW accept:assets approve:assets"], "it needs `RW`, and that needed `ADMIN`"),
        (&["RO list:assets view:assets"], "there was no `view:assets`"),
    ] {
        let refusal = catalogue(lines).changes_from(&before).expect_err("refused").to_string();
        assert!(refusal.contains(expected), "{lines:?}: {refusal}");
    }
    // A former name of one permission never becomes a name of another.
    let renamed = catalogue(&["RO read:assets list:assets", "ADMIN approve:assets"]);
    for lines in [
        ["RO read:assets", "ADMIN list:assets approve:assets"].as_slice(),
        &["RO read:assets", "ADMIN approve:assets", "ADMIN list:assets"],
    ] {
        let refusal = catalogue(lines).changes_from(&renamed).expect_err("refused").to_string();
        assert!(refusal.contains("it stands for `read:assets`"), "{lines:?}: {refusal}");
    }
    // A renamed permission never joins the actions of another type that existed: a token may have them all.
    let two = catalogue(&["RO read:assets", "RO read:documents"]);
    let moved = catalogue(&["RO view:documents read:assets", "RO read:documents"]);
    assert!(moved.changes_from(&two).expect_err("refused").to_string().contains("`documents` was there"));
    assert!(catalogue(&["RO view:papers read:assets", "RO read:documents"]).changes_from(&two).is_ok());
    // A permission that is renamed again keeps all its former names, or drops some.
    let second = catalogue(&["RO list:assets read:assets"]);
    assert!(second.changes_from(&before).is_ok());
    assert!(catalogue(&["RW scan:assets list:assets read:assets"]).changes_from(&second).is_ok());
    assert!(catalogue(&["RO scan:assets list:assets"]).changes_from(&second).is_ok());
    let changes = catalogue(&["RO list:assets"]).changes_from(&second).expect("a change");
    let shown: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["- read:assets, which list:assets was called before"]);
    let mut other = second.document();
    other.types.get_mut("assets").expect("it is there").description = "Other words".to_owned();
    let redescribed = Catalogue::new(&other).expect("a catalogue").changes_from(&second).expect("a change");
    assert_eq!(redescribed.len(), 1, "{redescribed:?}");
}

#[test]
fn grants_are_limited_by_role_and_scope() {
    let catalogue = built_in();
    let all = granted(&["read:assets", "write:assets:prod-1", "approve:assets", "read:tokens", "fly:assets"]);
    for (role, scope, expected) in [
        (
            Role::Admin,
            Scope::Rw,
            granted(&["read:assets", "write:assets:prod-1", "approve:assets", "read:tokens"]),
        ),
        (Role::Rw, Scope::Rw, granted(&["read:assets", "write:assets:prod-1", "read:tokens"])),
        (Role::Admin, Scope::Ro, granted(&["read:assets", "read:tokens"])),
        (Role::Ro, Scope::Rw, granted(&["read:assets", "read:tokens"])),
    ] {
        assert_eq!(catalogue.within(&all, role, scope), expected, "{role} {scope}");
    }
    assert_eq!(catalogue.within(&Grants::All, Role::Ro, Scope::Ro), Grants::All);
    let any = Grants::only([Grant {
        resource_type: "assets".parse().expect("a type"),
        resource_ids: ResourceIds::all(),
        actions: Actions::Any,
    }]);
    let within = catalogue.within(&any.expect("grants"), Role::Rw, Scope::Rw);
    assert_eq!(within, granted(&["read:assets", "write:assets"]), "what there is of any action");
}

#[test]
fn the_least_scope_of_named_permissions() {
    let catalogue = built_in();
    for (names, scope) in [
        (["read:assets"].as_slice(), Scope::Ro),
        (&["read:assets", "write:assets"], Scope::Rw),
        (&["approve:assets"], Scope::Rw),
        (&["read:tokens"], Scope::Ro),
    ] {
        let Grants::Only(set) = granted(names) else { panic!("a set") };
        assert_eq!(catalogue.least_scope(&set), scope, "{names:?}");
    }
}

#[test]
fn unknown_grants_come_with_a_suggestion() {
    let catalogue = catalogue(&["RO get:assets read:assets", "RW write:assets", "RO list:builder"]);
    for (name, expected) in [
        ("wirte:assets", Some("there is no permission `wirte:assets`: did you mean `write`?")),
        ("write:asset", Some("there is no resource type `asset`: did you mean `assets`?")),
        ("write:zebra", Some("there is no resource type `zebra`, and none is similar")),
        ("read:assets", Some("`read:assets` is called `get:assets` now")),
        ("write:assets", None),
        ("read:tokens", None),
    ] {
        let Grants::Only(set) = granted(&[name]) else { panic!("a set") };
        let explanation = catalogue.first_unknown(&set).map(|unknown| unknown.to_string());
        assert_eq!(explanation.as_deref(), expected, "{name}");
    }
}
