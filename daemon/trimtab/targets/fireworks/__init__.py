"""The Fireworks control plane as a target: its wire format, its client, its translation into core values.

``adapter.FireworksTarget`` is what the daemon uses; ``client.FireworksClient`` is the whole API for
anyone; ``transport.FireworksAccount`` says which account, with which key.
"""

from trimtab.targets.fireworks.account import FireworksAccount
from trimtab.targets.fireworks.adapter import FireworksTarget
from trimtab.targets.fireworks.client import FireworksClient
from trimtab.targets.fireworks.errors import FireworksError, Limit
from trimtab.targets.fireworks.transport import Exchange

__all__ = [
    "Exchange",
    "FireworksAccount",
    "FireworksClient",
    "FireworksError",
    "FireworksTarget",
    "Limit",
]
