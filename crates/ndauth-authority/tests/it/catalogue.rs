use ndauth_authority::NextCatalogue;
use ndauth_core::{ActionDocument, CatalogueDocument, Reason, Role};

use crate::on_both;
use crate::world::{CONSOLE, World, granted, reason, token_with};

/// Returns the present catalogue with a change.
async fn changed(world: &World, change: impl FnOnce(&mut CatalogueDocument)) -> CatalogueDocument {
    let mut document = world.authority.list_permissions(&CONSOLE).await.expect("listed").document();
    change(&mut document);
    document
}

fn action(role: Role, formerly: &[&str]) -> ActionDocument {
    let formerly = formerly.iter().map(|name| (*name).to_owned()).collect();
    ActionDocument { role, description: "An action".to_owned(), formerly }
}

on_both! {
    /// A permission that left the catalogue confers no power, a renamed one keeps its power, and `check`
    /// reports both.
    async fn tokens_follow_the_catalogue(world: &World) {
        let new = token_with("ci", |new| new.grants = granted(&["read:assets", "write:assets"]));
        let secret = world.create(&new).await.secret;
        assert_eq!(world.refused_permission(&secret, "read:assets").await, None);
        let next = changed(world, |document| {
            let assets = document.types.get_mut("assets").expect("the type is there");
            assets.actions.remove("read");
            assets.actions.remove("write");
            assets.actions.insert("get".to_owned(), action(Role::Ro, &["read:assets"]));
        })
        .await;
        let tried = world.authority.operator().try_catalogue(&CONSOLE, &NextCatalogue::Whole(next.clone())).await.expect("tried");
        let changes: Vec<String> = tried.value.changes.iter().map(ToString::to_string).collect();
        assert_eq!(changes, ["~ read:assets is called get:assets", "- write:assets"]);
        assert_eq!((tried.value.tokens, tried.changed), (1, false));
        assert_eq!(world.refused_permission(&secret, "write:assets").await, None, "nothing was changed");

        let applied = world.authority.operator().apply_catalogue(&CONSOLE, &NextCatalogue::Whole(next.clone())).await.expect("applied");
        assert!(applied.changed);
        assert_eq!(world.refused_permission(&secret, "get:assets").await, None);
        assert_eq!(world.refused_permission(&secret, "read:assets").await, None, "services may lag behind");
        assert_eq!(world.refused_permission(&secret, "write:assets").await, Some(Reason::PermissionUnknown));
        let checked = world.authority.operator().check(&CONSOLE).await.expect("checked");
        assert_eq!(checked.faults, [] as [String; 0]);
        assert_eq!(checked.notes.len(), 2, "{:?}", checked.notes);
        assert!(checked.notes[0].contains("`read:assets`, which is called `get:assets` now"));
        assert!(checked.notes[1].contains("`write:assets`, which is no longer in the catalogue"));
        let again = world.authority.operator().apply_catalogue(&CONSOLE, &NextCatalogue::Whole(next.clone())).await.expect("applied");
        assert_eq!((again.value.changes.len(), again.changed), (0, false), "once is enough");

        // A second authority on the same database sees the change with its next answer.
        let other = ndauth_authority::Authority::open(&world.scratch.url, ndauth_authority::Clock::Database, None).await;
        let other = other.expect("opened");
        assert_eq!(other.list_permissions(&CONSOLE).await.expect("listed").document(), next);
        let back = changed(world, |document| {
            document.types.get_mut("assets").expect("there").actions.insert("write".to_owned(), action(Role::Rw, &[]));
        })
        .await;
        let revived = other.operator().apply_catalogue(&CONSOLE, &NextCatalogue::Whole(back.clone())).await.expect("applied").value.revived;
        assert_eq!(revived, 1, "it is reported");
        world.catch_up().await;
        assert_eq!(world.refused_permission(&secret, "write:assets").await, None, "as a role that is given back");
    }

    async fn widening_catalogues_are_refused_whole(world: &World) {
        let before = changed(world, |_| ()).await;
        let next = changed(world, |document| {
            let assets = document.types.get_mut("assets").expect("the type is there");
            assets.actions.remove("approve");
            assets.actions.insert("accept".to_owned(), action(Role::Rw, &["approve:assets"]));
        })
        .await;
        let error = world.authority.operator().apply_catalogue(&CONSOLE, &NextCatalogue::Whole(next.clone())).await.expect_err("refused");
        assert_eq!(error.reason(), Reason::InvalidArgument);
        assert!(error.to_string().contains("`accept:assets` cannot replace `approve:assets`"), "{error}");
        assert_eq!(changed(world, |_| ()).await, before);
        // A name that some token carries from before cannot be the new name of another permission.
        let dead = changed(world, |document| {
            document.types.get_mut("assets").expect("there").actions.remove("write");
        })
        .await;
        world.create(&token_with("ci", |new| new.grants = granted(&["write:assets"]))).await;
        world.authority.operator().apply_catalogue(&CONSOLE, &NextCatalogue::Whole(dead.clone())).await.expect("applied");
        let taken = changed(world, |document| {
            let assets = document.types.get_mut("assets").expect("the type is there");
            assets.actions.remove("approve");
            assets.actions.insert("write".to_owned(), action(Role::Admin, &["approve:assets"]));
        })
        .await;
        let error = world.authority.operator().apply_catalogue(&CONSOLE, &NextCatalogue::Whole(taken.clone())).await.expect_err("refused");
        assert!(error.to_string().contains("1 live token(s) carry `write:assets` from before"), "{error}");
        let ours = changed(world, |document| {
            let assets = document.types.remove("assets").expect("the type is there");
            document.types.insert("tokens".to_owned(), assets);
        })
        .await;
        assert_eq!(reason(world.authority.operator().apply_catalogue(&CONSOLE, &NextCatalogue::Whole(ours.clone())).await), Reason::InvalidArgument);
    }
}
