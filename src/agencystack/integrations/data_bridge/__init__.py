"""WordPress and ERPNext are joined to the bridge that keeps them in step."""
