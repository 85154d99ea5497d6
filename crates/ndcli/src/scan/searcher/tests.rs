use super::*;

/// Some secret of a kind, which no document publishes.
fn secret(kind: SecretKind) -> String {
    format!("{}Zk3mQx81vTn5Rb7cWy9Ld2Fh4Gj6Ps0AaBeCfDgEiHU", kind.marker())
}

fn personal() -> String {
    secret(SecretKind::Personal)
}

/// Returns the places of the leaks in a text.
fn places(bytes: &[u8]) -> Vec<(u64, u64)> {
    let leaks = Searcher::new().search(bytes).expect("a slice is read");
    leaks.listed.iter().map(|leak| (leak.line, leak.column)).collect()
}

#[test]
fn every_kind_is_found_at_its_place() {
    for kind in SecretKind::ALL {
        let text = format!("one\n  key = \"{}\"\n", secret(kind));
        let found = Searcher::new().search(text.as_bytes()).expect("read");
        let prefix = secret(kind)[..12].parse().expect("a prefix");
        assert_eq!(found.listed, [Leak { line: 2, column: 10, prefix }]);
    }
    let two = format!("{0} {0}\n\n{0}", personal());
    assert_eq!(places(two.as_bytes()), [(1, 1), (1, 51), (3, 1)]);
}

#[test]
fn only_canonical_secrets_count() {
    let secret = personal();
    for (text, expected) in [
        (secret.clone(), 1),
        // What stands before it does not matter: an escape, an encoded character, another secret's beginning.
        (format!("token%3D{secret}&x"), 1),
        (format!("\\n{secret}\\n"), 1),
        (format!("ndpat_{secret}"), 1),
        (format!("ndpat_ndpat_{secret}"), 1),
        (format!("\u{0}\u{1}{secret}\u{0}"), 1),
        (format!("https://x:{secret}@example.org"), 1),
        (format!("{secret}-old {secret}_old {secret}."), 3),
        // With `-` and `_`, which no server mints.
        (format!("ndpat_{}", "-_aB".repeat(11).split_at(42).0) + "8", 1),
        // Too long, too short, another case, a last character that is not canonical, another marker, a line break within.
        (format!("{secret}A"), 0),
        (secret[..48].to_owned(), 0),
        (secret.to_uppercase(), 0),
        (format!("{}V", &secret[..48]), 0),
        (format!("{}+{}", &secret[..20], &secret[21..]), 0),
        (secret.replace("ndpat_", "ndxxx_"), 0),
        (format!("{}\n{}", &secret[..20], &secret[20..]), 0),
        // Samples and placeholders.
        ("ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".to_owned(), 0),
        (format!("ndsvc_{}", "A".repeat(43)), 0),
        (String::new(), 0),
    ] {
        assert_eq!(places(text.as_bytes()).len(), expected, "{text:?}");
    }
}

#[test]
fn utf_16_is_read_in_both_byte_orders() {
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let wide = |text: &str| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let text = |after: &str| wide(&format!("\u{feff}$env:TOKEN = '{}{after}", personal()));
        assert_eq!(places(&text("'\r\n")).len(), 1);
        assert_eq!(places(&text("")).len(), 1, "at the end of a file");
        assert_eq!(places(&text("A")).len(), 0, "too long");
        assert_eq!(places(&text("' # ndauth:allow\r\n")).len(), 0);
        assert_eq!(places(&text("é")).len(), 1);
    }
}

#[test]
fn a_line_may_allow_its_secrets() {
    let secret = personal();
    for (text, expected) in [
        (format!("{secret} # ndauth:allow"), vec![]),
        (format!("# ndauth:allow {secret} {secret}\n"), vec![]),
        (format!("# ndauth:allow\n{secret}\n"), vec![(2, 1)]),
        (format!("{secret}\n# ndauth:allow\n{secret}"), vec![(1, 1), (3, 1)]),
        (format!("{secret} # ndauth:allow\n{secret}"), vec![(2, 1)]),
    ] {
        assert_eq!(places(text.as_bytes()), expected, "{text:?}");
    }
}

/// A reader that returns a few bytes at a time.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.1.min(buffer.len()).min(self.0.len());
        let (now, later) = self.0.split_at(most);
        buffer[..most].copy_from_slice(now);
        self.0 = later;
        Ok(most)
    }
}

/// Wherever the chunks of a file end, the same is found.
#[test]
fn chunks_hide_nothing() {
    let secret = personal();
    let wide: Vec<u8> = secret.bytes().flat_map(|byte| [byte, 0]).collect();
    let text = format!("a\n{secret}\nb {secret} c ndauth:allow {secret}\n{secret}A {secret}");
    let text: Vec<u8> = text.into_bytes().into_iter().chain(*b"\n").chain(wide).collect();
    let expected = places(&text);
    assert_eq!(expected.len(), 3, "{expected:?}");
    for size in 1..=text.len() {
        let leaks = Searcher::new().search(Slowly(&text, size)).expect("read");
        let found: Vec<_> = leaks.listed.iter().map(|leak| (leak.line, leak.column)).collect();
        assert_eq!(found, expected, "{size}");
    }
    // At the border of the buffer, at each of the places that matter.
    for before in CHUNK - 2 * DECIDING..=CHUNK + 2 {
        let mut text = vec![b'\n'; before];
        text.extend(secret.bytes());
        text.push(b'\n');
        assert_eq!(places(&text), [(before as u64 + 1, 1)], "{before}");
        let mut allowed = text;
        allowed.pop();
        allowed.extend(b" ndauth:allow");
        assert_eq!(places(&allowed), [], "{before}");
    }
}

#[test]
fn a_file_full_of_secrets_lists_some() {
    for separator in ["\n", " "] {
        let text = format!("{}{separator}", personal()).repeat(MOST_LISTED + 500);
        let leaks = Searcher::new().search(text.as_bytes()).expect("read");
        assert_eq!((leaks.listed.len(), leaks.more), (MOST_LISTED, 500), "{separator:?}");
    }
}

/// The whole alphabet of bytes, in any order, never makes it fail.
#[test]
fn any_bytes_can_be_searched() {
    let mut state = 1_u32;
    for _ in 0..200 {
        let pieces: [&[u8]; 8] =
            [b"ndpat_", b"n\0d\0p\0a\0t\0_\0", b"ndauth:allow", b"\n", b"A", b"\0", b"\xff", b"Zk3mQx81vT"];
        let mut bytes = Vec::new();
        for _ in 0..200 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.extend(pieces[(state >> 29) as usize]);
        }
        let whole = places(&bytes);
        let slow = Searcher::new().search(Slowly(&bytes, 7)).expect("read");
        assert_eq!(slow.listed.len(), whole.len());
    }
}
