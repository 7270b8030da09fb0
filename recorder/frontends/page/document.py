"""A page as one document: its style and its script are in it, and nothing else may run."""

import secrets
from collections.abc import Sequence
from importlib import resources

from aiohttp import web


class Document:
    """The file `html` with `styles` and `scripts` for STYLE and SCRIPT; files in `recorder.frontends`.

    DIALOGS are those that every page has; `kind` is the class of the page's body, "" for none.
    """

    def __init__(self, html: str, styles: Sequence[str], scripts: Sequence[str], kind: str = "") -> None:
        self._html = _text(html).replace("<body>", f'<body class="{kind}">' if kind else "<body>", 1)
        self._parts = {
            "DIALOGS": _text("page/dialogs.html"),
            "STYLE": "\n".join(map(_text, styles)),
            "SCRIPT": "\n".join(map(_text, scripts)),
        }

    def response(self, *, frames: str = "'none'") -> web.Response:
        """Return the page for a browser, which shows `frames` in it (a source of Content-Security-Policy)."""
        nonce = secrets.token_urlsafe(16)
        text = self._html.replace("NONCE", nonce)
        for name, part in self._parts.items():
            text = text.replace(name, part, 1)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            # The page's icon, or browsers ask for one without the token.
            f"img-src data:; frame-src {frames}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(text=text, content_type="text/html", headers=headers)


def _text(name: str) -> str:
    """Return the text of a file beside our modules, such as page/picture.js."""
    return resources.files("recorder.frontends").joinpath(name).read_text(encoding="utf-8")
