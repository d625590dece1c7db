"""Our ERPNext app, without an ERPNext: its own decisions as they are, the rest on a double of Frappe."""
