"""Monitoring: what an application logs is found, a person is told of trouble, customers see whether it works."""
