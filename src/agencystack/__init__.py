"""AgencyStack Integrations: one platform out of the products an agency hosts, planned first and proven end to end."""

__version__ = "0.1.0"
