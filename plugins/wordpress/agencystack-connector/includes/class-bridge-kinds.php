<?php
/**
 * Where REST keeps each kind of record.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Kinds, their routes, and where their rows are. */
final class Bridge_Kinds {

	/** Route of the list; `%d` stands for the parent. */
	const ROUTES = array(
		'product'   => '/wc/v3/products',
		'variation' => '/wc/v3/products/%d/variations',
		'category'  => '/wc/v3/products/categories',
		'customer'  => '/wc/v3/customers',
		'order'     => '/wc/v3/orders',
		'refund'    => '/wc/v3/orders/%d/refunds',
		'post'      => '/wp/v2/posts',
		'page'      => '/wp/v2/pages',
	);

	/** Types of posts. */
	const POSTS = array(
		'product'   => 'product',
		'variation' => 'product_variation',
		'order'     => 'shop_order',
		'refund'    => 'shop_order_refund',
		'post'      => 'post',
		'page'      => 'page',
	);

	/** Kinds that only WooCommerce keeps. */
	const SHOP = array( 'product', 'variation', 'category', 'order', 'refund' );

	/**
	 * Whether this site keeps records of a kind.
	 *
	 * @param string $kind The kind.
	 * @return bool
	 */
	public static function are_kept( $kind ) {
		return 'submission' === $kind || ( isset( self::ROUTES[ $kind ] ) && ( ! in_array( $kind, self::SHOP, true ) || class_exists( 'WooCommerce', false ) ) );
	}

	/**
	 * Whether a kind may be read: its entity is part of the pairing. Payments are read from orders.
	 *
	 * @param string $kind The kind.
	 * @return bool
	 */
	public static function may_be_read( $kind ) {
		$taken = Bridge_Settings::narrowed()['entities'];
		foreach ( 'order' === $kind ? array( 'order', 'payment', 'refund' ) : array( $kind ) as $entity ) {
			if ( null !== Bridge_Settings::direction( $entity ) && ! ( isset( $taken[ $entity ] ) && 'off' === $taken[ $entity ] ) ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * Whether the bridge may write records of a kind.
	 *
	 * @param string $kind The kind.
	 * @return bool
	 */
	public static function may_be_written( $kind ) {
		return in_array( Bridge_Settings::direction( $kind ), array( 'both', 'to_wordpress' ), true );
	}

	/**
	 * Route of one record, or of the list.
	 *
	 * @param string $kind   The kind.
	 * @param int    $parent Id of the parent, or 0.
	 * @param int    $id     Id of the record, or 0 for the list.
	 * @return string
	 */
	public static function route( $kind, $parent = 0, $id = 0 ) {
		$route = sprintf( self::ROUTES[ $kind ], $parent );
		return $id ? "$route/$id" : $route;
	}

	/**
	 * Which fields REST is asked for, where all of them would be too much.
	 *
	 * WooCommerce guesses related products for each product it shows, and stores its guess: a walk through a catalogue
	 * would write two options a product.
	 *
	 * @param string $kind The kind.
	 * @return array Parameter of a request, or nothing.
	 */
	public static function fields( $kind ) {
		static $fields = null;
		if ( 'product' !== $kind || ! class_exists( 'WC_REST_Products_Controller' ) ) {
			return array();
		}
		if ( null === $fields ) {
			$schema = ( new \WC_REST_Products_Controller() )->get_item_schema();
			$fields = implode( ',', array_diff( array_keys( $schema['properties'] ), array( 'related_ids', 'price_html' ) ) );
		}
		return array( '_fields' => $fields );
	}

	/**
	 * Parents of variations and refunds.
	 *
	 * @param string $kind The kind.
	 * @param int[]  $ids  Their ids.
	 * @return int[] By id.
	 */
	public static function parents( $kind, array $ids ) {
		global $wpdb;
		if ( ! $ids || ! in_array( $kind, array( 'variation', 'refund' ), true ) ) {
			return array();
		}
		$list = implode( ',', array_map( 'intval', $ids ) );
		$sql  = 'refund' === $kind && self::has_order_tables()
			? "SELECT id, parent_order_id AS parent FROM {$wpdb->prefix}wc_orders WHERE type = 'shop_order_refund' AND id IN ($list)"
			: $wpdb->prepare( "SELECT ID AS id, post_parent AS parent FROM $wpdb->posts WHERE post_type = %s AND ID IN ($list)", self::POSTS[ $kind ] ); // phpcs:ignore WordPress.DB
		return array_map( 'intval', array_column( $wpdb->get_results( $sql ), 'parent', 'id' ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Whether a record exists, also in the bin.
	 *
	 * @param string $kind The kind.
	 * @param int    $id   Its id.
	 * @return bool
	 */
	public static function is_there( $kind, $id ) {
		global $wpdb;
		switch ( $kind ) {
			case 'customer':
				return (bool) get_userdata( $id );
			case 'category':
				return get_term( $id, 'product_cat' ) instanceof \WP_Term;
			case 'submission':
				return null !== Bridge_Submissions::read( $id );
			case 'order':
			case 'refund':
				if ( self::has_order_tables() ) {
					return self::POSTS[ $kind ] === $wpdb->get_var( $wpdb->prepare( "SELECT type FROM {$wpdb->prefix}wc_orders WHERE id = %d", $id ) ); // phpcs:ignore WordPress.DB
				}
				// Orders are posts here.
			default:
				return isset( self::POSTS[ $kind ] ) && get_post_type( $id ) === self::POSTS[ $kind ];
		}
	}

	/**
	 * Whether WooCommerce keeps orders in tables of their own ("HPOS").
	 *
	 * @return bool
	 */
	public static function has_order_tables() {
		return class_exists( '\Automattic\WooCommerce\Utilities\OrderUtil' ) && \Automattic\WooCommerce\Utilities\OrderUtil::custom_orders_table_usage_is_enabled();
	}
}
