"""The HTTP surface: health, metrics, and what people may control."""
