"""Templates, and what all pages have in common: everything that is put into one is escaped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from trimtab.web.pages import charts, wording
from trimtab.web.pages.addresses import deployment_address, with_query
from trimtab.web.pages.levers import levers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.web.views.daemon import Banner
    from trimtab.web.views.fleet import FleetRow

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Files of our own and nothing else: no script and no style within a page, nothing from elsewhere."""

STATIC = {"page.css": "text/css", "page.js": "text/javascript", "mark.svg": "image/svg+xml"}

THEMES = ("system", "light", "dark")

LEVELS: Mapping[str, tuple[str, str]] = {
    "failing": ("bad", "✕"),
    "short": ("warn", "▲"),
    "held": ("note", "‖"),
    "well": ("good", "✓"),
}
"""Of each level of trouble its style and its sign: never a colour alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What became of what a visitor asked for: one sentence, and what else to know."""

    style: str
    sentence: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is around every page. ``form_key`` goes into each form (``visitors.py``).

    ``banner`` is ``None`` for who may not know; ``has_tokens`` says that there is anything
    to sign in with, ``asks_token`` that an order needs one, typed with it.
    """

    at: float
    banner: Banner | None
    path: str
    address: str
    theme: str
    form_key: str
    author: str
    has_tokens: bool
    is_signed_in: bool
    asks_token: bool
    notice: Notice | None = None


def page(template: str, frame: Frame, *, status: int = 200, **values: object) -> web.Response:
    """Return a template with its values as a response."""
    text = (
        _environment()
        .get_template(f"{template}.html.jinja")
        .render(frame=frame, now=frame.at, digest=static_digest(), **values)
    )
    response = web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@cache
def static_file(name: str) -> bytes:
    """Return what a file beside the templates holds; ``name`` is one of ``STATIC``."""
    return files("trimtab.web.pages").joinpath("static", name).read_bytes()


@cache
def static_digest() -> str:
    """Return a name for the present content of all files: under a new one they are fetched anew."""
    digest = hashlib.sha256()
    for name in sorted(STATIC):
        digest.update(static_file(name))
    return digest.hexdigest()[:16]


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("trimtab.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        account=wording.account,
        ago=wording.ago,
        breakable=_breakable,
        count=wording.count,
        iso=wording.iso,
        marked=_marked,
        moment=wording.moment,
        quantity=wording.quantity,
        short=wording.short,
        span=wording.span,
        words=wording.words,
    )
    made.globals.update(
        address=deployment_address,
        levels=LEVELS,
        levers=levers,
        strip=_strip,
        themes=THEMES,
        with_query=with_query,
    )
    return made


def _strip(row: FleetRow) -> Markup:
    asked = row.desired if row.actual is None else row.actual
    return drawn(
        charts.strip(
            ready=row.ready, asked=asked, wanted=row.wanted, lower=row.lower, upper=row.upper
        )
    )


def _breakable(name: str) -> Markup:
    """Let a long name break behind its slashes rather than anywhere."""
    return Markup("/<wbr>").join(name.split("/"))  # join() escapes the parts


def _marked(text: str) -> Markup:
    """Set what stands between backticks as code, as sentences have it."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )


def drawn(svg: str) -> Markup:
    """Return a drawing as it goes into a page: ``trimtab.drawing`` has escaped all text in it."""
    return Markup(svg)  # noqa: S704  see above
