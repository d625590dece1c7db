"""The work on one pairing, batch by batch: lease, look, match, plan, write down, ask, record; what people decide."""
