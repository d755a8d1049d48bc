"""What people change while the daemon runs: overrides, which they give, and policies, which they write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.service.override_desk import OverrideDesk
from trimtab.service.overrides import Overrides
from trimtab.service.reload import Reloader

if TYPE_CHECKING:
    from random import Random

    from trimtab.clock import Clock
    from trimtab.service.deciding import Deciding
    from trimtab.service.reload import PolicyFiles


class People:
    """``overrides`` are those in force, ``desk`` is where they are given; ``reloader`` follows the policies.

    Without ``policy_files`` there is nothing to follow, and ``reloader`` is ``None``.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        deciding: Deciding,
        policy_files: PolicyFiles | None,
    ) -> None:
        journalled, audience = deciding.journalled, deciding.audience
        self.overrides = Overrides(
            clock,
            journalled=journalled,
            trigger=deciding.trigger,
            on_change=audience.overridden,
        )
        self.desk = OverrideDesk(
            clock,
            random,
            overrides=self.overrides,
            journalled=journalled,
            fleet=deciding.fleet,
        )
        self.reloader: Reloader | None = None
        if policy_files is not None:
            engine = journalled.engine
            self.reloader = Reloader(
                clock,
                policy_files,
                in_force=(engine.policies, engine.fleet_policy),
                put_in_force=deciding.controller.put_in_force,
                on_reload=audience.reloaded,
            )
