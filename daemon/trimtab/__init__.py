"""trimtab: an event-driven autoscaling daemon for GPU inference deployments."""
