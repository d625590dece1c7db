"""What people and customers do on the real products, behind the bridge's back: the shop in PHP, ERPNext by REST."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from agencystack.components.erpnext.site import FrappeSite
from agencystack.stack.component import Exec
from agencystack.stack.errors import Refused
from agencystack.stack.execution import Executor

T = TypeVar("T")

_PHP = """
$given = json_decode( stream_get_contents( STDIN ), true );
$_SERVER["HTTP_HOST"] = $argv[2]; $_SERVER["REQUEST_URI"] = "/"; $_SERVER["REQUEST_METHOD"] = "GET";
$_SERVER["SERVER_PROTOCOL"] = "HTTP/1.1";
ob_start();
require $argv[1] . "/wp-load.php";
require_once ABSPATH . "wp-admin/includes/admin.php";
wp_set_current_user( get_users( array( "role" => "administrator", "number" => 1, "fields" => "ID" ) )[0] );
$in = $given["in"];
$made = eval( $given["code"] );
ob_end_clean();
fwrite( STDOUT, "\\x1eanswer:" . wp_json_encode( $made ) );
"""

_PRODUCTS = """
$ids = array();
foreach ( $in as $one ) {
    $product = new WC_Product_Simple();
    $product->set_name( $one["name"] );
    $product->set_sku( $one["sku"] );
    $product->set_regular_price( $one["price"] );
    $product->set_status( "publish" );
    $product->save();
    $ids[ $one["sku"] ] = $product->get_id();
}
return $ids;
"""

_ORDERS = """
$ids = array();
foreach ( $in as $one ) {
    $order = wc_create_order();
    $order->set_address( array( "first_name" => "Ada", "last_name" => "L " . $one["email"], "email" => $one["email"],
        "address_1" => "Gasse 1", "city" => "Bern", "postcode" => "3000", "country" => "CH" ), "billing" );
    foreach ( $one["lines"] as $line ) {
        $product = wc_get_product( wc_get_product_id_by_sku( $line["sku"] ) );
        $totals = isset( $line["total"] ) ? array( "subtotal" => $line["total"], "total" => $line["total"] ) : array();
        $order->add_product( $product, $line["quantity"], $totals );
    }
    if ( ! empty( $one["fee"] ) ) {
        $fee = new WC_Order_Item_Fee();
        $fee->set_name( "Gift wrap" );
        $fee->set_amount( $one["fee"] );
        $fee->set_total( $one["fee"] );
        $order->add_item( $fee );
    }
    if ( ! empty( $one["shipping"] ) ) {
        $item = new WC_Order_Item_Shipping();
        $item->set_method_title( "Post" );
        $item->set_total( $one["shipping"] );
        $order->add_item( $item );
    }
    $order->set_payment_method( "bacs" );
    $order->calculate_totals();
    $order->set_status( $one["status"] ?? "on-hold" );
    $order->save();
    $ids[] = $order->get_id();
}
return $ids;
"""

_TOTALS = """
$told = array();
foreach ( $in as $id ) {
    $order = wc_get_order( $id );
    $lines = array();
    foreach ( $order->get_items() as $line ) {
        $sku = $line->get_product()->get_sku();
        $lines[ $sku ] = ( $lines[ $sku ] ?? 0 ) + $line->get_quantity();
    }
    ksort( $lines );
    $told[ $id ] = array( "total" => wc_format_decimal( $order->get_total(), 2 ), "lines" => $lines,
        "tax" => wc_format_decimal( $order->get_total_tax(), 2 ) );
}
return $told;
"""

_STORED = """
$told = array();
foreach ( $in as $sku ) {
    $ids = $GLOBALS["wpdb"]->get_col( $GLOBALS["wpdb"]->prepare( "SELECT p.ID FROM {$GLOBALS["wpdb"]->posts} p
        JOIN {$GLOBALS["wpdb"]->postmeta} m ON m.post_id = p.ID AND m.meta_key = '_sku' AND m.meta_value = %s
        WHERE p.post_type = 'product' AND p.post_status <> 'trash'", $sku ) );
    $product = count( $ids ) === 1 ? wc_get_product( $ids[0] ) : null;
    $told[ $sku ] = array( "count" => count( $ids ), "id" => $product ? $product->get_id() : 0,
        "name" => $product ? $product->get_name() : "",
        "description" => $product ? $product->get_description() : "",
        "price" => $product ? $product->get_regular_price() : "",
        "status" => $product ? $product->get_status() : "", "managed" => $product && $product->get_manage_stock(),
        "stock" => $product ? $product->get_stock_quantity() : null );
}
return $told;
"""

_FORM = """
$form = WPCF7_ContactForm::get_template( array( "title" => $in ) );
$form->save();
return $form->id();
"""

_FILL = """
wp_set_current_user( 0 );
$_SERVER["HTTP_USER_AGENT"] = "Mozilla/5.0";
$_SERVER["REMOTE_ADDR"] = "127.0.0.1";
$_POST = array( "your-name" => "Ada Lovelace", "your-email" => $in["email"], "your-subject" => "An offer",
    "your-message" => $in["message"], "_wpcf7_unit_tag" => "wpcf7-f{$in["form"]}-o1" );
return wpcf7_contact_form( $in["form"] )->submit()["status"];
"""

_ANSWERED = """
global $wpdb;
$asked = "SELECT status FROM {$wpdb->prefix}agencystack_submissions WHERE email = %s";
return $wpdb->get_col( $wpdb->prepare( $asked, $in ) );
"""


class Shop:
    """A WooCommerce as its customers and its staff use it.

    Args:
        run: runs programs where it lives.
        there: where that is.
        host: its name.
    """

    def __init__(self, run: Executor, there: Exec, host: str) -> None:
        self._run, self._path, self._host = run, there.path or "/var/www/html", host

    def php(self, code: str, given: object = None) -> Any:
        """Run PHP within WordPress, as an administrator, and return what it returns.

        Args:
            code: statements ending in ``return``.
            given: what they find in ``$in``.
        """
        told = json.dumps({"code": code, "in": given}).encode()
        done = self._run.run(["php", "-r", _PHP, "--", self._path, self._host], stdin=told, timeout=600)
        assert b"\x1eanswer:" in done.stdout, (done.stdout[-500:], done.stderr[-500:])
        return json.loads(done.stdout.split(b"\x1eanswer:")[1])

    def sell(self, skus: Mapping[str, str]) -> dict[str, int]:
        """Put products into the shop: price by SKU; return their ids."""
        made: dict[str, int] = self.php(
            _PRODUCTS, [{"sku": sku, "name": f"Product {sku}", "price": price} for sku, price in skus.items()]
        )
        return made

    def order(self, orders: Sequence[Mapping[str, Any]]) -> list[int]:
        """Have customers order: ``email``, ``lines`` of ``sku``, ``quantity`` (and ``total``), ``fee``, ``status``."""
        made: list[int] = self.php(_ORDERS, list(orders))
        return made

    def totals(self, orders: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Return what orders come to."""
        return {int(id_): one for id_, one in self.php(_TOTALS, list(orders)).items()}

    def stored(self, skus: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return what the database holds of products, by SKU: how many there are, and what they say."""
        told: dict[str, dict[str, Any]] = self.php(_STORED, list(skus))
        return told

    def has_forms(self) -> bool:
        """Say whether people can fill in forms: Contact Form 7 is active."""
        return bool(self.php('return class_exists( "WPCF7_ContactForm" );'))

    def form(self, title: str) -> int:
        """Make a contact form, and return its id."""
        made: int = self.php(_FORM, title)
        return made

    def fill(self, form: int, email: str, message: str) -> None:
        """Fill in a form as a visitor does; its own mail may go wrong."""
        status = self.php(_FILL, {"form": form, "email": email, "message": message})
        assert status in ("mail_sent", "mail_failed"), status

    def answered(self, email: str) -> list[str]:
        """Return what became of what somebody sent: the status of each submission."""
        told: list[str] = self.php(_ANSWERED, email)
        return told


class Books:
    """An ERPNext as its staff use it.

    Args:
        site: its REST interface.
        company: whose books.
        price_list: where prices are.
        warehouse: where goods are.
    """

    def __init__(self, site: FrappeSite, company: str, price_list: str, warehouse: str) -> None:
        self.site, self.company, self.price_list, self.warehouse = site, company, price_list, warehouse

    def items(self, prices: Mapping[str, str], stock: float = 0) -> None:
        """Make Items with a price, and put pieces on the shelf."""
        for code, price in prices.items():
            named = {"item_code": code, "item_name": f"Item {code}", "item_group": "Products", "stock_uom": "Nos"}
            self.site.insert("Item", {**named, "is_stock_item": 1, "valuation_rate": 1})
            rate = {"item_code": code, "price_list": self.price_list, "price_list_rate": price, "selling": 1}
            self.site.insert("Item Price", rate)
        if stock:
            self.shelve(dict.fromkeys(prices, stock))

    def shelve(self, pieces: Mapping[str, float]) -> None:
        """Put pieces on the shelf."""
        rows = [
            {"item_code": code, "qty": count, "t_warehouse": self.warehouse, "basic_rate": 1}
            for code, count in pieces.items()
        ]
        entry = {"stock_entry_type": "Material Receipt", "company": self.company, "items": rows, "docstatus": 1}
        self.site.insert("Stock Entry", entry)

    def price(self, code: str, price: str) -> None:
        """Change a price."""
        filters = [["item_code", "=", code], ["price_list", "=", self.price_list]]
        for row in self.site.documents("Item Price", filters=filters):
            self.site.update("Item Price", row["name"], {"price_list_rate": price})

    def prices(self, codes: Sequence[str]) -> dict[str, list[float]]:
        """Return every price of Items, by their codes, whatever the price list."""
        found: dict[str, list[float]] = {code: [] for code in codes}
        fields = ("item_code", "price_list_rate")
        for row in self.site.documents("Item Price", fields=fields, filters=[["item_code", "in", list(codes)]]):
            found[row["item_code"]].append(row["price_list_rate"])
        return found

    def has_leads(self) -> bool:
        """Say whether there is the doctype Lead: ERPNext is installed with its module CRM."""
        try:
            self.site.documents("Lead", limit=1)
        except Refused:
            return False
        return True

    def leads(self, emails: Sequence[str]) -> dict[str, list[str]]:
        """Return the Leads of people, by their e-mail addresses."""
        found: dict[str, list[str]] = {email: [] for email in emails}
        filters = [["email_id", "in", list(emails)]]
        for row in self.site.documents("Lead", fields=("name", "email_id"), filters=filters):
            found[row["email_id"]].append(row["name"])
        return found

    def messages(self, senders: Sequence[str]) -> list[dict[str, Any]]:
        """Return what people said, as it is kept with their Leads."""
        fields = ("sender", "content", "reference_name")
        filters: list[list[object]] = [["sender", "in", list(senders)], ["reference_doctype", "=", "Lead"]]
        return self.site.documents("Communication", fields=fields, filters=filters)

    def lines(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Return the pieces of each Item in Sales Orders, by their names."""
        found: dict[str, dict[str, float]] = {name: {} for name in names}
        fields = ("name", "items.item_code as code", "items.qty as pieces")
        for row in self.site.documents("Sales Order", fields=fields, filters=[["name", "in", list(names)]], limit=5000):
            of = found[row["name"]]
            of[row["code"]] = of.get(row["code"], 0) + row["pieces"]
        return found

    def orders(self, site: str, ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """Return the Sales Orders of orders of the shop, amended and cancelled ones too."""
        names = {f"WC-{site}-{id_}": id_ for id_ in ids}
        found: dict[int, list[dict[str, Any]]] = {id_: [] for id_ in ids}
        fields = ("name", "po_no", "grand_total", "total_taxes_and_charges", "docstatus", "customer", "creation")
        keys = sorted(names)
        for start in range(0, len(keys), 100):
            filters = [["po_no", "in", keys[start : start + 100]]]
            for row in self.site.documents("Sales Order", fields=fields, filters=filters, limit=1000):
                found[names[row["po_no"]]].append(row)
        return found


def until(ready: Callable[[], T | None], patience: float = 120.0, every: float = 0.05) -> T:
    """Wait until something is so, and return it.

    Args:
        ready: returns something true when it is.
        patience: seconds after which it will not be so any more.
        every: seconds between two looks.
    """
    end = time.monotonic() + patience
    while not (found := ready()):
        assert time.monotonic() < end, f"not so within {patience:g} s"
        time.sleep(every)
    return found
