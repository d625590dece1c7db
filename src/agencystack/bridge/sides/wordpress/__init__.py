"""WordPress and WooCommerce as a side: by REST, and through our plugin where it is."""
