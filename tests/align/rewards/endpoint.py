"""An HTTP endpoint for the tests: scores answers by their length; the path says how it misbehaves. Prints its port."""
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

attempts = {}
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, status, text, length=None):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            attempts[self.path] = attempts.get(self.path, 0) + 1
            attempt = attempts[self.path]
        answers = request["answers"]
        rewards = [{"id": a["id"], "reward": len(a["text"])} for a in answers]
        path = self.path
        if path == "/good":
            self.reply(200, json.dumps({"rewards": rewards[::-1]}))
        elif path == "/attempts":
            self.reply(200, json.dumps({"rewards": [{"id": a["id"], "reward": attempts[a["text"]]} for a in answers]}))
        elif path.startswith("/recovers"):
            self.reply(200 if attempt > 2 else 503, json.dumps({"rewards": rewards}))
        elif path.startswith("/status"):
            self.reply(int(path[len("/status"):]), "{}")
        elif path == "/slow":
            time.sleep(5)
        elif path == "/dribble":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.1)
        elif path == "/garbage":
            self.reply(200, "{\"rewards\": [")
        elif path == "/no-list":
            self.reply(200, json.dumps({"rewards": {}}))
        elif path == "/number":
            self.reply(200, "5")
        elif path == "/large":
            self.reply(200, json.dumps({"rewards": rewards, "padding": "p" * 100_000}))
        elif path == "/short":
            self.reply(200, json.dumps({"rewards": rewards}), length=100_000)
        elif path == "/mixed":
            twice = [{"id": answers[0]["id"], "reward": 99}]
            strange = [{"id": answers[1]["id"], "reward": float("nan")}, {"id": 10**9, "reward": 1}, 7, {"reward": 1}]
            self.reply(200, json.dumps({"rewards": rewards[:1] + twice + strange}))
        elif path == "/token":
            right = self.headers["Authorization"] == "Bearer secret"
            self.reply(200, json.dumps({"rewards": [{"id": a["id"], "reward": int(right)} for a in answers]}))
        elif path == "/nonsense":
            self.wfile.write(b"this is no HTTP\r\n\r\n")


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
server.serve_forever()
