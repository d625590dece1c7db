"""The two sides: how records are read and written in WordPress and in ERPNext."""
