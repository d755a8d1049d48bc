"""One account: its resources, its key, its limits, and the metrics snapshot it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.emulator.ratelimit import TokenBucket
from trimtab.emulator.roster import Roster

if TYPE_CHECKING:
    from trimtab.emulator.messages import Value
    from trimtab.emulator.quotas import Quota
    from trimtab.emulator.routers import Router
    from trimtab.emulator.shapes import Shape

REQUESTS_PER_MINUTE = 6000.0
SCRAPES_PER_MINUTE = 6.0


@dataclass(slots=True, eq=False)
class Account:
    """An account. ``api_key`` ``None`` means that every key opens it."""

    id: str
    email: str
    created_at: float
    api_key: str | None = None
    display_name: str = ""
    is_enterprise: bool = False
    is_public: bool = False
    suspend_state: str = "UNSUSPENDED"
    deployments: Roster = field(default_factory=Roster)
    shapes: dict[str, Shape] = field(default_factory=dict)
    quotas: dict[str, Quota] = field(default_factory=dict)
    routers: dict[str, Router] = field(default_factory=dict)
    requests: TokenBucket = field(default_factory=lambda: TokenBucket(REQUESTS_PER_MINUTE))
    scrapes: TokenBucket = field(default_factory=lambda: TokenBucket(SCRAPES_PER_MINUTE))
    metrics_text: str = ""
    metrics_at: float | None = None
    scraped_at: float | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"accounts/{self.id}"

    def is_opened_by(self, key: str) -> bool:
        """Say whether ``key`` belongs to this account."""
        return not self.is_public and self.api_key in {None, key}


def message_value(account: Account) -> Value:
    """Return the Account message in canonical form."""
    return {
        "name": account.name,
        "displayName": account.display_name,
        "createTime": account.created_at,
        "updateTime": account.created_at,
        "accountType": "ENTERPRISE" if account.is_enterprise else "ACCOUNT_TYPE_UNSPECIFIED",
        "email": account.email,
        "state": "READY",
        "suspendState": account.suspend_state,
    }
