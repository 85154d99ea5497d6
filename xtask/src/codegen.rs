//! Generates Rust code and a descriptor set from `proto/`, without a system protoc.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::cargo::root;

/// The folder of the generated files, from the root of the workspace.
const GENERATED: &str = "crates/ndauth-proto/src/generated";

/// The folder of the example's service and of the code generated from it.
const EXAMPLE: &str = "crates/ndauth-client/examples/asset-registry";
const EXAMPLE_PROTO: &str = "assets.proto";

/// Writes all generated files.
pub(crate) fn write_all() -> anyhow::Result<()> {
    write(&root().join(GENERATED))?;
    write_example(&root().join(EXAMPLE))
}

/// Writes the Rust code of the example's service into a folder.
fn write_example(folder: &Path) -> anyhow::Result<()> {
    let mut compiler = protox::Compiler::new([root().join(EXAMPLE)])?;
    compiler.include_imports(true).include_source_info(true).open_file(EXAMPLE_PROTO)?;
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .build_transport(false)
        .out_dir(folder)
        .compile_fds(compiler.file_descriptor_set())
        .context("cannot generate Rust for the example")
}

/// Writes everything that is generated from `proto/` to a folder.
fn write(folder: &Path) -> anyhow::Result<()> {
    let proto = root().join("proto");
    let mut files: Vec<String> = fs::read_dir(proto.join("ndauth/v1"))?
        .map(|entry| Ok(format!("ndauth/v1/{}", entry?.file_name().to_string_lossy())))
        .collect::<anyhow::Result<_>>()?;
    files.sort();

    let mut documented = protox::Compiler::new([&proto])?;
    documented.include_imports(true).include_source_info(true).open_files(&files)?;
    fs::create_dir_all(folder)?;
    // A message's descriptor is found by its name.
    let mut names = prost_build::Config::new();
    names.enable_type_names();
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .build_transport(false)
        // `ndauth-proto` implements the `Debug` of messages that hold a secret, and hides it there.
        .skip_debug(messages_with_secrets(&documented))
        // Only annotations use it: nothing refers to this path, so no code is generated for it.
        .extern_path(".google.api", "::google_api")
        .out_dir(folder)
        .compile_fds_with_config(documented.file_descriptor_set(), names)
        .context("cannot generate Rust from `proto/`")?;

    let mut bare = protox::Compiler::new([&proto])?;
    bare.include_imports(true).include_source_info(false).open_files(&files)?;
    fs::write(folder.join("descriptor.bin"), bare.encode_file_descriptor_set())?;
    Ok(())
}

/// Returns the messages with a field that is marked `debug_redact`.
fn messages_with_secrets(compiler: &protox::Compiler) -> Vec<String> {
    let pool = compiler.descriptor_pool();
    pool.all_messages()
        .filter(|message| {
            message.fields().any(|field| {
                let options = field.options();
                options.get_field_by_name("debug_redact").and_then(|value| value.as_bool()) == Some(true)
            })
        })
        .map(|message| message.full_name().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_code_is_fresh() {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        write(scratch.path()).expect("`proto/` compiles");
        let names = |folder: &Path| {
            let mut names: Vec<_> = fs::read_dir(folder)
                .expect("a folder of generated files")
                .map(|entry| entry.expect("a file").file_name())
                .collect();
            names.sort();
            names
        };
        let kept = root().join(GENERATED);
        assert_eq!(names(scratch.path()), names(&kept), "run `cargo xtask codegen`");
        for name in names(&kept) {
            let fresh = fs::read(scratch.path().join(&name)).expect("a fresh file");
            let stale = fs::read(kept.join(&name)).expect("a kept file");
            assert!(fresh == stale, "{name:?} is stale: run `cargo xtask codegen`");
        }
        write_example(scratch.path()).expect("the example's service compiles");
        let [fresh, stale] = [scratch.path(), &root().join(EXAMPLE)]
            .map(|folder| fs::read(folder.join("assets.v1.rs")).expect("a file of code"));
        assert!(fresh == stale, "the example's code is stale: run `cargo xtask codegen`");
    }
}
