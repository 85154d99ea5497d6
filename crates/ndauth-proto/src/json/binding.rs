//! The HTTP bindings of the RPCs, as `google.api.http` annotates them, and the requests that they make.

use std::fmt;
use std::sync::LazyLock;

use ndauth_core::{Problem, nearest};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value as Field,
};
use serde_json::Value;

use super::descriptors::descriptors;
use super::form::MessageForm;
use super::read::{read_body, read_message, read_text, set};
use super::text::shown;

/// An HTTP binding of an RPC.
#[derive(Debug)]
pub struct HttpBinding {
    /// The RPC, which has the messages of the request and of the response.
    pub rpc: MethodDescriptor,
    /// The method, such as `GET`.
    pub method: &'static str,
    /// The segments of the path.
    pub segments: Vec<PathSegment>,
    /// The verb after the last segment and a colon, such as `rotate` in `/v1/tokens/{id}:rotate`.
    pub verb: Option<String>,
    /// The part of the request that the body is.
    pub body: BodyOf,
    /// The parameters that the query may have.
    pub parameters: Vec<Parameter>,
    /// The field that the path sets without a variable.
    constant: Option<Vec<FieldDescriptor>>,
}

/// A segment of a path.
#[derive(Debug)]
pub enum PathSegment {
    /// This text.
    Literal(String),
    /// Any text: the value of a parameter.
    Variable(Parameter),
}

/// The part of a request that a body is.
#[derive(Debug)]
pub enum BodyOf {
    /// None: there is no body.
    Nothing,
    /// The whole request, except the fields that the path sets.
    Request,
    /// A field of the request.
    Field(FieldDescriptor),
}

/// A parameter of a path or a query: a field of the request, or the member of one of its messages.
#[derive(Clone, Debug)]
pub struct Parameter {
    fields: Vec<FieldDescriptor>,
}

impl Parameter {
    /// Returns the field.
    pub fn field(&self) -> &FieldDescriptor {
        self.fields.last().expect("a parameter has a field")
    }
}

/// The RPCs without a binding, each with the reason.
pub const WITHOUT_BINDING: [(&str, &str); 2] = [
    (
        "ndauth.v1.ValidationService.Resolve",
        "it is the half of a cache whose other half is `WatchRevocations`",
    ),
    ("ndauth.v1.WatchService.WatchRevocations", "it streams both ways, which HTTP/1.1 cannot"),
];

/// Returns every binding, in the order of the contract.
pub fn bindings() -> &'static [HttpBinding] {
    static BINDINGS: LazyLock<Vec<HttpBinding>> = LazyLock::new(|| {
        let rpcs = descriptors().services().flat_map(|service| service.methods().collect::<Vec<_>>());
        rpcs.flat_map(|rpc| bindings_of(&rpc)).collect()
    });
    &BINDINGS
}

/// Reads the annotations of an RPC. The contract is part of this program, so a test finds what is wrong with it.
fn bindings_of(rpc: &MethodDescriptor) -> Vec<HttpBinding> {
    let options = rpc.options();
    let mut extensions = options.extensions();
    let Some((_, Field::Message(rule))) =
        extensions.find(|(extension, _)| extension.full_name() == "google.api.http")
    else {
        return Vec::new();
    };
    let constants =
        options.extensions().find(|(extension, _)| extension.full_name() == "ndauth.v1.http_constant");
    let constants =
        constants.and_then(|(_, values)| values.as_list().map(<[Field]>::to_vec)).unwrap_or_default();
    let more = rule.get_field_by_name("additional_bindings");
    let more = more.as_ref().and_then(|more| more.as_list()).unwrap_or_default();
    let rules = std::iter::once(rule).chain(more.iter().filter_map(Field::as_message));
    rules.map(|rule| binding(rpc, rule, &constants)).collect()
}

const METHODS: [(&str, &str); 5] =
    [("get", "GET"), ("put", "PUT"), ("post", "POST"), ("delete", "DELETE"), ("patch", "PATCH")];

