<?php
/**
 * Which rows of which tables make up a record of each kind, for digests.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Each part has `from`, `where`, `id` (column of the record's id) and `text` (what of the row counts). The first part is
 * the record's own row. Times of changes and counters are left out: they move when nothing did.
 */
final class Bridge_Rows {

	/** Statuses of what is no record (any more). */
	const NONE = "('auto-draft', 'trash', 'inherit', 'wc-checkout-draft')";

	/**
	 * Parts of a kind.
	 *
	 * @param string $kind The kind.
	 * @return array
	 */
	public static function of( $kind ) {
		switch ( $kind ) {
			case 'customer':
				return self::people();
			case 'category':
				return self::categories();
			case 'submission':
				return self::submissions();
			case 'order':
			case 'refund':
				return array_merge( Bridge_Kinds::has_order_tables() ? self::orders( Bridge_Kinds::POSTS[ $kind ] ) : self::posts( Bridge_Kinds::POSTS[ $kind ], self::noise_free( 'm.meta_key' ) ), self::lines( Bridge_Kinds::POSTS[ $kind ] ) );
			case 'product':
			case 'variation':
				return self::posts( Bridge_Kinds::POSTS[ $kind ], self::noise_free( 'm.meta_key' ) );
			default:
				return self::posts( Bridge_Kinds::POSTS[ $kind ], 'm.meta_key IN (' . self::listed( array_merge( array( '_thumbnail_id', '_wp_page_template' ), (array) Bridge_Settings::get( 'meta', array() ) ) ) . ')' );
		}
	}

	/**
	 * Posts with their meta and terms.
	 *
	 * @param string $type  Type of post.
	 * @param string $metas Which meta counts.
	 * @return array
	 */
	private static function posts( $type, $metas ) {
		global $wpdb;
		$where = "p.post_type = '$type' AND p.post_status NOT IN " . self::NONE;
		return array(
			self::part( "$wpdb->posts p", $where, 'p.ID', array( 'p.post_title', 'p.post_content', 'p.post_excerpt', 'p.post_status', 'p.post_name', 'p.post_parent', 'p.menu_order', 'p.post_author', 'p.post_date', 'p.post_password' ) ),
			self::part( "$wpdb->postmeta m JOIN $wpdb->posts p ON p.ID = m.post_id", "$where AND $metas", 'p.ID', array( 'm.meta_id', 'm.meta_key', 'm.meta_value' ) ),
			self::part( "$wpdb->term_relationships r JOIN $wpdb->posts p ON p.ID = r.object_id", $where, 'p.ID', array( "'term'", 'r.object_id', 'r.term_taxonomy_id' ) ),
		);
	}

	/**
	 * Orders or refunds in tables of their own, with addresses, amounts and meta.
	 *
	 * @param string $type Type of order.
	 * @return array
	 */
	private static function orders( $type ) {
		global $wpdb;
		$orders = $wpdb->prefix . 'wc_orders';
		$where  = "o.type = '$type' AND o.status NOT IN " . self::NONE;
		return array(
			self::part( "$orders o", $where, 'o.id', array( 'o.status', 'o.currency', 'o.tax_amount', 'o.total_amount', 'o.customer_id', 'o.billing_email', 'o.date_created_gmt', 'o.parent_order_id', 'o.payment_method', 'o.payment_method_title', 'o.transaction_id', 'o.customer_note' ) ),
			self::part( "{$wpdb->prefix}wc_order_addresses a JOIN $orders o ON o.id = a.order_id", $where, 'o.id', array( 'a.id', 'a.address_type', 'a.first_name', 'a.last_name', 'a.company', 'a.address_1', 'a.address_2', 'a.city', 'a.state', 'a.postcode', 'a.country', 'a.email', 'a.phone' ) ),
			self::part( "{$wpdb->prefix}wc_order_operational_data d JOIN $orders o ON o.id = d.order_id", $where, 'o.id', array( 'd.id', 'd.prices_include_tax', 'd.date_paid_gmt', 'd.date_completed_gmt', 'd.shipping_tax_amount', 'd.shipping_total_amount', 'd.discount_tax_amount', 'd.discount_total_amount' ) ),
			self::part( "{$wpdb->prefix}wc_orders_meta m JOIN $orders o ON o.id = m.order_id", "$where AND " . self::noise_free( 'm.meta_key' ), 'o.id', array( "'meta'", 'm.id', 'm.meta_key', 'm.meta_value' ) ),
		);
	}

