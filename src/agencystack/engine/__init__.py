"""Diff, order, apply, undo, record and prove: once, for every integration."""
