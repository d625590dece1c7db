"""The conformance suite for integrations, shipped as a pytest plugin: see :mod:`agencystack.testing.conformance`."""

from agencystack.testing.bench import Bench, Edit
from agencystack.testing.installation import Installation

__all__ = ["Bench", "Edit", "Installation"]
