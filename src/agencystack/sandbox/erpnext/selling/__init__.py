"""ERPNext's business documents on the stand-in: parties, items, stock, orders, invoices, payments, content."""
