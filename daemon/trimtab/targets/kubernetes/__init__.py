"""Workloads of a Kubernetes cluster as a target: whatever has a ``scale`` subresource."""