	/**
	 * Lines of orders or refunds, with their meta.
	 *
	 * @param string $type Type of order.
	 * @return array
	 */
	private static function lines( $type ) {
		global $wpdb;
		$new   = Bridge_Kinds::has_order_tables();
		$id    = $new ? 'o.id' : 'o.ID';
		$order = $new ? "{$wpdb->prefix}wc_orders o" : "$wpdb->posts o";
		$where = $new ? "o.type = '$type' AND o.status NOT IN " . self::NONE : "o.post_type = '$type' AND o.post_status NOT IN " . self::NONE;
		$lines = "{$wpdb->prefix}woocommerce_order_items i JOIN $order ON $id = i.order_id";
		return array(
			self::part( $lines, $where, $id, array( "'line'", 'i.order_item_id', 'i.order_item_name', 'i.order_item_type' ) ),
			self::part( "$lines JOIN {$wpdb->prefix}woocommerce_order_itemmeta m ON m.order_item_id = i.order_item_id", $where, $id, array( "'line meta'", 'm.meta_id', 'm.meta_key', 'm.meta_value' ) ),
		);
	}

	/**
	 * Users of this site, but the bridge's own.
	 *
	 * @return array
	 */
	private static function people() {
		global $wpdb;
		$where = 'u.ID <> ' . (int) Bridge_Settings::get( 'user', 0 ) . " AND EXISTS (SELECT 1 FROM $wpdb->usermeta c WHERE c.user_id = u.ID AND c.meta_key = '{$wpdb->prefix}capabilities')";
		$keys  = array_merge( Bridge_Capture::PEOPLE, array( $wpdb->prefix . 'capabilities' ), (array) Bridge_Settings::get( 'meta', array() ) );
		$metas = "(m.meta_key LIKE 'billing\\_%' OR m.meta_key LIKE 'shipping\\_%' OR m.meta_key IN (" . self::listed( $keys ) . '))';
		return array(
			self::part( "$wpdb->users u", $where, 'u.ID', array( 'u.user_login', 'u.user_email', 'u.display_name', 'u.user_url', 'u.user_registered' ) ),
			self::part( "$wpdb->usermeta m JOIN $wpdb->users u ON u.ID = m.user_id", "$where AND " . $metas, 'u.ID', array( 'm.umeta_id', 'm.meta_key', 'm.meta_value' ) ),
		);
	}

	/**
	 * Categories of products.
	 *
	 * @return array
	 */
	private static function categories() {
		global $wpdb;
		$where = "x.taxonomy = 'product_cat'";
		return array(
			self::part( "$wpdb->term_taxonomy x JOIN $wpdb->terms t ON t.term_id = x.term_id", $where, 'x.term_id', array( 't.name', 't.slug', 'x.description', 'x.parent' ) ),
			self::part( "$wpdb->termmeta m JOIN $wpdb->term_taxonomy x ON x.term_id = m.term_id", "$where AND m.meta_key IN ('thumbnail_id', 'display_type')", 'x.term_id', array( 'm.meta_id', 'm.meta_key', 'm.meta_value' ) ),
		);
	}

	/**
	 * Submissions.
	 *
	 * @return array
	 */
	private static function submissions() {
		return array( self::part( Bridge_Tables::name( 'submissions' ) . ' s', "s.status <> 'trash'", 's.id', array( 's.created', 's.form_id', 's.form_title', 's.page_url', 's.email', 's.content', 's.status', 's.owner', 's.notes' ) ) );
	}

	/**
	 * One part.
	 *
	 * @param string   $from    Tables.
	 * @param string   $where   Which rows.
	 * @param string   $id      Column of the record's id.
	 * @param string[] $columns What counts.
	 * @return array
	 */
	private static function part( $from, $where, $id, array $columns ) {
		$texts = array();
		foreach ( $columns as $column ) {
			$texts[] = "COALESCE($column, '<null>')"; // CONCAT_WS leaves nulls out, and two rows would look the same.
		}
		return array( 'from' => $from, 'where' => $where, 'id' => $id, 'text' => "CONCAT_WS('|', $id, " . implode( ', ', $texts ) . ')' );
	}

	/**
	 * Condition: meta that says something.
	 *
	 * @param string $column Of meta keys.
	 * @return string
	 */
	private static function noise_free( $column ) {
		return "$column NOT IN (" . self::listed( Bridge_Capture::noise() ) . ')';
	}

	/**
	 * Texts for a list in SQL.
	 *
	 * @param string[] $texts The texts.
	 * @return string
	 */
	private static function listed( array $texts ) {
		return "'" . implode( "','", array_map( 'esc_sql', $texts ) ) . "'";
	}
}
