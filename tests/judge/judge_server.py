"""A judge, and a model that is judged, over HTTP for the tests: OpenAI's chat completions; the path says how it behaves.
Prints its port. Everything it says depends on the request alone, so that runs can be compared."""
import hashlib
import json
import math
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
asked = {}  # how often each request came
total = {}  # requests by path
working = most_working = 0


def number(text, below):
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % below


def rating(prompt):
    return f"Some words. Rating: [[{1 + number(prompt, 10)}]]"


def likely(tokens):
    return {"content": [{"token": tokens[0][0], "top_logprobs": [{"token": t, "logprob": p} for t, p in tokens]}]}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def ended(self):
        """Before the reply is there: whoever has it may ask again at once."""
        global working
        with lock:
            working -= self.counted
            self.counted = False

    def send(self, status, body):
        self.ended()
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say(self, text, logprobs=None):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        if logprobs:
            choice["logprobs"] = logprobs
        self.send(200, json.dumps({"choices": [choice]}))

    def do_POST(self):
        global working, most_working
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.split("/")[1]
        key = path + json.dumps(request["messages"])
        with lock:
            asked[key] = asked.get(key, 0) + 1
            total[path] = total.get(path, 0) + 1
            attempt = asked[key]
            self.counted = path != "peak"
            working += self.counted
            most_working = max(most_working, working)
        try:
            self.behave(path, request, request["messages"][-1]["content"], attempt)
        except BrokenPipeError:
            pass
        finally:
            self.ended()

    def behave(self, path, request, prompt, attempt):
        if path == "rate":
            self.say(rating(prompt))
        elif path == "shuffled":
            time.sleep(number(prompt + "x", 50) / 1000)
            self.say(rating(prompt))
        elif path == "slowly":
            time.sleep(0.15)
            self.say(rating(prompt))
        elif path == "second-time":
            self.say(rating(prompt) if attempt > 1 else "I would rather not say.")
        elif path == "busy":
            self.say(rating(prompt)) if attempt > 2 else self.send(503, "{}")
        elif path == "one-mute":
            self.say("[[11]]" if "81 two" in prompt else rating(prompt))
        elif path == "mute":
            self.say("No rating from me.")
        elif path == "asleep":
            time.sleep(30)
        elif path == "html":
            self.send(200, "<html>proxy</html>")
        elif path == "refuses":
            self.send(401, json.dumps({"error": {"message": "no such key"}}))
        elif path == "keyed":
            right = self.headers["Authorization"] == "Bearer secret"
            self.say(rating(prompt)) if right else self.send(401, "{}")
        elif path == "position":
            self.say("[[A]]")
        elif path == "fair":
            a = prompt.split("B: ")[0]
            self.say("[[A]]" if "GOOD" in a else "[[B]]")
        elif path == "weighs":  # 0.8 for the output that says GOOD
            good_first = "GOOD" in re.search("m=(.*) M=", prompt).group(1)
            one = math.log(0.8), math.log(0.2)
            m, big = one if good_first else one[::-1]
            self.say("m" if m > big else "M", likely([("m", m), ("M", big), ("The", -9.5)]))
        elif path == "word":
            self.say("m" if "GOOD" in re.search("m=(.*) M=", prompt).group(1) else "M")
        elif path == "answers":
            self.say(f"GOOD reply {len(request['messages'])} at {request['temperature']} to {prompt}")
        elif path == "count":
            self.say(str(total.get(prompt, 0)))
        elif path == "peak":
            self.say(str(most_working))


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
server.serve_forever()
