<?php
/**
 * Sees what changes in WordPress itself: people, posts, pages, and the meta and terms of whatever is a post.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Marks records, by the hooks that were seen to fire (WooCommerce's own are in Bridge_Capture_Shop).
 *
 * WooCommerce's REST interface writes posts without save_post, other plugins write meta without anything else: so meta
 * and terms are watched as well.
 */
final class Bridge_Capture {

	/** Entity by type of post. */
	const POSTS = array(
		'post'              => 'post',
		'page'              => 'page',
		'product'           => 'product',
		'product_variation' => 'variation',
		'shop_order'        => 'order',
		'shop_order_refund' => 'refund',
	);

	/** Meta that says nothing about a record: counters, locks and caches. */
	const NOISE = array( '_edit_lock', '_edit_last', '_pingme', '_encloseme', '_wp_old_slug', '_wp_old_date', '_wp_trash_meta_time', '_wp_trash_meta_comments_status', 'total_sales', '_wc_average_rating', '_wc_rating_count', '_wc_review_count', '_product_version', '_new_order_email_sent', '_download_permissions_granted', '_recorded_sales', '_recorded_coupon_usage_counts', '_order_stock_reduced' );

	/** Meta of users that is kept in step, beside all of billing and shipping. */
	const PEOPLE = array( 'first_name', 'last_name', 'description', 'nickname' );

	/** Hook in; before everybody else: the sooner a mark stands, the less a killed request can hide. */
	public function hook() {
		add_filter( 'wp_pre_insert_user_data', array( $this, 'before_user' ), PHP_INT_MIN, 3 );
		foreach ( array( 'user_register', 'profile_update', 'set_user_role', 'add_user_role', 'remove_user_role', 'deleted_user', 'wpmu_delete_user', 'add_user_to_blog', 'remove_user_from_blog', 'after_password_reset' ) as $hook ) {
			add_action( $hook, array( $this, 'user' ), PHP_INT_MIN );
		}
		add_action( 'delete_user', array( $this, 'before_deleted_user' ), PHP_INT_MIN );
		foreach ( array( 'pre_post_update', 'wp_trash_post', 'before_delete_post' ) as $hook ) {
			add_action( $hook, array( $this, 'before_post' ), PHP_INT_MIN );
		}
		foreach ( array( 'save_post', 'wp_after_insert_post', 'trashed_post', 'untrashed_post', 'set_object_terms' ) as $hook ) {
			add_action( $hook, array( $this, 'post' ), PHP_INT_MIN );
		}
		add_action( 'deleted_post', array( $this, 'deleted_post' ), PHP_INT_MIN, 2 );
		foreach ( array( 'post', 'user' ) as $type ) {
			add_action( "update_{$type}_meta", array( $this, "before_{$type}_meta" ), PHP_INT_MIN, 3 );
			add_action( "delete_{$type}_meta", array( $this, "before_{$type}_meta" ), PHP_INT_MIN, 3 );
			foreach ( array( 'added', 'updated', 'deleted' ) as $done ) {
				add_action( "{$done}_{$type}_meta", array( $this, "{$type}_meta" ), PHP_INT_MIN, 3 );
			}
		}
	}

	/**
	 * Whether meta of a post or an order belongs to the record.
	 *
	 * @param string $key Meta key.
	 * @return bool
	 */
	public static function counts( $key ) {
		return ! in_array( $key, self::noise(), true );
	}

	/**
	 * Meta keys that say nothing about a record.
	 *
	 * @return string[]
	 */
	public static function noise() {
		static $noise = null;
		if ( null === $noise ) {
			/**
			 * Meta keys whose changes are no changes of the record: a counter that another plugin keeps with each visit.
			 *
			 * @param string[] $keys Meta keys.
			 */
			$noise = array_values( array_filter( (array) apply_filters( 'agencystack_bridge_ignored_meta', self::NOISE ), 'is_string' ) );
		}
		return $noise;
	}

	/**
	 * Whether meta of a user belongs to the record.
	 *
	 * @param string $key Meta key.
	 * @return bool
	 */
	public static function counts_for_people( $key ) {
		global $wpdb;
		return 0 === strpos( $key, 'billing_' ) || 0 === strpos( $key, 'shipping_' ) || in_array( $key, self::PEOPLE, true )
			|| $wpdb->prefix . 'capabilities' === $key || in_array( $key, (array) Bridge_Settings::get( 'meta', array() ), true );
	}

