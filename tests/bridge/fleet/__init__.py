"""The bridge as it is run: worker processes that are killed, a database, products over HTTP, people at work."""
