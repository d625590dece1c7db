<?php
/**
 * Stock: what orders hold of it, and changes that never give back what an order took.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Counts and moves stock in the database, where orders do. */
final class Bridge_Stock {

	/**
	 * What orders have taken from the stock of products.
	 *
	 * An order the bridge was not told of yet counts whatever its id: one that waited for its payment for a week has an old one.
	 *
	 * @param int[] $products Ids of products and variations.
	 * @param int   $since    Orders from this id on.
	 * @return array By product: decimal text by order. A variation whose stock its product manages counts for the product.
	 */
	public static function held( array $products, $since ) {
		global $wpdb;
		$items = $wpdb->prefix . 'woocommerce_order_items';
		$meta  = $wpdb->prefix . 'woocommerce_order_itemmeta';
		$told  = implode( ',', array_map( 'intval', Bridge_Outbox::untold( 'order' ) ) );
		$also  = '' === $told ? '' : " OR i.order_id IN ( $told )";
		$rows  = $wpdb->get_results( // phpcs:ignore WordPress.DB
			$wpdb->prepare(
				"SELECT i.order_id, r.meta_value AS taken, p.meta_value AS product, v.meta_value AS variation FROM $items i
				JOIN $meta r ON r.order_item_id = i.order_item_id AND r.meta_key = '_reduced_stock'
				JOIN $meta p ON p.order_item_id = i.order_item_id AND p.meta_key = '_product_id'
				LEFT JOIN $meta v ON v.order_item_id = i.order_item_id AND v.meta_key = '_variation_id'
				WHERE ( i.order_id >= %d $also ) AND i.order_item_type = 'line_item'", // phpcs:ignore WordPress.DB
				(int) $since
			)
		);
		$held  = array();
		foreach ( $rows as $row ) {
			$whose = self::whose( (int) $row->product, (int) $row->variation );
			if ( in_array( $whose, $products, true ) && 0.0 !== (float) $row->taken ) {
				$before                            = isset( $held[ $whose ][ $row->order_id ] ) ? $held[ $whose ][ $row->order_id ] : 0;
				$held[ $whose ][ $row->order_id ] = $before + $row->taken;
			}
		}
		foreach ( $held as $product => $orders ) {
			$held[ $product ] = array_map( array( self::class, 'text' ), $orders );
		}
		return $held;
	}

	/**
	 * Take the stock out of what REST is to write, where it can be moved in the database instead.
	 *
	 * REST would set the number it was given, over whatever an order took since it was looked at. The difference to what
	 * it was then is what was meant; added in the database it keeps what orders take meanwhile.
	 *
	 * @param int   $id     Of the product or variation.
	 * @param array $values What REST is to write; `stock_quantity` is taken out where move() is to be called.
	 * @return float|null The difference; null where REST writes the stock itself.
	 */
	public static function difference( $id, array &$values ) {
		if ( ! isset( $values['stock_quantity'] ) || ! is_numeric( $values['stock_quantity'] ) || ( isset( $values['manage_stock'] ) && true !== $values['manage_stock'] ) ) {
			return null;
		}
		$stock = self::stored( $id );
		if ( null === $stock || 'yes' !== get_post_meta( $id, '_manage_stock', true ) ) {
			return null;
		}
		$difference = (float) $values['stock_quantity'] - $stock;
		unset( $values['stock_quantity'], $values['manage_stock'], $values['stock_status'] );
		return $difference;
	}

	/**
	 * Move the stock of a product.
	 *
	 * @param int   $id         Of the product or variation.
	 * @param float $difference What is added.
	 */
	public static function move( $id, $difference ) {
		$product = wc_get_product( $id );
		if ( $product && 0.0 !== (float) $difference ) {
			wc_update_product_stock( $product, abs( $difference ), $difference > 0 ? 'increase' : 'decrease' );
		}
	}

	/**
	 * The stock as it is in the database now, whatever is cached.
	 *
	 * @param int $id Of the product or variation.
	 * @return float|null Null where none is kept.
	 */
	private static function stored( $id ) {
		global $wpdb;
		$stock = $wpdb->get_var( $wpdb->prepare( "SELECT meta_value FROM $wpdb->postmeta WHERE post_id = %d AND meta_key = '_stock' LIMIT 1", $id ) ); // phpcs:ignore WordPress.DB
		return is_numeric( $stock ) ? (float) $stock : null;
	}

	/**
	 * Whose stock a line of an order takes from.
	 *
	 * @param int $product   Id of the product.
	 * @param int $variation Id of the variation, or 0.
	 * @return int
	 */
	private static function whose( $product, $variation ) {
		static $known = array();
		if ( ! $variation ) {
			return $product;
		}
		if ( ! isset( $known[ $variation ] ) ) {
			$found               = wc_get_product( $variation );
			$known[ $variation ] = $found ? (int) $found->get_stock_managed_by_id() : $variation;
		}
		return $known[ $variation ];
	}

	/**
	 * A quantity as decimal text without trailing zeros.
	 *
	 * @param float $quantity The quantity.
	 * @return string
	 */
	private static function text( $quantity ) {
		$text = number_format( (float) $quantity, 6, '.', '' );
		return rtrim( rtrim( $text, '0' ), '.' );
	}
}
