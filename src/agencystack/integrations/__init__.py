"""The integrations, one package a type, one module an application."""
