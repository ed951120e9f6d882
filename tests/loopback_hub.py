"""A Hub on 127.0.0.1 that answers the calls the real `huggingface_hub` client makes to push and load repositories.

It holds everything in memory, asks for the token `TOKEN` wherever the Hub asks for one, and answers 501 to a call it
does not know. It does not validate the metadata of a card: it only warns, as the Hub does, where there is none.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


TOKEN = "hf_x"
USER = "tester"
LFS_SIZE = 10 * 1024**2
FOREIGN_SETTINGS = ("HF_", "HUGGINGFACE_", "HUGGING_FACE_", "TRANSFORMERS_", "DATASETS_")

# The client's own: it hands an LFS upload to its HTTP library in a deprecated way.
CLIENT_WARNING = "ignore:Use 'content=<...>' to upload raw bytes/text content.:DeprecationWarning"

_API = r"/api/(?P<kind>models|datasets|spaces)/(?P<name>[^/]+(?:/[^/]+)?)"
_PAGE = r"/(?:(?P<kind>datasets|spaces)/)?(?P<name>[^/]+(?:/[^/]+)?)"
_REVISION = r"(?P<revision>[^/]+)"
# Method, path, method of LoopbackHub, whether the Hub asks for a token.
_ROUTES = [
    ("GET", r"/api/whoami-v2", "_whoami", True),
    ("POST", r"/api/validate-yaml", "_validate_yaml", False),
    ("POST", r"/api/repos/create", "_create_repo", True),
    ("GET", rf"{_API}(?:/revision/{_REVISION})?", "_info", False),
    ("GET", rf"{_API}/tree/{_REVISION}(?:/(?P<path>.+))?", "_tree", False),
    ("POST", rf"{_API}/branch/{_REVISION}", "_create_branch", True),
    ("POST", rf"{_API}/preupload/{_REVISION}", "_preupload", True),
    ("POST", rf"{_API}/commit/{_REVISION}", "_commit", True),
    ("POST", rf"{_PAGE}\.git/info/lfs/objects/batch", "_lfs_batch", True),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "_lfs_put", False),
    ("POST", r"/lfs/verify", "_lfs_verify", True),
    ("GET|HEAD", rf"{_PAGE}/resolve/{_REVISION}/(?P<path>.+)", "_resolve", False),
]


@dataclass(frozen=True)
class Call:
    """One call the client made and the status it was answered with."""

    method: str
    path: str
    status: int


@dataclass
class _Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class _Reply:
    body: bytes | dict[str, Any] | list[Any] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class _HubError(Exception):
    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        super().__init__(message)
        names = {"X-Error-Code": code, "X-Error-Message": message}
        self.reply = _Reply({"error": message}, status, {**{k: v for k, v in names.items() if v}, **headers})


@dataclass
class _Repo:
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)  # sha -> path -> content
    branches: dict[str, str] = field(default_factory=dict)  # name -> sha

    def add_commit(self, branch: str, files: dict[str, bytes]) -> str:
        content = [self.branches.get(branch), len(self.commits), sorted((p, _oid(c)) for p, c in files.items())]
        sha = hashlib.sha1(json.dumps(content).encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        return sha


def _is_lfs(content: bytes, size: int = 0) -> bool:
    return b"\0" in content[:512] or max(size, len(content)) > LFS_SIZE


def _oid(content: bytes) -> str:
    """Git's id of a regular file, the SHA-256 of an LFS file: what the client compares to skip unchanged files."""
    if _is_lfs(content):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _tree_entries(files: dict[str, bytes], folder: str, recursive: bool) -> Iterator[dict[str, Any]]:
    seen = set()
    for path, content in sorted(files.items()):
        if not path.startswith(folder):
            continue
        parents = [path[:i] for i in range(len(folder), len(path)) if path[i] == "/"]
        for parent in parents if recursive else parents[:1]:
            if parent not in seen:
                yield {"type": "directory", "path": parent, "oid": hashlib.sha1(parent.encode()).hexdigest()}
            seen.add(parent)
        if recursive or not parents:
            entry = {"type": "file", "path": path, "size": len(content), "oid": _oid(content)}
            lfs = {"oid": _oid(content), "size": len(content), "pointerSize": 128}
            yield {**entry, "lfs": lfs} if _is_lfs(content) else entry


