"""The bridge as a process: connections, workers, durable dispatch, the products' calls, numbers for Prometheus."""
