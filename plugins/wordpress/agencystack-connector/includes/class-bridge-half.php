<?php
/**
 * Tells records that are whole from those a request is still writing, or died over.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** WooCommerce writes without transactions: first the order's row with total 0.00, then lines, then totals. */
final class Bridge_Half {

	/**
	 * Whether a record is half written.
	 *
	 * @param string $kind   The kind.
	 * @param array  $native As REST shows it.
	 * @return bool
	 */
	public static function is_one( $kind, array $native ) {
		switch ( $kind ) {
			case 'order':
				return self::order( $native );
			case 'product':
			case 'variation':
				return self::product( (int) $native['id'] );
			default:
				return false;
		}
	}

	/**
	 * An order is half while it is a cart, has a total of nothing over no lines, or one over lines that cost something.
	 *
	 * @param array $native As REST shows it.
	 * @return bool
	 */
	private static function order( array $native ) {
		if ( in_array( isset( $native['status'] ) ? $native['status'] : '', Bridge_Capture_Shop::CARTS, true ) ) {
			return true;
		}
		if ( 0.0 !== (float) ( isset( $native['total'] ) ? $native['total'] : 0 ) ) {
			return false;
		}
		$cents = 0.0;
		$lines = 0;
		foreach ( array( 'line_items', 'shipping_lines', 'fee_lines' ) as $part ) {
			foreach ( isset( $native[ $part ] ) ? (array) $native[ $part ] : array() as $line ) {
				++$lines;
				$cents += (float) $line['total'];
			}
		}
		return 0 === $lines || abs( $cents ) >= 0.005;
	}

	/**
	 * A product is half until WooCommerce has written what it writes last; all three are missing only then.
	 *
	 * @param int $id Its id.
	 * @return bool
	 */
	private static function product( $id ) {
		foreach ( array( '_product_version', '_stock_status', '_price' ) as $key ) {
			if ( metadata_exists( 'post', $id, $key ) ) {
				return false;
			}
		}
		return true;
	}
}
