"""A stand-in for WooCommerce: what it takes, corrects in silence, refuses and forgets, as it was measured."""

from agencystack.sandbox.woocommerce.access import Access, Key
from agencystack.sandbox.woocommerce.shop import HOME, Killed, Shop
from agencystack.sandbox.woocommerce.transport import ShopTransport
from agencystack.sandbox.woocommerce.wire import Answer, Request, RestError

__all__ = ["HOME", "Access", "Answer", "Key", "Killed", "Request", "RestError", "Shop", "ShopTransport"]
