"""The conformance suite for integrations, shipped as a pytest plugin."""
