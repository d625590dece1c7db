"""Every application sends through Mailu, from a mailbox of its own."""
