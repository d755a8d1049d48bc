"""The controlled system in software: replicas that start slowly and batch requests; load that arrives.

Shared by the emulator (behind an HTTP surface) and the simulation (behind the engine). It imports
nothing else of ours and reads no clock: whoever drives it says what time it is.
"""
