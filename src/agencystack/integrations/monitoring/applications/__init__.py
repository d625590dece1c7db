"""Each application that is watched: what is particular about it."""
