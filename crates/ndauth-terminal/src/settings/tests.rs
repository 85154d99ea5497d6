use super::*;

fn command() -> Command {
    Command::new("it")
        .arg(Arg::new("config").long("config").env("IT_CONFIG"))
        .arg(
            Arg::new("level")
                .long("level")
                .env("IT_LEVEL")
                .default_value("info")
                .value_parser(["info", "debug"])
                .global(true),
        )
        .subcommand(
            Command::new("serve")
                .arg(
                    Arg::new("drain")
                        .long("drain-seconds")
                        .env("IT_DRAIN")
                        .default_value("10")
                        .value_parser(clap::value_parser!(u64)),
                )
                .arg(Arg::new("plain").long("plain").env("IT_PLAIN").action(ArgAction::SetTrue))
                .arg(Arg::new("yes").long("yes").action(ArgAction::SetTrue)),
        )
}

fn known() -> Vec<Setting> {
    settings(&command(), &["IT_"], &["config"])
}

fn layer(text: &str) -> Result<Layer, Failure> {
    let file = PathBuf::from("it.toml");
    let document: DocumentMut = text.parse().expect("TOML");
    let values = values(&file, document.as_table(), &known())?;
    Ok(Layer { file: Some(file), values })
}

#[test]
fn flags_override_variables_files_and_defaults() {
    let layer = layer("drain-seconds = 20\nplain = true\nlevel = \"debug\"").expect("settings");
    let known = known();
    let drain = known.iter().find(|setting| setting.key == "drain-seconds").expect("known");
    for (arguments, value, origin) in [
        (&["it", "serve", "--drain-seconds", "30"] as &[&str], "30", Origin::Flag),
        (&["it", "serve"], "20", Origin::File("it.toml".into())),
    ] {
        let matches = layer.beneath(command()).get_matches_from(arguments);
        let inner = innermost(&matches);
        assert_eq!(in_force(inner, drain).as_deref(), Some(value));
        assert_eq!(layer.origin(inner, drain), origin);
        assert!(inner.get_flag("plain"));
        assert_eq!(inner.get_one::<String>("level").map(String::as_str), Some("debug"));
    }
    let matches = Layer::default().beneath(command()).get_matches_from(["it", "serve"]);
    let inner = innermost(&matches);
    assert_eq!((in_force(inner, drain).as_deref(), inner.get_flag("plain")), (Some("10"), false));
    assert_eq!(Layer::default().origin(inner, drain), Origin::Default);
}

#[test]
fn invalid_settings_in_a_file_are_refused_with_a_suggestion() {
    for (text, message, hint) in [
        ("levle = \"debug\"", "`it.toml`: there is no setting `levle`", "did you mean `level`?"),
        ("config = \"x\"", "`it.toml`: there is no setting `config`", "available: "),
        ("yes = true", "`it.toml`: there is no setting `yes`", "available: "),
        ("level = \"loud\"", "`it.toml`: `level`: `loud`: expected one of info, debug", "--help"),
        ("drain-seconds = \"soon\"", "`it.toml`: `drain-seconds`: `soon`: invalid digit", "--help"),
        ("plain = 1", "`it.toml`: `plain`: expected true or false, and not `1`", "--help"),
        ("level = [\"info\"]", "`it.toml`: `level` takes one value", "KEY"),
    ] {
        let failure = layer(text).expect_err(text);
        assert!(failure.message.starts_with(message), "{text}: {}", failure.message);
        assert!(failure.hint.as_deref().is_some_and(|found| found.contains(hint)), "{text}: {failure:?}");
        assert_eq!(failure.code, 2);
    }
}
