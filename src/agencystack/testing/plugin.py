"""Registers the conformance suite with pytest."""
