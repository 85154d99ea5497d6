//! The app behind the proxies and the resource servers: it responds with the request that it received.

use std::io::{BufRead, BufReader, Read, Write, copy, sink};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use serde_json::json;

/// The first part of a response of `/stream`. The second follows when the test says so.
pub(super) const BEGUN: &str = "begun";
pub(super) const ENDED: &str = "ended";

pub(super) struct App {
    pub(super) address: SocketAddr,
    received: Arc<AtomicUsize>,
    go_on: mpsc::Sender<()>,
}

impl App {
    pub(super) fn start() -> App {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (received, (go_on, wait)) = (Arc::new(AtomicUsize::new(0)), mpsc::channel());
        let (count, wait) = (Arc::clone(&received), Arc::new(Mutex::new(wait)));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (count, wait) = (Arc::clone(&count), Arc::clone(&wait));
                std::thread::spawn(move || while serve(&stream, &count, &wait).is_some() {});
            }
        });
        App { address, received, go_on }
    }

    /// Returns the number of requests that it received.
    pub(super) fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }

    /// Lets one response of `/stream` end.
    pub(super) fn end_stream(&self) {
        self.go_on.send(()).expect("it serves");
    }
}

/// Serves one request. `None` if the connection is over.
fn serve(stream: &TcpStream, count: &AtomicUsize, wait: &Mutex<mpsc::Receiver<()>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    count.fetch_add(1, Ordering::SeqCst);
    let headers: Vec<_> =
        lines[1..].iter().filter_map(|line| line.split_once(": ").or(line.split_once(':'))).collect();
    let value = |name: &str| {
        headers.iter().find(|(named, _)| named.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    };
    let mut body = 0;
    if let Some(length) = value("content-length") {
        body = copy(&mut reader.by_ref().take(length.parse().ok()?), &mut sink()).ok()?;
    } else if value("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = u64::from_str_radix(size.trim(), 16).ok()?;
            copy(&mut reader.by_ref().take(size + 2), &mut sink()).ok()?;
            body += size;
            if size == 0 {
                break;
            }
        }
    }
    let mut stream = stream;
    if lines[0].contains(" /stream ") {
        // nginx buffers responses unless the app forbids it.
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-accel-buffering: no\r\n\r\n";
        write!(stream, "{head}{:x}\r\n{BEGUN}\r\n", BEGUN.len()).ok()?;
        wait.lock().ok()?.recv().ok()?;
        return write!(stream, "{:x}\r\n{ENDED}\r\n0\r\n\r\n", ENDED.len()).ok();
    }
    let text = json!({ "line": lines[0], "headers": headers, "body": body }).to_string();
    let text = if lines[0].starts_with("HEAD ") { String::new() } else { text };
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).ok()
}
