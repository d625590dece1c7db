"""WordPress's REST interface and WooCommerce's within it: who asks, and what became of a request."""

from agencystack.components.woocommerce.client import Answer, Listing, Lost, NotSent, RestApi
from agencystack.components.woocommerce.credentials import ApplicationPassword, ConsumerKey, credential

__all__ = ["Answer", "ApplicationPassword", "ConsumerKey", "Listing", "Lost", "NotSent", "RestApi", "credential"]
