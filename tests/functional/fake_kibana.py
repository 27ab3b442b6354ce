"""Kibana, or OpenSearch Dashboards, as far as it takes and gives saved objects.

It keeps what it is given, and is as strict as they are: about the header against forged requests,
the file's name, versions newer than its own, and references to what is not there.
"""

import base64
import contextlib
import email
import http.server
import json
import threading

# The newest of each type that both Kibana 7.10 and OpenSearch Dashboards 2 take.
NEWEST = {"index-pattern": "7.6.0", "visualization": "7.10.0", "search": "7.9.3",
          "dashboard": "7.9.3"}
XSRF = {"kibana": "kbn-xsrf", "opensearch-dashboards": "osd-xsrf"}


def version(text):
    return [int(part) for part in text.split(".")]


def key(thing):
    return thing["type"], thing["id"]


class Kibana:
    def __init__(self, flavor="kibana", credentials=None, prefix=""):
        self.flavor = flavor
        self.credentials = credentials  # "user:password"
        self.prefix = prefix
        self.objects = {}  # by (type, id)
        self.refused = {}  # (type, id): the error that an import of it gets
        self.not_ready = 0  # so many requests yet
        self.answers = {}  # path: (status, text) instead of what it would do
        self.asked = []  # paths
        self.list_results = True  # Kibana before 7.9 does not

    def answer(self, path, headers, body):
        """(status, text) of a POST."""
        self.asked.append(path)
        if self.not_ready > 0:
            self.not_ready -= 1
            return 503, "Kibana server is not ready yet"
        wanted = self.credentials and "Basic " + base64.b64encode(
            self.credentials.encode()).decode()
        if wanted and headers["Authorization"] != wanted:
            return self.error(401, "Unauthorized", "[security_exception]: missing credentials")
        path, _, query = path.removeprefix(self.prefix).partition("?")
        if path in self.answers:
            return self.answers[path]
        if headers["Content-Encoding"]:
            return self.error(415, "Unsupported Media Type", "Unsupported Media Type")
        if not headers[XSRF[self.flavor]]:
            return self.error(400, "Bad Request",
                              f"Request must contain a {XSRF[self.flavor]} header.")
        if path == "/api/saved_objects/_import":
            return self.take(headers, body, overwrite="overwrite=true" in query)
        if path == "/api/saved_objects/_export":
            return self.give(json.loads(body))
        return self.error(404, "Not Found", "Not Found")

    @staticmethod
    def error(status, name, message, **more):
        return status, json.dumps(
            {"statusCode": status, "error": name, "message": message, **more})

    def take(self, headers, body, overwrite):
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        (part,) = email.message_from_bytes(head + body).get_payload()
        if part.get_param("name", header="Content-Disposition") != "file":
            return self.error(400, "Bad Request", "[request body.file]: expected a stream")
        if not part.get_filename("").endswith(".ndjson"):
            return self.error(400, "Bad Request",
                              f"Invalid file extension {part.get_filename()}")
        objects = [json.loads(line) for line in part.get_payload(decode=True).splitlines() if line]
        for thing in objects:
            (kind, told), = thing["migrationVersion"].items()
            if version(told) > version(NEWEST[kind]):
                return self.error(422, "Unprocessable Entity", "Document belongs to a more recent "
                                  f"version of Kibana [{told}]")
        given = {key(thing) for thing in objects}
        done, failed = [], []
        for thing in objects:
            missing = [one for one in thing["references"]
                       if key(one) not in given and key(one) not in self.objects]
            error = self.refused.get(key(thing))
            if missing:
                error = {"type": "missing_references", "references": missing}
            elif key(thing) in self.objects and not overwrite:
                error = {"type": "conflict"}
            result = {"type": thing["type"], "id": thing["id"],
                      "meta": {"title": thing["attributes"]["title"]}}
            if error:
                failed.append({**result, "error": error})
            else:
                done.append(result)
                if key(thing) in self.objects:
                    result["overwrite"] = True
                self.objects[key(thing)] = thing
        answer = {"successCount": len(done), "success": not failed}
        if self.list_results and done:
            answer["successResults"] = done
        if failed:
            answer["errors"] = failed
        return 200, json.dumps(answer)

    def give(self, wanted):
        missing = [{**thing, "error": {"statusCode": 404, "error": "Not Found"}}
                   for thing in wanted["objects"] if key(thing) not in self.objects]
        if missing:
            return self.error(400, "Bad Request", "Bad Request", attributes={"objects": missing})
        return 200, "".join(json.dumps(self.objects[key(thing)]) + "\n"
                            for thing in wanted["objects"])


@contextlib.contextmanager
def serving(kibana):
    """Its URL."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, text = kibana.answer(self.path, self.headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}{kibana.prefix}"
    finally:
        httpd.shutdown()
        httpd.server_close()
