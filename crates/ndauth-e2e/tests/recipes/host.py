"""Serves a folder, and stands in for the API of a CI system.

A PUT or POST is stored in the folder `received`, whole: its line, its headers and its body. While the file `refuse` is
there, such a request is stored and answered with 500. Prints its address when it is ready.
"""

import http.server
import itertools
import pathlib
import sys

FOLDER = pathlib.Path(sys.argv[1])
NUMBERS = itertools.count(1)


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *rest):
        super().__init__(*rest, directory=FOLDER)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["content-length"])) if "content-length" in self.headers else b""
        received = FOLDER / "received"
        received.mkdir(exist_ok=True)
        text = f"{self.requestline}\n{self.headers}".encode() + body
        (received / f"{next(NUMBERS):03}").write_bytes(text)
        self.send_response(500 if (FOLDER / "refuse").exists() else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_PUT

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
