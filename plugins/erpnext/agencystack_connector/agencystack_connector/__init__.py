"""Connects this site to the other components of an AgencyStack; each package in here is one connection."""

__version__ = "0.3.0"
