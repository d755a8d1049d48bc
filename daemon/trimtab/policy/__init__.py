"""Policy files: document model, YAML with positions, diagnostics, JSON Schema, loader."""