	/**
	 * A user is about to be written.
	 *
	 * @param array    $data   Columns.
	 * @param bool     $update Whether the user is there.
	 * @param int|null $id     The user's id, if so.
	 * @return array
	 */
	public function before_user( $data, $update = false, $id = null ) {
		if ( $update && $id ) {
			self::everywhere( array( Bridge_Marks::class, 'begin' ), (int) $id );
		}
		return $data;
	}

	/**
	 * A user was written.
	 *
	 * @param int $id The user's.
	 */
	public function user( $id ) {
		if ( is_numeric( $id ) ) {
			self::everywhere( array( Bridge_Marks::class, 'changed' ), (int) $id );
		}
	}

	/**
	 * A user is about to go.
	 *
	 * @param int $id The user's.
	 */
	public function before_deleted_user( $id ) {
		self::everywhere( array( Bridge_Marks::class, 'begin' ), (int) $id );
	}

	/**
	 * Meta of a user is about to be written.
	 *
	 * @param int|int[] $meta Ids of the rows.
	 * @param int       $id   The user's.
	 * @param string    $key  Meta key.
	 */
	public function before_user_meta( $meta, $id, $key ) {
		if ( self::counts_for_people( (string) $key ) ) {
			self::everywhere( array( Bridge_Marks::class, 'begin' ), (int) $id );
		}
	}

	/**
	 * Meta of a user was written.
	 *
	 * @param int|int[] $meta Ids of the rows.
	 * @param int       $id   The user's.
	 * @param string    $key  Meta key.
	 */
	public function user_meta( $meta, $id, $key ) {
		if ( self::counts_for_people( (string) $key ) ) {
			$this->user( $id );
		}
	}

	/**
	 * A post is about to be written.
	 *
	 * @param int $id The post's.
	 */
	public function before_post( $id ) {
		$entity = self::entity( $id );
		if ( null !== $entity ) {
			Bridge_Marks::begin( $entity, $id );
		}
	}

	/**
	 * A post was written.
	 *
	 * @param int $id The post's; of set_object_terms also the id of something else, which then is no post of these types.
	 */
	public function post( $id ) {
		$entity = self::entity( $id );
		if ( null !== $entity ) {
			Bridge_Marks::changed( $entity, $id );
		}
	}

	/**
	 * A post is gone.
	 *
	 * @param int           $id   The post's.
	 * @param \WP_Post|null $post What it was.
	 */
	public function deleted_post( $id, $post = null ) {
		$type = $post instanceof \WP_Post ? $post->post_type : '';
		if ( isset( self::POSTS[ $type ] ) ) {
			Bridge_Marks::changed( self::POSTS[ $type ], $id );
			if ( 'product_variation' === $type ) {
				Bridge_Marks::changed( 'product', $post->post_parent );
			}
		}
	}

	/**
	 * Meta of a post is about to be written.
	 *
	 * @param int|int[] $meta Ids of the rows.
	 * @param int       $id   The post's.
	 * @param string    $key  Meta key.
	 */
	public function before_post_meta( $meta, $id, $key ) {
		if ( self::counts( (string) $key ) ) {
			$this->before_post( $id );
		}
	}

	/**
	 * Meta of a post was written.
	 *
	 * @param int|int[] $meta Ids of the rows.
	 * @param int       $id   The post's.
	 * @param string    $key  Meta key.
	 */
	public function post_meta( $meta, $id, $key ) {
		if ( self::counts( (string) $key ) ) {
			$this->post( $id );
		}
	}

	/**
	 * The entity a post is a record of.
	 *
	 * @param int $id The post's.
	 * @return string|null Null for revisions, menus, drafts nobody saved yet, and whatever else is kept as a post.
	 */
	private static function entity( $id ) {
		if ( ! Bridge_Settings::configured() ) {
			return null;
		}
		$post = get_post( $id );
		if ( ! $post || 'auto-draft' === $post->post_status || 'wc-checkout-draft' === $post->post_status ) {
			return null;
		}
		return isset( self::POSTS[ $post->post_type ] ) ? self::POSTS[ $post->post_type ] : null;
	}

	/**
	 * Tell every site of a network that knows a person: people belong to all of them.
	 *
	 * @param callable $told begin() or changed() of Bridge_Marks.
	 * @param int      $id   The user's.
	 */
	private static function everywhere( $told, $id ) {
		$told( 'customer', $id );
		if ( ! is_multisite() ) {
			return;
		}
		foreach ( get_blogs_of_user( $id ) as $site ) {
			if ( get_current_blog_id() !== (int) $site->userblog_id ) {
				switch_to_blog( $site->userblog_id );
				$told( 'customer', $id );
				restore_current_blog();
			}
		}
	}
}
