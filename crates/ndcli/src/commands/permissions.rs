//! `ndcli permissions list`.

use ndauth_proto::{role_from_proto, v1};
use ndauth_terminal::{Failure, Rows, print, print_message, shown};

use crate::connection::connect;
use crate::settings::{CommonOptions, Format};

#[derive(clap::Args)]
pub(crate) struct ListPermissions {
    /// Only permissions on this resource type
    #[arg(value_name = "TYPE")]
    resource_type: Option<String>,
}

/// Lists the permissions there are, by resource type.
pub(crate) async fn run(common: &CommonOptions, list: &ListPermissions) -> Result<(), Failure> {
    let server = connect(common).await?;
    let mut answer = server.ask(async |client| client.list_permissions().await).await?;
    let types = &mut answer.resource_types;
    if let Some(wanted) = &list.resource_type {
        let names: Vec<String> = types.iter().map(|resource_type| resource_type.name.clone()).collect();
        types.retain(|resource_type| resource_type.name == *wanted);
        if types.is_empty() {
            let meant = ndauth_terminal::nearest(wanted, names.iter().map(String::as_str));
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("available: {}", names.join(", ")),
            };
            return Err(Failure::usage(format!("there is no resource type `{wanted}`"), hint));
        }
    }
    let mut rows = Vec::new();
    for resource_type in &*types {
        for action in &resource_type.actions {
            let role = role_from_proto("least_role", action.least_role)?.as_str();
            rows.push([
                format!("{}:{}", action.name, resource_type.name),
                role.to_owned(),
                action.description.clone(),
            ]);
        }
    }
    match common.format {
        Format::Table => {
            let total = rows.len();
            let titles = ["PERMISSION", "LEAST ROLE", "LETS"];
            print(&format!("{}Total: {total} permission(s)\n", Rows { titles, rows, last_width: 0 }.table()))
        }
        Format::Simple => print(
            &rows.iter().map(|[name, role, _]| format!("• {} {role}\n", shown(name))).collect::<String>(),
        ),
        Format::Detailed => {
            let mut text = String::new();
            for resource_type in types {
                text += &detailed(resource_type)?;
            }
            print(&text)
        }
        Format::Json => print_message(&answer),
    }
}

fn detailed(resource_type: &v1::ResourceType) -> Result<String, Failure> {
    let mut fields = vec![("Type", resource_type.name.clone()), ("What", resource_type.description.clone())];
    if resource_type.own {
        fields.push(("Whose", "ndauth's own: granted by name alone, never by `*` or by all".to_owned()));
    }
    for action in &resource_type.actions {
        let role = role_from_proto("least_role", action.least_role)?;
        let formerly = match action.formerly.as_slice() {
            [] => String::new(),
            names => format!(" (was {})", names.join(", ")),
        };
        fields.push((action.name.as_str(), format!("{role}: {}{formerly}", action.description)));
    }
    Ok(ndauth_terminal::detailed(&fields))
}
