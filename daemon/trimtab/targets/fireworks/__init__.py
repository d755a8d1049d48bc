"""The Fireworks control plane as a target: its wire format, its client, its translation into core values."""
