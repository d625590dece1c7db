"""What is kept in step: one module an entity, mostly a table of its fields."""
