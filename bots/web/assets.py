"""The page's own files, read once at the start, and the sentences that they name, in each language."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bots.talk.wording import Wording
from bots.web.guard import language_of

FOLDER = Path(__file__).with_name("page")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_KEY = re.compile(r"""["'`](web-[a-z0-9-]+)["'`]""")
_LATER = {name: f"{{{name}}}" for name in ("count", "limit", "seconds", "title")}
"""Values that only the page knows: it puts them in the place of ``{name}``."""


class Assets:
    """Serves the files under their names, ``index.html`` as ``/``, and ``/words``."""

    def __init__(self, wording: Wording) -> None:
        self._wording = wording
        files = [path for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES]
        self._files = {f"/{path.name}": (path.read_bytes(), TYPES[path.suffix]) for path in files}
        text = "".join(path.read_text(encoding="utf-8") for path in files if path.suffix in (".html", ".js"))
        keys = sorted(set(_KEY.findall(text)))
        self._words = {
            language: {key: wording(language, key, **_LATER) for key in keys} for language in wording.languages
        }
        names = {language: wording(language, "language-name") for language in wording.languages}
        self._names = names

    def routes(self) -> list[Route]:
        """All but ``/`` itself, which belongs to the front."""
        paths = [path for path in self._files if path != "/index.html"]
        return [*(Route(path, self._file) for path in paths), Route("/words", self._say)]

    def index(self, request: Request) -> Response:
        """The page."""
        return self._answer(request, "/index.html")

    async def _file(self, request: Request) -> Response:
        return self._answer(request, request.url.path)

    async def _say(self, request: Request) -> Response:
        """The sentences, in the language that is asked for by name or by the browser's tags."""
        wanted = request.query_params.get("language", "")
        language = wanted if wanted in self._words else language_of(request.scope, self._wording)
        return JSONResponse({"language": language, "languages": self._names, "words": self._words[language]})

    def _answer(self, request: Request, path: str) -> Response:
        body, kind = self._files[path]
        headers = {"etag": f'"{hashlib.sha256(body).hexdigest()[:16]}"', "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(None, 304, headers)
        return Response(body, 200, headers, kind)
