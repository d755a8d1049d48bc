"""A Fireworks-compatible control plane and metrics endpoint, in front of the plant."""
