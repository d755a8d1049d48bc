"""One account: how to reach it, its key, and what it allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from yarl import URL

from trimtab.errors import SettingsError
from trimtab.targets.fireworks.errors import FireworksError
from trimtab.targets.fireworks.limits import CONTROL_PER_MINUTE, METRICS_PER_MINUTE
from trimtab.targets.fireworks.names import checked_id

if TYPE_CHECKING:
    from pathlib import Path

BASE_URL = "https://api.fireworks.ai"
TOTAL_TIMEOUT_SECONDS = 30.0
CONNECT_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FireworksAccount:
    """An account, how to reach it, and what it allows. The key is in no ``repr`` and no message.

    ``base_url`` keeps its path prefix and gets ``/v1`` added. Limits are requests a minute. ``api_key_file`` is
    where another key is looked for when ``api_key`` is taken no more. ``proxy`` is the URL of one to go through.
    Raises ``SettingsError`` for what cannot be meant.
    """

    account_id: str
    api_key: str = field(repr=False)
    api_key_file: Path | None = None
    base_url: str = BASE_URL
    control_per_minute: int = CONTROL_PER_MINUTE
    metrics_per_minute: int = METRICS_PER_MINUTE
    total_timeout_seconds: float = TOTAL_TIMEOUT_SECONDS
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS
    proxy: str | None = None

    def __post_init__(self) -> None:
        try:
            checked_id("account", self.account_id)
        except FireworksError as error:
            raise SettingsError(
                f"account id {self.account_id!r} is not one segment of a path; "
                f"write it as in accounts/<id>"
            ) from error
        key = self.api_key.strip()  # a secret file ends in a newline more often than not
        if not is_key(key):
            raise SettingsError(
                f"the API key of account {self.account_id} is empty or has characters that no key "
                f"has; check the file or variable that it comes from"
            )
        object.__setattr__(self, "api_key", key)
        for name, value in (
            ("control_per_minute", self.control_per_minute),
            ("metrics_per_minute", self.metrics_per_minute),
        ):
            if value < 2:
                raise SettingsError(f"{name} is {value}; it has to be 2 or more")
        checked_url(self.base_url)
        if self.proxy is not None:
            check_proxy(self.proxy)


def is_key(text: str) -> bool:
    """Whether a text can be an API key: characters that a header may carry, and no space."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def checked_url(text: str) -> URL:
    """Return the address of a control plane. Raises ``SettingsError`` for what cannot be one."""
    try:
        url = URL(text.strip())
        is_sound = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
    except ValueError:
        is_sound = False
        url = URL()
    if not is_sound:
        raise SettingsError(f"base URL {text!r} is not an http(s) URL; write it as {BASE_URL}")
    if url.user is not None or url.password is not None:
        raise SettingsError("the base URL holds a user or password; the API key goes elsewhere")
    if url.raw_query_string or url.raw_fragment:
        raise SettingsError(f"base URL {text!r} has a query or fragment; leave it off")
    if url.path.rstrip("/").endswith("/v1"):
        raise SettingsError(f"base URL {text!r} ends in /v1, which trimtab adds; leave it off")
    return url


def check_proxy(text: str) -> None:
    """Raise ``SettingsError`` for what is no proxy that can be gone through."""
    try:
        url = URL(text)
        is_sound = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
        has_secrets = url.user is not None or url.password is not None
    except ValueError:
        is_sound = has_secrets = False
    if has_secrets:
        raise SettingsError("the proxy's URL holds a user or password; name one that asks for none")
    if not is_sound:
        raise SettingsError(
            f"the proxy {text!r} is not an http(s) URL; write it as in http://proxy:3128"
        )
