"""Adapters that hear load and turn it into samples."""
