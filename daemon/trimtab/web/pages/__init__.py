"""The live page, for people: templates, drawings, forms."""
