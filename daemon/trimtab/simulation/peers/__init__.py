"""Other people's autoscalers, each with its documented defaults, as baselines to be measured against.

``CATALOGUE`` has them all; ``size`` makes the sizing that they are built for. A peer hears the same
``Observation`` as trimtab does, and nothing else.
"""

from trimtab.simulation.peers.catalogue import CATALOGUE, Build, Peer, find, rate_grid
from trimtab.simulation.peers.sizing import Sizing, size

__all__ = ["CATALOGUE", "Build", "Peer", "Sizing", "find", "rate_grid", "size"]
