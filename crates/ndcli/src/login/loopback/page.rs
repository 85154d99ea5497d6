//! The pages that the browser shows when it returns. They look like those of the server, and their texts never come
//! from a request.

/// A page for the browser that returned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LoopbackPage {
    /// `ndcli auth login` has a new session.
    LoggedIn,
    /// A command that needed a recent login has one.
    LoggedInAgain,
    /// The person denied it.
    Denied,
    /// There is no session, for a reason that the terminal shows.
    Failed,
    /// The request was not the authorization response.
    Stray,
}

/// The style of every page.
const STYLE: &str = include_str!("style.css");
/// The hash of the style, which is all that the content security policy admits.
const STYLE_HASH: &str = "sha256-Q5xeNFss4Ijvi71XhUVu2BBC2PuQ99C4PhBC+QQPThg=";

impl LoopbackPage {
    /// Returns the whole HTTP response.
    pub(super) fn response(self, status: &str) -> String {
        let page = self.html();
        format!(
            "HTTP/1.1 {status}\r\n\
             Content-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\n\
             Content-Security-Policy: default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Cache-Control: no-store\r\n\
             Connection: close\r\n\r\n{page}",
            page.len()
        )
    }

    fn html(self) -> String {
        let (title, text, command) = self.words();
        let next = match command {
            Some(command) => format!("<p class=\"said\">Next, in the terminal:</p>\n<pre>{command}</pre>\n"),
            None => String::new(),
        };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · ndcli</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n\
             <header><span class=\"mark\" aria-hidden=\"true\"></span>ndcli</header>\n\
             <main>\n<h1>{title}</h1>\n<p>{text}</p>\n{next}</main>\n</body>\n</html>\n"
        )
    }

    /// Returns the title, the text, and the command to type next.
    fn words(self) -> (&'static str, &'static str, Option<&'static str>) {
        match self {
            LoopbackPage::LoggedIn => (
                "You are logged in",
                "ndcli has the login. Close this page and go back to the terminal.",
                Some("ndcli auth token create --name github-ci --scope rw"),
            ),
            LoopbackPage::LoggedInAgain => (
                "You are logged in again",
                "Close this page and go back to the terminal: your command waited for this login.",
                None,
            ),
            LoopbackPage::Denied => (
                "Denied",
                "Nothing was authorized. If you did not start this yourself, somebody may have tried to get in as \
                 you. Nobody got in. Close this page.",
                None,
            ),
            LoopbackPage::Failed => (
                "The login failed",
                "ndcli has no new login. Close this page and go back to the terminal, which shows why.",
                None,
            ),
            LoopbackPage::Stray => (
                "Not the response",
                "This is not the response that ndcli waits for. Go back to the page of the server.",
                None,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;

    const PAGES: [LoopbackPage; 5] = [
        LoopbackPage::LoggedIn,
        LoopbackPage::LoggedInAgain,
        LoopbackPage::Denied,
        LoopbackPage::Failed,
        LoopbackPage::Stray,
    ];

    #[test]
    fn the_pages_load_and_run_nothing() {
        for page in PAGES {
            let response = page.response("200 OK");
            let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
            assert!(
                head.contains("Content-Security-Policy: default-src 'none'; style-src 'sha256-"),
                "{head}"
            );
            assert!(!head.contains("unsafe") && head.contains("Cache-Control: no-store"), "{head}");
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
            for loading in ["<script", "<link", "<img", "http", "url(", "@import", "style="] {
                assert!(!body.contains(loading), "{page:?}: {loading}");
            }
            assert!(body.len() < 3000, "{page:?} takes {} bytes", body.len());
        }
    }

    #[test]
    fn the_policy_admits_the_style() {
        assert_eq!(STYLE_HASH, format!("sha256-{}", STANDARD.encode(Sha256::digest(STYLE))));
        assert!(LoopbackPage::Denied.html().contains(&format!("<style>{STYLE}</style>")));
    }
}
