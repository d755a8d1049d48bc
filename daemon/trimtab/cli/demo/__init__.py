"""``trimtab demo``: the real daemon against an emulated control plane, worth looking at."""

from trimtab.cli.demo.command import demo

__all__ = ["demo"]
