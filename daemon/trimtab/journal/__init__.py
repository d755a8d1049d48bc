"""The durable record: what the engine was told, what it decided, what was written and what came of it."""