fn binding(rpc: &MethodDescriptor, rule: &DynamicMessage, constants: &[Field]) -> HttpBinding {
    let (name, method) =
        METHODS.into_iter().find(|(name, _)| rule.has_field_by_name(name)).expect("a rule has a method");
    let text = |name| {
        rule.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let template = text(name);
    let (path, verb) = match template.rsplit_once(':') {
        Some((path, verb)) => (path, Some(verb.to_owned())),
        None => (template.as_str(), None),
    };
    let input = rpc.input();
    let segment = |text: &str| match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(path) => PathSegment::Variable(Parameter { fields: fields(&input, path) }),
        None => PathSegment::Literal(text.to_owned()),
    };
    let segments: Vec<PathSegment> = path.split('/').skip(1).map(segment).collect();
    let body = match text("body").as_str() {
        "" => BodyOf::Nothing,
        "*" => BodyOf::Request,
        name => BodyOf::Field(input.get_field_by_name(name).expect("a body is a field of the request")),
    };
    let (rpc, parameters) = (rpc.clone(), Vec::new());
    let mut binding = HttpBinding { rpc, method, segments, verb, body, parameters, constant: None };
    let fits = |constant: &str| match constant.split_once(' ') {
        Some((beginning, path)) => template.starts_with(beginning).then(|| path.to_owned()),
        None => Some(constant.to_owned()),
    };
    let constant = constants
        .iter()
        .filter_map(Field::as_str)
        .find_map(fits)
        .map(|path| fields(&binding.rpc.input(), &path));
    binding.constant = constant.filter(|path| !binding.path_sets(&path[0]));
    binding.parameters = match &binding.body {
        BodyOf::Request => Vec::new(),
        BodyOf::Field(body) => query_parameters(&input, |field| binding.path_sets(field) || field == body),
        BodyOf::Nothing => query_parameters(&input, |field| binding.path_sets(field)),
    };
    binding
}

/// Finds the fields of a path such as `which.id`.
fn fields(message: &MessageDescriptor, path: &str) -> Vec<FieldDescriptor> {
    let mut message = Some(message.clone());
    let field = |name: &str| {
        let field =
            message.take().and_then(|message| message.get_field_by_name(name)).expect("a path names fields");
        message = field.kind().as_message().cloned();
        field
    };
    path.split('.').map(field).collect()
}

/// Returns the parameters of a query: the fields that have a text and are not set otherwise, and the members of the
/// messages that are one `oneof`.
fn query_parameters(
    request: &MessageDescriptor,
    is_set: impl Fn(&FieldDescriptor) -> bool,
) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    for field in request.fields().filter(|field| !field.is_list() && !is_set(field)) {
        match field.kind() {
            Kind::Message(message) if MessageForm::of(&message) == MessageForm::Object => {
                let members = message.fields().filter(|member| member.containing_oneof().is_some());
                parameters.extend(members.map(|member| Parameter { fields: vec![field.clone(), member] }));
            }
            _ => parameters.push(Parameter { fields: vec![field] }),
        }
    }
    parameters
}

impl HttpBinding {
    /// Returns the variables of the path, in its order.
    pub fn variables(&self) -> impl Iterator<Item = &Parameter> {
        self.segments.iter().filter_map(|segment| match segment {
            PathSegment::Literal(_) => None,
            PathSegment::Variable(parameter) => Some(parameter),
        })
    }

    /// Returns the name of the message without contents that the path sets, such as `mine`.
    pub fn constant(&self) -> Option<&str> {
        self.constant.as_ref()?.last().map(FieldDescriptor::name)
    }

    /// Returns true if the path sets a field of the request, so that neither the query nor the body may.
    pub fn path_sets(&self, field: &FieldDescriptor) -> bool {
        let constant = self.constant.as_ref().is_some_and(|path| path[0] == *field);
        constant || self.variables().any(|variable| variable.fields[0] == *field)
    }

