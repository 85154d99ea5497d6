//! The comments of the contract, by the names of what they describe.

use std::collections::BTreeMap;

use ndauth_proto::json::enum_value_name;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{EnumDescriptor, FileDescriptor, MessageDescriptor, ServiceDescriptor};
use protox::Compiler;

use crate::documents::root;

/// The comments of `proto/`. The descriptors in the program have none.
#[derive(Debug)]
pub(super) struct Comments(BTreeMap<String, String>);

impl Comments {
    /// Reads the contract's files.
    pub(super) fn of_the_contract() -> Comments {
        let proto = root().join("proto");
        let files = std::fs::read_dir(proto.join("ndauth/v1")).expect("a folder");
        let files = files.map(|file| {
            let name = file.expect("an entry").file_name();
            format!("ndauth/v1/{}", name.display())
        });
        let mut compiler = Compiler::new([&proto]).expect("a folder of the contract");
        compiler.include_imports(true).include_source_info(true).open_files(files).expect("it compiles");
        let pool = compiler.descriptor_pool();
        let mut comments = Comments(BTreeMap::new());
        let files = || pool.files().filter(|file| file.package_name() == "ndauth.v1");
        files().for_each(|file| comments.read(&file));
        // JSON names the values of enums without their prefix.
        for values in files().flat_map(|file| file.enums().collect::<Vec<_>>()) {
            for value in values.values() {
                let Some(name) = enum_value_name(&values, value.number()) else { continue };
                let (quoted, name) = (format!("`{}`", value.name()), format!("`{name}`"));
                comments.0.values_mut().for_each(|comment| *comment = comment.replace(&quoted, &name));
            }
        }
        comments
    }

    /// Returns a comment as CommonMark, without line breaks within a paragraph. Empty if there is none.
    pub(super) fn of(&self, full_name: &str) -> &str {
        self.0.get(full_name).map_or("", String::as_str)
    }

    fn read(&mut self, file: &FileDescriptor) {
        let file_proto = file.file_descriptor_proto();
        file.services().for_each(|service| self.read_service(file_proto, &service));
        file.messages().for_each(|message| self.read_message(file_proto, &message));
        file.enums().for_each(|values| self.read_enum(file_proto, &values));
    }

    fn read_service(&mut self, file: &FileDescriptorProto, service: &ServiceDescriptor) {
        self.keep(file, service.path(), service.full_name());
        service.methods().for_each(|rpc| self.keep(file, rpc.path(), rpc.full_name()));
    }

    fn read_message(&mut self, file: &FileDescriptorProto, message: &MessageDescriptor) {
        self.keep(file, message.path(), message.full_name());
        message.fields().for_each(|field| self.keep(file, field.path(), field.full_name()));
        message.oneofs().for_each(|oneof| self.keep(file, oneof.path(), oneof.full_name()));
    }

    fn read_enum(&mut self, file: &FileDescriptorProto, values: &EnumDescriptor) {
        self.keep(file, values.path(), values.full_name());
        values.values().for_each(|value| self.keep(file, value.path(), value.full_name()));
    }

    fn keep(&mut self, file: &FileDescriptorProto, path: &[i32], full_name: &str) {
        let places = file.source_code_info.as_ref().map(|info| info.location.as_slice());
        let place = places.unwrap_or_default().iter().find(|place| place.path == path);
        if let Some(comment) = place.and_then(|place| place.leading_comments.as_deref()) {
            let paragraphs = comment
                .trim()
                .split("\n\n")
                .map(|paragraph| paragraph.lines().map(str::trim).collect::<Vec<_>>().join(" "));
            self.0.insert(full_name.to_owned(), paragraphs.collect::<Vec<_>>().join("\n\n"));
        }
    }
}
