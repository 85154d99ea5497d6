//! `ndauthd admin catalogue`.

use std::path::Path;

use ndauth_authority::{Authority, AuthorityError, CatalogueApplied, Changed, NextCatalogue};
use ndauth_core::{CatalogueDocument, Problem};
use ndauth_terminal::{Failure, shown};
use serde_json::json;
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

use super::output::{AdminOutput, CONSOLE};
use crate::arguments::AdminCatalogueCommand;
use crate::report::authority_failure;

/// Carries out a command, and says what it did.
pub(super) async fn run(
    authority: &Authority,
    command: AdminCatalogueCommand,
) -> Result<AdminOutput, Failure> {
    match command {
        AdminCatalogueCommand::Show => {
            let catalogue = authority.list_permissions(CONSOLE).await;
            let document = catalogue.map_err(|error| authority_failure(&error))?.document();
            let json = json!({ "catalogue": document });
            Ok(AdminOutput { text: text(&document), json, aside: None, failed: false, if_lost: None })
        }
        AdminCatalogueCommand::Apply { file: Some(file), dry_run, .. } => {
            let next = NextCatalogue::Whole(read(&file)?);
            Ok(done(
                &apply(authority, &next, dry_run).await.map_err(|error| refused(&file, &error))?,
                dry_run,
            ))
        }
        AdminCatalogueCommand::Apply { file: None, preset, dry_run } => {
            let preset = preset.ok_or_else(|| {
                Failure::usage("say which catalogue", "name a file, or a preset: `--preset namespace`")
            })?;
            let next = NextCatalogue::With(preset.document());
            let applied =
                apply(authority, &next, dry_run).await.map_err(|error| authority_failure(&error))?;
            Ok(done(&applied, dry_run))
        }
    }
}

async fn apply(
    authority: &Authority,
    next: &NextCatalogue,
    dry_run: bool,
) -> Result<Changed<CatalogueApplied>, AuthorityError> {
    if dry_run {
        authority.operator().try_catalogue(CONSOLE, next).await
    } else {
        authority.operator().apply_catalogue(CONSOLE, next).await
    }
}

fn read(file: &Path) -> Result<CatalogueDocument, Failure> {
    let named = |what: String| format!("`{}`: {what}", file.display());
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::failed(named(format!("cannot be read: {error}")), None))?;
    toml_edit::de::from_str(&text).map_err(|error| {
        Failure::usage(
            named(shown(error.to_string().trim_end())),
            "`ndauthd admin catalogue show` prints a valid one",
        )
    })
}

/// Returns the failure for a refused document. Its message names the file.
fn refused(file: &Path, error: &AuthorityError) -> Failure {
    match error {
        AuthorityError::Invalid { .. } => {
            let message =
                Problem::from(error).message.replacen("`catalogue`", &format!("`{}`", file.display()), 1);
            Failure::usage(message, "nothing was changed: fix the file, and apply it again")
        }
        error => authority_failure(error),
    }
}

fn done(done: &Changed<CatalogueApplied>, dry_run: bool) -> AdminOutput {
    let applied = &done.value;
    let mut text: String = applied.changes.iter().map(|change| format!("{change}\n")).collect();
    let count = applied.changes.len();
    text += &match (count, dry_run) {
        (0, _) => "the catalogue is already like this: nothing to change\n".to_owned(),
        (_, true) => format!("{count} change(s), and none was made\n"),
        (_, false) => format!("✓ {count} change(s)\n"),
    };
    let mut aside = Vec::new();
    if applied.tokens > 0 {
        let affected = "live token(s) name permissions that this removes, renames or restores";
        aside.push(format!("{} {affected}: `ndauthd admin check` lists those that are left", applied.tokens));
    }
    if applied.revived > 0 {
        let gain = "live token(s) already carry permissions that are new here, and gain their power";
        aside.push(format!(
            "{} {gain}: where it means something else now, give it another name",
            applied.revived
        ));
    }
    let aside = (!aside.is_empty()).then(|| aside.join("\n"));
    let json = json!({
        "changed": done.changed,
        "dry_run": dry_run,
        "changes": applied.changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "tokens_affected": applied.tokens,
        "tokens_gaining": applied.revived,
        "sequence": done.changed.then_some(done.sequence),
    });
    AdminOutput { text, json, aside, failed: false, if_lost: None }
}

/// The document as a person edits it: a line an action.
fn text(document: &CatalogueDocument) -> String {
    let mut types = Table::new();
    types.set_implicit(true);
    for (name, resource_type) in &document.types {
        let mut actions = Table::new();
        for (name, definition) in &resource_type.actions {
            let mut action = InlineTable::new();
            action.insert("role", Value::from(definition.role.as_str()));
            action.insert("description", Value::from(definition.description.as_str()));
            if !definition.formerly.is_empty() {
                action.insert(
                    "formerly",
                    Value::Array(definition.formerly.iter().map(String::as_str).collect()),
                );
            }
            actions.insert(name, Item::Value(action.into()));
        }
        let mut table = Table::new();
        table.insert("description", Item::Value(resource_type.description.as_str().into()));
        table.insert("actions", Item::Table(actions));
        types.insert(name, Item::Table(table));
    }
    let mut whole = DocumentMut::new();
    whole.insert("types", Item::Table(types));
    whole.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        let document = crate::presets::Preset::Namespace.document();
        let shown = text(&document);
        assert_eq!(shown, include_str!("../presets/namespace.toml"));
        assert!(
            shown.contains("[types.\"bazel/cache\"]") && shown.contains("read = { role = \"RO\""),
            "{shown}"
        );
        assert_eq!(toml_edit::de::from_str::<CatalogueDocument>(&shown).expect("it reads"), document);
    }
}