    /// Builds the request of a call: from its body, the values of the path's variables, in their order, and the query.
    /// No field is set twice.
    pub fn request(
        &self,
        body: Option<&Value>,
        values: &[&str],
        query: &[(String, String)],
    ) -> Result<DynamicMessage, Problem> {
        let input = self.rpc.input();
        let mut request = match (&self.body, body) {
            (BodyOf::Nothing, Some(_)) => {
                return Err(Problem::invalid("body", "this request has none: its parameters are in the URL"));
            }
            (BodyOf::Request, Some(body)) => {
                // A field without presence does not show that it was set.
                let set = |variable: &&Parameter| matches!(&*variable.fields, [only] if body.get(only.name()).is_some());
                if let Some(variable) = self.variables().find(set) {
                    let why = "the path sets it: leave it out of the body";
                    return Err(Problem::invalid(variable.field().name(), why));
                }
                read_message(&input, body)?
            }
            (BodyOf::Field(field), Some(body)) => {
                let mut request = DynamicMessage::new(input);
                request.set_field(field, read_body(field, body)?);
                request
            }
            (_, None) => DynamicMessage::new(input),
        };
        if let Some(constant) = &self.constant {
            let Some(Kind::Message(last)) = constant.last().map(FieldDescriptor::kind) else {
                unreachable!("a constant is a message without contents")
            };
            put(&mut request, constant, constant[0].name(), Field::Message(DynamicMessage::new(last)))?;
        }
        for (variable, text) in self.variables().zip(values) {
            variable.put(&mut request, text)?;
        }
        for (index, (name, text)) in query.iter().enumerate() {
            let parameter = self.parameter(name)?;
            if query[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Problem::invalid(name, "it is set twice"));
            }
            parameter.put(&mut request, text)?;
        }
        Ok(request)
    }

    /// Returns the name that a client knows a field of the request by: that of the variable, if the path sets it.
    pub fn name_of<'a>(&'a self, path: &'a str) -> &'a str {
        let names =
            |parameter: &&Parameter| parameter.fields.iter().map(FieldDescriptor::name).eq(path.split('.'));
        let parameter = self.variables().chain(&self.parameters).find(names);
        parameter.map_or(path, |parameter| parameter.field().name())
    }

    fn parameter(&self, name: &str) -> Result<&Parameter, Problem> {
        let names = || self.parameters.iter().map(|parameter| parameter.field().name());
        self.parameters.iter().find(|parameter| parameter.field().name() == name).ok_or_else(|| {
            let meant = nearest(name, names()).map(|name| format!(": did you mean `{name}`?"));
            let why = format!("there is no such parameter of the query{}", meant.unwrap_or_default());
            Problem::invalid(&shown(name), why)
        })
    }
}

impl Parameter {
    fn put(&self, request: &mut DynamicMessage, text: &str) -> Result<(), Problem> {
        let field = self.field();
        put(request, &self.fields, field.name(), read_text(field, field.name(), text)?)
    }
}

/// Sets a field within a message, unless it is set already.
fn put(
    message: &mut DynamicMessage,
    path: &[FieldDescriptor],
    name: &str,
    value: Field,
) -> Result<(), Problem> {
    match path {
        [] => Ok(()),
        [field] => set(message, field, name, value),
        [parent, rest @ ..] => match message.get_field_mut(parent) {
            Field::Message(inner) => put(inner, rest, name, value),
            _ => Ok(()),
        },
    }
}

impl fmt::Display for HttpBinding {
    /// Writes the method and the path, such as `POST /v1/orgs/{org}/tokens/{id}:rotate`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method)?;
        for segment in &self.segments {
            match segment {
                PathSegment::Literal(text) => write!(f, "/{text}")?,
                PathSegment::Variable(parameter) => write!(f, "/{{{}}}", parameter.field().name())?,
            }
        }
        self.verb.as_ref().map_or(Ok(()), |verb| write!(f, ":{verb}"))
    }
}
