//! Suggestions for a mistyped word.

/// Returns the name most similar to a word, if any is similar enough.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Two words below this similarity have little in common.
    const ENOUGH: f64 = 0.8;
    /// No name is longer, in bytes. The comparison takes longer than the words do.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let likeness = |name: &'a str| (strsim::jaro_winkler(&word.to_lowercase(), &name.to_lowercase()), name);
    let like = names.into_iter().map(likeness).filter(|(likeness, _)| *likeness >= ENOUGH);
    like.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_words_are_suggested() {
        let names = ["listen", "admin-listen", "database", "log"];
        assert_eq!(nearest("listn", names), Some("listen"));
        assert_eq!(nearest("DATABSE", names), Some("database"));
        assert_eq!(nearest("zebra", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest(&format!("listen{}", "n".repeat(100)), names), None);
    }
}
