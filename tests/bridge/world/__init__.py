"""A WordPress, an ERPNext, their people, a clock and a wire in memory: what the bridge is proven on.

They behave as the real products were recorded to behave, the faults among it, and every call the bridge makes passes
a boundary at which somebody may edit, another worker may run, the wire may fail or the process may die.
"""
