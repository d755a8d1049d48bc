"""Policies on a recorded past: what they would have asked for, at what cost and with what misses.

The engine is the one that the daemon runs. Nothing here reads files or asks servers: recordings are
handed in (``past.Recording``), by whoever can read them.
"""
