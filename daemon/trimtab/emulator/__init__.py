"""A Fireworks-compatible control plane and metrics endpoint, in front of the plant."""

from trimtab.emulator.app import build_app
from trimtab.emulator.deployment import Deployment
from trimtab.emulator.emulation import Emulation
from trimtab.emulator.faults import Fault, FaultKind
from trimtab.emulator.server import EmulatorServer
from trimtab.emulator.switches import Switches

__all__ = [
    "Deployment",
    "Emulation",
    "EmulatorServer",
    "Fault",
    "FaultKind",
    "Switches",
    "build_app",
]
