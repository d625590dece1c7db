<?php
/**
 * Sees what changes in WooCommerce, whichever way it stores orders.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Marks products, stock, categories, orders and refunds by WooCommerce's own hooks; without WooCommerce none fires. */
final class Bridge_Capture_Shop {

	/** Orders that are carts still: they change with each keystroke, and nobody wants them. */
	const CARTS = array( 'checkout-draft', 'auto-draft' );

	/** Hook in, before everybody else. */
	public function hook() {
		foreach ( array( 'woocommerce_before_product_object_save', 'woocommerce_before_product_variation_object_save', 'woocommerce_product_before_set_stock', 'woocommerce_variation_before_set_stock' ) as $hook ) {
			add_action( $hook, array( $this, 'before_product' ), PHP_INT_MIN );
		}
		foreach ( array( 'woocommerce_new_product', 'woocommerce_update_product', 'woocommerce_trash_product', 'woocommerce_delete_product', 'woocommerce_updated_product_stock', 'woocommerce_product_set_stock', 'woocommerce_product_set_stock_status' ) as $hook ) {
			add_action( $hook, array( $this, 'product' ), PHP_INT_MIN );
		}
		foreach ( array( 'woocommerce_new_product_variation', 'woocommerce_update_product_variation', 'woocommerce_trash_product_variation', 'woocommerce_delete_product_variation', 'woocommerce_variation_set_stock', 'woocommerce_variation_set_stock_status' ) as $hook ) {
			add_action( $hook, array( $this, 'variation' ), PHP_INT_MIN );
		}
		add_filter( 'woocommerce_update_product_stock_query', array( $this, 'before_stock' ), PHP_INT_MIN, 2 );
		add_filter( 'woocommerce_duplicate_product_exclude_meta', array( $this, 'not_copied' ) );

		add_action( 'edit_terms', array( $this, 'before_term' ), PHP_INT_MIN, 2 );
		add_action( 'pre_delete_term', array( $this, 'before_term' ), PHP_INT_MIN, 2 );
		foreach ( array( 'created_product_cat', 'edited_product_cat', 'delete_product_cat' ) as $hook ) {
			add_action( $hook, array( $this, 'category' ), PHP_INT_MIN );
		}

		foreach ( array( 'woocommerce_before_order_object_save', 'woocommerce_before_order_refund_object_save' ) as $hook ) {
			add_action( $hook, array( $this, 'before_order' ), PHP_INT_MIN );
		}
		foreach ( array( 'woocommerce_pre_payment_complete', 'woocommerce_before_trash_order', 'woocommerce_before_delete_order' ) as $hook ) {
			add_action( $hook, array( $this, 'before_order' ), PHP_INT_MIN );
		}
		foreach ( array( 'woocommerce_new_order', 'woocommerce_update_order', 'woocommerce_order_status_changed', 'woocommerce_payment_complete', 'woocommerce_trash_order', 'woocommerce_untrash_order', 'woocommerce_delete_order', 'woocommerce_saved_order_items' ) as $hook ) {
			add_action( $hook, array( $this, 'order' ), PHP_INT_MIN );
		}
		add_action( 'woocommerce_create_refund', array( $this, 'before_refund' ), PHP_INT_MIN );
		add_action( 'woocommerce_order_refunded', array( $this, 'refunded' ), PHP_INT_MIN, 2 );
		add_action( 'woocommerce_update_order_refund', array( $this, 'refund' ), PHP_INT_MIN );
		// With tables of their own, deleting refunds fires no hook afterwards at all.
		add_filter( 'woocommerce_pre_delete_order_refund', array( $this, 'before_deleted_refund' ), PHP_INT_MIN, 2 );
		add_action( 'woocommerce_refund_deleted', array( $this, 'refunded_no_more' ), PHP_INT_MIN, 2 );
	}

	/**
	 * A product or variation is about to be saved.
	 *
	 * @param \WC_Product $product The product; its id is 0 while it is being made.
	 */
	public function before_product( $product ) {
		if ( $product instanceof \WC_Product && $product->get_id() ) {
			Bridge_Marks::begin( $product instanceof \WC_Product_Variation ? 'variation' : 'product', $product->get_id() );
		}
	}

	/**
	 * A product was written; hooks of stock give variations here as well.
	 *
	 * @param int|\WC_Product $product The product, or its id.
	 */
	public function product( $product ) {
		$id = $product instanceof \WC_Product ? $product->get_id() : (int) $product;
		if ( 'product_variation' === get_post_type( $id ) ) {
			$this->variation( $id );
			return;
		}
		Bridge_Marks::changed( 'product', $id );
	}