class LoopbackHub:
    """A Hub for the time of a `with` block.

    Attributes:
        url: Address of the Hub, such as `http://127.0.0.1:43210`.
        calls: Every call answered so far, in order.

    Example:
        >>> with LoopbackHub() as hub:
        ...     env = hub.environment(Path("cache"))
        ...     print(run_python("from huggingface_hub import whoami; print(whoami()['name'])", env, Path()), end="")
        tester
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._repos: dict[str, _Repo] = {}
        self._blobs: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> LoopbackHub:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self, home: Path) -> dict[str, str]:
        """The variables a process needs, before it imports `huggingface_hub`, to take this server for the Hub.

        Args:
            home: Folder of the client's cache; a new one makes the client download everything again.
        """
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home.resolve()),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
            "HF_TOKEN": TOKEN,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "TOKENIZERS_PARALLELISM": "false",
        }

    def files(self, repo_id: str, revision: str = "main", repo_type: str = "model") -> dict[str, bytes]:
        """Path and content of every file of a repository, as pushed to a branch or at a commit."""
        with self._lock:
            try:
                return dict(self._find(f"{repo_type}s", repo_id, revision)[2])
            except _HubError as error:
                raise KeyError(f"{repo_type} {repo_id} at {revision}: {error}") from None

    def answer(self, request: _Request) -> _Reply:
        with self._lock:
            try:
                reply = self._route(request)
            except _HubError as error:
                reply = error.reply
            except Exception as error:
                # Not 500: the client would repeat the call for minutes.
                reply = _HubError(501, f"the loopback Hub failed: {error!r}").reply
            self.calls.append(Call(request.method, request.path, reply.status))
            return reply

    def _route(self, request: _Request) -> _Reply:
        for method, pattern, name, needs_token in _ROUTES:
            match = re.fullmatch(pattern, request.path)
            if match and request.method in method.split("|"):
                if needs_token and request.headers.get("Authorization") != f"Bearer {TOKEN}":
                    raise _HubError(401, "Invalid credentials in Authorization header")
                groups = {k: unquote(v) if v else v for k, v in match.groupdict().items()}
                return getattr(self, name)(request, **groups)
        raise _HubError(501, f"the loopback Hub does not know {request.method} {request.path}")

    def _find(self, kind: str | None, name: str, revision: str | None) -> tuple[_Repo, str, dict[str, bytes]]:
        repo = self._repos.get(f"{kind or 'models'}/{name}")
        if repo is None:
            raise _HubError(404, "Repository not found", "RepoNotFound")
        sha = repo.branches.get(revision or "main", revision or "main")
        if sha not in repo.commits:
            raise _HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repo, sha, repo.commits[sha]

    def _whoami(self, request: _Request) -> _Reply:
        return _Reply({"type": "user", "name": USER, "fullname": USER, "orgs": [], "auth": {"type": "access_token"}})

    def _validate_yaml(self, request: _Request) -> _Reply:
        missing = not re.match(r"---\s*\n.+?\n---\s*\n", request.json()["content"], re.DOTALL)
        warnings = [{"message": "empty or missing yaml metadata in repo card"}] if missing else []
        return _Reply({"errors": [], "warnings": warnings})

    def _create_repo(self, request: _Request) -> _Reply:
        wanted = request.json()
        kind = f"{wanted.get('type') or 'model'}s"
        name = f"{wanted.get('organization') or USER}/{wanted['name']}"
        url = f"{self.url}/{name}" if kind == "models" else f"{self.url}/{kind}/{name}"
        if f"{kind}/{name}" in self._repos:
            return _Reply({"error": "You already created this repo", "url": url}, 409)
        self._repos[f"{kind}/{name}"] = repo = _Repo()
        repo.add_commit("main", {})
        return _Reply({"url": url, "name": name, "id": name})

    def _info(self, request: _Request, kind: str, name: str, revision: str | None) -> _Reply:
        _, sha, files = self._find(kind, name, revision)
        card = files.get("README.md", b"").decode()
        metadata = {k: re.search(rf"^{k}: *(\S+)", card, re.MULTILINE) for k in ("pipeline_tag", "library_name")}
        siblings = [{"rfilename": path} for path in sorted(files)]
        found = {k: v[1] for k, v in metadata.items() if v}
        return _Reply({"id": name, "sha": sha, "private": False, "tags": [], "siblings": siblings, **found})

    def _tree(self, request: _Request, kind: str, name: str, revision: str, path: str | None) -> _Reply:
        _, sha, files = self._find(kind, name, revision)
        recursive = request.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        entries = list(_tree_entries(files, f"{path}/" if path else "", recursive))
        if path and not entries:
            raise _HubError(404, f"{path} does not exist", "EntryNotFound", **{"X-Repo-Commit": sha})
        return _Reply(entries)

    def _create_branch(self, request: _Request, kind: str, name: str, revision: str) -> _Reply:
        repo, sha, _ = self._find(kind, name, request.json().get("startingPoint"))
        if revision in repo.branches:
            raise _HubError(409, f"Reference {revision} already exists")
        repo.branches[revision] = sha
        return _Reply({}, 201)

    def _preupload(self, request: _Request, kind: str, name: str, revision: str) -> _Reply:
        files = self._find(kind, name, revision)[2]
        modes = []
        for file in request.json()["files"]:
            lfs = _is_lfs(base64.b64decode(file["sample"]), file["size"])
            mode = {"path": file["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
            known = files.get(file["path"])
            modes.append(mode if known is None else {**mode, "oid": _oid(known)})
        return _Reply({"files": modes})

    def _lfs_batch(self, request: _Request, kind: str | None, name: str) -> _Reply:
        self._find(kind, name, None)
        objects = []
        for wanted in request.json()["objects"]:
            upload = {"href": f"{self.url}/lfs/{wanted['oid']}"}
            actions = {"upload": upload, "verify": {"href": f"{self.url}/lfs/verify"}}
            objects.append(wanted if wanted["oid"] in self._blobs else {**wanted, "actions": actions})
        return _Reply({"transfer": "basic", "objects": objects})

    def _lfs_put(self, request: _Request, oid: str) -> _Reply:
        if hashlib.sha256(request.body).hexdigest() != oid:
            raise _HubError(400, "The content does not have the SHA-256 it was announced with")
        self._blobs[oid] = request.body
        return _Reply(headers={"ETag": f'"{oid}"'})

    def _lfs_verify(self, request: _Request) -> _Reply:
        wanted = request.json()
        if len(self._blobs.get(wanted["oid"], b"")) != wanted["size"]:
            raise _HubError(404, f"No object {wanted['oid']} of {wanted['size']} bytes")
        return _Reply({"success": True})

    def _commit(self, request: _Request, kind: str, name: str, revision: str) -> _Reply:
        repo, head, files = self._find(kind, name, revision)
        if revision not in repo.branches:
            raise _HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        changed = dict(files)
        for line in request.body.splitlines():
            self._apply(json.loads(line), head, changed)
        sha = repo.add_commit(revision, changed)
        page = name if kind == "models" else f"{kind}/{name}"
        return _Reply({"success": True, "commitOid": sha, "commitUrl": f"{self.url}/{page}/commit/{sha}"})

    def _apply(self, operation: dict[str, Any], head: str, files: dict[str, bytes]) -> None:
        key, value = operation["key"], operation["value"]
        if key == "header":
            if not head.startswith(value.get("parentCommit", "")):
                raise _HubError(412, "A commit has happened since. Please refresh and try again.")
        elif key == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            if value["oid"] not in self._blobs:
                raise _HubError(400, f"LFS pointer of {value['path']} points to an object that was not uploaded")
            files[value["path"]] = self._blobs[value["oid"]]
        elif key in ("deletedFile", "deletedFolder"):
            folder = f"{value['path'].rstrip('/')}/"
            gone = [p for p in files if (p.startswith(folder) if key == "deletedFolder" else p == value["path"])]
            if not gone:
                raise _HubError(404, f"A file with this name doesn't exist: {value['path']}", "EntryNotFound")
            for path in gone:
                del files[path]
        else:
            raise _HubError(501, f"the loopback Hub does not know the operation {key!r}")

    def _resolve(self, request: _Request, kind: str | None, name: str, revision: str, path: str) -> _Reply:
        _, sha, files = self._find(kind, name, revision)
        headers = {"X-Repo-Commit": sha}
        if path not in files:
            raise _HubError(404, "Entry not found", "EntryNotFound", **headers)
        content, etag = files[path], f'"{_oid(files[path])}"'
        # The Hub redirects an LFS file to another host. A redirect within one host is followed and its headers are
        # lost, so the file is served here, with the headers of the redirect.
        linked = {"X-Linked-Etag": etag, "X-Linked-Size": str(len(content))}
        return _Reply(content, 200, {**headers, "ETag": etag, **(linked if _is_lfs(content) else {})})


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: without this every reply waits 40 ms

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = _Request(self.command, url.path, parse_qs(url.query), self.headers, sent)
        reply = self.hub.answer(request)
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        kind = "application/octet-stream" if isinstance(reply.body, bytes) else "application/json"
        for key, value in {"Content-Type": kind, "Content-Length": str(len(body)), **reply.headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


def run_python(code: str, env: dict[str, str], cwd: Path) -> str:
    """Runs Python code in a new process, warnings being errors, and returns what it printed.

    Args:
        code: The code, as for `python -c`.
        env: Variables added to the environment of this process, of which the settings of the libraries are taken out.
        cwd: Folder to run in; its modules can be imported.

    Raises:
        RuntimeError: If the process fails; the message is its stderr.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.upper().startswith(FOREIGN_SETTINGS)}
    command = [sys.executable, "-W", "error", "-W", CLIENT_WARNING, "-c", code]
    done = subprocess.run(command, env={**inherited, **env}, cwd=cwd, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout
