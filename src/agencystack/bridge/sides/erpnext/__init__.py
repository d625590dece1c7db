"""ERPNext as a side: by REST, and through our app where it is."""