	/**
	 * A variation was written. Its parent shows the list of variations, and their prices.
	 *
	 * @param int|\WC_Product $variation The variation, or its id.
	 */
	public function variation( $variation ) {
		$id = $variation instanceof \WC_Product ? $variation->get_id() : (int) $variation;
		Bridge_Marks::changed( 'variation', $id );
		if ( in_array( current_action(), array( 'woocommerce_new_product_variation', 'woocommerce_trash_product_variation', 'woocommerce_delete_product_variation' ), true ) ) {
			Bridge_Marks::changed( 'product', (int) wp_get_post_parent_id( $id ) );
		}
	}

	/**
	 * Stock is about to be changed in the database, as an order does it.
	 *
	 * @param string $sql The statement.
	 * @param int    $id  The product's.
	 * @return string
	 */
	public function before_stock( $sql, $id = 0 ) {
		Bridge_Marks::begin( 'product_variation' === get_post_type( $id ) ? 'variation' : 'product', $id );
		return $sql;
	}

	/**
	 * A copy of a product is not what our creation made.
	 *
	 * @param string[] $keys Meta keys that are not copied.
	 * @return string[]
	 */
	public function not_copied( $keys ) {
		return array_merge( (array) $keys, array( Bridge_Tokens::META ) );
	}

	/**
	 * A term is about to be written.
	 *
	 * @param int    $id       The term's.
	 * @param string $taxonomy Its taxonomy.
	 */
	public function before_term( $id, $taxonomy ) {
		if ( 'product_cat' === $taxonomy ) {
			Bridge_Marks::begin( 'category', $id );
		}
	}

	/**
	 * A category was written.
	 *
	 * @param int $id The term's.
	 */
	public function category( $id ) {
		Bridge_Marks::changed( 'category', $id );
	}

	/**
	 * An order or refund is about to be saved.
	 *
	 * @param \WC_Abstract_Order|int $order The order, or its id.
	 */
	public function before_order( $order ) {
		$order = is_object( $order ) ? $order : wc_get_order( $order );
		if ( $order instanceof \WC_Abstract_Order && $order->get_id() ) {
			$this->note( array( Bridge_Marks::class, 'begin' ), $order );
		}
	}

	/**
	 * An order was written.
	 *
	 * @param int $id The order's.
	 */
	public function order( $id ) {
		$order = wc_get_order( $id );
		if ( $order ) {
			$this->note( array( Bridge_Marks::class, 'changed' ), $order );
		} else {
			Bridge_Marks::changed( 'order', $id ); // It is gone.
		}
	}

	/**
	 * A refund is about to be made; it has no id yet.
	 *
	 * @param \WC_Order_Refund $refund The refund.
	 */
	public function before_refund( $refund ) {
		Bridge_Marks::begin( 'order', $refund->get_parent_id() );
	}

	/**
	 * A refund was made.
	 *
	 * @param int $order  The order's id.
	 * @param int $refund The refund's.
	 */
	public function refunded( $order, $refund ) {
		Bridge_Marks::changed( 'refund', $refund );
		Bridge_Marks::changed( 'order', $order );
	}

	/**
	 * A refund was written.
	 *
	 * @param int $refund Its id.
	 */
	public function refund( $refund ) {
		Bridge_Marks::changed( 'refund', $refund );
	}

	/**
	 * A refund is about to be deleted; marks are confirmed at the end of the request, when it is gone.
	 *
	 * @param mixed            $check  What others decided.
	 * @param \WC_Order_Refund $refund The refund.
	 * @return mixed
	 */
	public function before_deleted_refund( $check, $refund = null ) {
		if ( null === $check && $refund instanceof \WC_Order_Refund ) {
			$this->refunded( $refund->get_parent_id(), $refund->get_id() );
		}
		return $check;
	}

	/**
	 * A refund was deleted in the dashboard.
	 *
	 * @param int $refund The refund's id.
	 * @param int $order  The order's.
	 */
	public function refunded_no_more( $refund, $order ) {
		$this->refunded( $order, $refund );
	}

	/**
	 * Tell the marks of an order or refund.
	 *
	 * @param callable           $told  begin() or changed() of Bridge_Marks.
	 * @param \WC_Abstract_Order $order The order.
	 */
	private function note( $told, $order ) {
		if ( 'shop_order_refund' === $order->get_type() ) {
			$told( 'refund', $order->get_id() );
		} elseif ( 'shop_order' === $order->get_type() && ! in_array( $order->get_status(), self::CARTS, true ) ) {
			$told( 'order', $order->get_id() );
		}
	}
}
