"""One module a product: the client of its interface, which knows no integration."""
