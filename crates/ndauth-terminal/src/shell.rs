//! Shell quoting, for commands in hints: people paste them, and the names in them are arbitrary text.

/// Returns a text as one word of a POSIX shell: unchanged if it needs no quoting, else in single quotes.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "._-+@:,/%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_quoted_text_is_one_word_of_the_shell() {
        for (text, expected) in [
            ("github-ci", "github-ci"),
            ("=ls", "'=ls'"),
            ("read:assets@10.0.0.0/8", "read:assets@10.0.0.0/8"),
            ("日本語", "日本語"),
            ("", "''"),
            ("my token; rm -rf", "'my token; rm -rf'"),
            ("it's", r"'it'\''s'"),
            ("$HOME `id` \"x\" \\ * ~ # !", "'$HOME `id` \"x\" \\ * ~ # !'"),
            ("two\nlines", "'two\nlines'"),
        ] {
            assert_eq!(quoted(text), expected);
            let script = format!("printf '%s|' {}", quoted(text));
            let printed = Command::new("sh").args(["-c", &script]).output().expect("a shell").stdout;
            assert_eq!(String::from_utf8(printed).expect("text"), format!("{text}|"), "{script}");
        }
    }
}
