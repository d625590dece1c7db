"""The formats, one module per product or family of products; each has `FORMATS`, and `catalogue` finds it there."""
