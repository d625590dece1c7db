"""Stand-ins that behave as the real products, and launchers for the real ones."""
