"""The steps of a decision, one file each, in the order they run (see ``core/engine.py``)."""
