"""The algorithms, one file each, all with the interface of ``core/strategies/interface.py``."""
