"""The API under /api/v1: thin; parse, call, answer. The pages give and take the same values."""
