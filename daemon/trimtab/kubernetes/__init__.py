"""Kubernetes as trimtab speaks to it, for every adapter that does: names, calls, and collections that are followed."""
