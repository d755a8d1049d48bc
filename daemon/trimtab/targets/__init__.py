"""Adapters that read deployments and write replica counts."""
