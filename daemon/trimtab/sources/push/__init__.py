"""Load that is pushed to us: bytes of several protocols in, samples or a refusal out. No I/O.

A request goes through four steps: ``bodies`` (decompress within limits), a decoder (bytes to points),
``book`` (which signals of which deployments a point is about, and what it makes of their value), and
the sink, which takes the samples or says that there is no room.
"""
