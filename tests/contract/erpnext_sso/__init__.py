"""ERPNext's logins through an identity provider, on the stand-in and on a real one."""
