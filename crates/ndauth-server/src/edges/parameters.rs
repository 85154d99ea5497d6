//! The parameters of a question: `org`, `access` and `permission`, as texts from the configuration of a proxy or from
//! a form. Each may occur once, none may be empty, and there are no others: a wrong name would leave out what must
//! hold.

use std::borrow::Cow;

use ndauth_core::{Permission, Problem, Requirement, Scope};

/// The names of the parameters that every edge reads.
pub(super) const PARAMETERS: [&str; 3] = ["org", "access", "permission"];

/// The values of named parameters, in the order of their names.
pub(super) type ParameterValues<'a, const N: usize> = [Option<Cow<'a, str>>; N];

/// Sorts parameters by name.
pub(super) fn sort<'a, const N: usize>(
    names: [&str; N],
    parameters: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
) -> Result<ParameterValues<'a, N>, Problem> {
    let mut values = [const { None }; N];
    for (name, value) in parameters {
        let Some(index) = names.iter().position(|known| *known == name) else {
            let why = format!("there is no such parameter: there are `{}`", names.join("`, `"));
            return Err(Problem::invalid(&shown(&name), why));
        };
        if values[index].is_some() {
            return Err(Problem::invalid(names[index], "it is given more than once"));
        }
        if value.is_empty() {
            return Err(Problem::invalid(names[index], "it is empty: give it a value, or leave it out"));
        }
        values[index] = Some(value);
    }
    Ok(values)
}

/// Sorts the parameters of a query or a form.
pub(super) fn sort_form<'a, const N: usize>(
    names: [&str; N],
    text: &'a [u8],
) -> Result<ParameterValues<'a, N>, Problem> {
    sort(names, form_urlencoded::parse(text))
}

/// Returns the requirement that parameters state. The access is `RW` unless they say otherwise; `method` is called for
/// the access of a request's method.
pub(super) fn requirement(
    [org, access, permission]: &ParameterValues<'_, 3>,
    method: impl FnOnce() -> Result<Scope, Problem>,
) -> Result<Requirement, Problem> {
    let org =
        org.as_deref().ok_or_else(|| Problem::invalid("org", "name the org in which access is needed"))?;
    let access = match access.as_deref() {
        None | Some("RW") => Scope::Rw,
        Some("RO") => Scope::Ro,
        Some("method") => method()?,
        Some(_) => return Err(Problem::invalid("access", "expected `RO`, `RW` or, of a proxy, `method`")),
    };
    let permission = permission.as_deref().map(str::parse::<Permission>).transpose();
    Ok(Requirement::Access {
        org: org.parse().map_err(|why| Problem::invalid("org", why))?,
        access,
        permission: permission.map_err(|why| Problem::invalid("permission", why))?,
    })
}

/// Returns the access that a request with this method needs (RFC 9110, section 9.2.1).
pub(super) fn access_of_method(method: &str) -> Scope {
    if matches!(method, "GET" | "HEAD" | "OPTIONS") { Scope::Ro } else { Scope::Rw }
}

/// Returns the start of a text of unknown origin, without characters that could mislead a reader.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !ndauth_core::is_unshowable(*c)).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Requirement, Problem> {
        let values = sort_form(PARAMETERS, query.as_bytes())?;
        requirement(&values, || Ok(access_of_method("PUT")))
    }

    #[test]
    fn the_access_is_rw_unless_the_configuration_says_otherwise() {
        for (query, expected) in [
            ("org=ops", Scope::Rw),
            ("org=ops&access=RW", Scope::Rw),
            ("access=RO&org=ops", Scope::Ro),
            ("org=ops&access=method", Scope::Rw),
        ] {
            let Ok(Requirement::Access { access, permission: None, .. }) = read(query) else {
                panic!("{query}");
            };
            assert_eq!(access, expected, "{query}");
        }
        assert_eq!(access_of_method("GET"), Scope::Ro);
        for method in ["get", "POST", "TRACE", "CONNECT", "GET ", ""] {
            assert_eq!(access_of_method(method), Scope::Rw, "{method:?}");
        }
    }

    #[test]
    fn a_question_is_whole_or_refused() {
        for (query, field) in [
            ("", "org"),
            ("org=", "org"),
            ("access=RO", "org"),
            ("org=ops&org=dev", "org"),
            ("org=ops&org=ops", "org"),
            ("org=Ops", "org"),
            ("org=all", "org"),
            ("org=ops&access=", "access"),
            ("org=ops&access=ro", "access"),
            ("org=ops&access=IDENTITY", "access"),
            ("org=ops&permission=", "permission"),
            ("org=ops&permission=assets", "permission"),
            ("org=ops&permission=read:assets&permission=write:assets", "permission"),
            ("org=ops&permissions=read:assets", "permissions"),
            ("org=ops&Access=RO", "Access"),
            ("org=ops&token=ndpat_x", "token"),
            ("org=ops%00", "org"),
            ("org=ops;access=RO", "org"),
        ] {
            let problem = read(query).expect_err(query);
            assert_eq!(problem.field.as_deref(), Some(field), "{query}: {problem:?}");
        }
    }
}
