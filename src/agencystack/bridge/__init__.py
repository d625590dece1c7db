"""The data bridge: WordPress and ERPNext in step, nothing lost and nothing doubled."""
