<?php
/**
 * Makes, changes and removes single records through REST's own controllers, inside this request.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Each method gives the record's id, or what WordPress has against it. */
final class Bridge_Writer {

	/**
	 * Make a record that holds its token from its first row on.
	 *
	 * @param string $kind   Of what.
	 * @param int    $parent Id of the parent, or 0.
	 * @param array  $values As REST is sent them.
	 * @param string $token  The token.
	 * @return int|\WP_Error
	 */
	public static function create( $kind, $parent, array $values, $token ) {
		if ( 'submission' === $kind ) {
			return new \WP_Error( 'agencystack_read_only', 'submissions are made by forms alone', array( 'status' => 400 ) );
		}
		if ( in_array( $kind, array( 'variation', 'refund' ), true ) && $parent < 1 ) {
			return new \WP_Error( 'agencystack_no_parent', "a $kind needs its parent", array( 'status' => 400 ) );
		}
		$forget = self::mark_with( $kind, $token );
		try {
			if ( self::is_person_without_shop( $kind ) ) {
				return Bridge_People::write( 0, $values );
			}
			return self::sent( 'POST', Bridge_Kinds::route( $kind, $parent ), self::prepared( $kind, $values, $token ) );
		} finally {
			$forget();
		}
	}

	/**
	 * Change a record.
	 *
	 * @param string     $kind       Of what.
	 * @param int        $parent     Id of the parent, or 0.
	 * @param int        $id         Its id.
	 * @param array      $values     As REST is sent them.
	 * @param float|null $difference What is added to the stock of a product.
	 * @return int|\WP_Error
	 */
	public static function update( $kind, $parent, $id, array $values, $difference = null ) {
		if ( 'submission' === $kind ) {
			$done = Bridge_Submissions::write( $id, $values );
			return is_wp_error( $done ) ? $done : $id;
		}
		if ( 'refund' === $kind ) {
			return new \WP_Error( 'agencystack_read_only', 'a refund cannot be changed', array( 'status' => 400 ) );
		}
		if ( self::is_person_without_shop( $kind ) ) {
			return Bridge_People::write( $id, $values );
		}
		if ( $values || null === $difference ) {
			$done = self::sent( 'PUT', Bridge_Kinds::route( $kind, $parent, $id ), $values );
			if ( is_wp_error( $done ) ) {
				return $done;
			}
		}
		if ( null !== $difference ) {
			Bridge_Stock::move( $id, $difference );
		}
		return $id;
	}

	/**
	 * Put a record into the bin, or remove it for good.
	 *
	 * @param string $kind   Of what.
	 * @param int    $parent Id of the parent, or 0.
	 * @param int    $id     Its id.
	 * @param bool   $force  For good.
	 * @return int|\WP_Error
	 */
	public static function remove( $kind, $parent, $id, $force ) {
		if ( ! $force && in_array( $kind, array( 'customer', 'category', 'refund' ), true ) ) {
			return new \WP_Error( 'agencystack_no_bin', "WordPress has no bin for a $kind", array( 'status' => 400 ) );
		}
		if ( 'submission' === $kind ) {
			return self::remove_submission( $id, $force );
		}
		if ( self::is_person_without_shop( $kind ) ) {
			require_once ABSPATH . 'wp-admin/includes/user.php';
			return ( is_multisite() ? remove_user_from_blog( $id ) : wp_delete_user( $id ) ) ? $id : new \WP_Error( 'agencystack_not_deleted', 'WordPress did not delete the user', array( 'status' => 400 ) );
		}
		$done = self::sent( 'DELETE', Bridge_Kinds::route( $kind, $parent, $id ), $force ? array( 'force' => true ) : array() );
		return is_wp_error( $done ) && 410 === self::status( $done ) ? $id : $done;
	}

	/**
	 * Status of an error.
	 *
	 * @param \WP_Error $error The error.
	 * @return int
	 */
	public static function status( $error ) {
		$data = $error->get_error_data();
		return is_array( $data ) && isset( $data['status'] ) ? (int) $data['status'] : 500;
	}

	/**
	 * What REST is sent for a new record.
	 *
	 * @param string $kind   Of what.
	 * @param array  $values As the bridge wants them.
	 * @param string $token  The token.
	 * @return array
	 */
	private static function prepared( $kind, array $values, $token ) {
		if ( 'order' === $kind ) { // Stored with the order's row; the others have their hooks in mark_with().
			$values['meta_data']   = isset( $values['meta_data'] ) ? (array) $values['meta_data'] : array();
			$values['meta_data'][] = array( 'key' => Bridge_Tokens::META, 'value' => $token );
		}
		if ( 'customer' === $kind && empty( $values['password'] ) ) {
			$values['password'] = wp_generate_password( 32 );
		}
		if ( 'customer' === $kind && empty( $values['username'] ) && ! empty( $values['email'] ) && is_email( $values['email'] ) && function_exists( 'wc_create_new_customer_username' ) ) {
			$values['username'] = wc_create_new_customer_username( $values['email'] ); // Shops may be set to ask their customers for one.
		}
		if ( 'refund' === $kind ) {
			// REST's own defaults pay money back at the gateway, and give stock back.
			$values = array( 'api_refund' => false ) + $values + array( 'api_restock' => false );
		}
		return $values;
	}

	/**
	 * Have the next record of a kind hold a token, at the first chance WordPress gives.
	 *
	 * @param string $kind  Of what.
	 * @param string $token The token.
	 * @return callable Takes the hooks away again.
	 */
	private static function mark_with( $kind, $token ) {
		$used  = false;
		$posts = static function ( $post ) use ( $token ) {
			$post               = (array) $post;
			$post['meta_input'] = array( Bridge_Tokens::META => $token ) + ( isset( $post['meta_input'] ) ? $post['meta_input'] : array() );
			return $post;
		};
		$once  = static function ( $type ) use ( $token, &$used ) {
			return static function ( $id ) use ( $type, $token, &$used ) {
				if ( ! $used ) {
					$used = true;
					update_metadata( $type, $id, Bridge_Tokens::META, $token );
				}
			};
		};
		$hooks = array(
			'product'   => array( 'woocommerce_new_product_data', $posts ),
			'variation' => array( 'woocommerce_new_product_variation_data', $posts ),
			'post'      => array( 'rest_pre_insert_post', static function ( $post ) use ( $posts ) { return (object) $posts( $post ); } ),
			'page'      => array( 'rest_pre_insert_page', static function ( $post ) use ( $posts ) { return (object) $posts( $post ); } ),
			'category'  => array( 'created_term', $once( 'term' ) ),
			'customer'  => array( 'user_register', $once( 'user' ) ),
			'refund'    => array( 'woocommerce_before_order_refund_object_save', static function ( $refund ) use ( $token ) { $refund->update_meta_data( Bridge_Tokens::META, $token ); } ),
		);
		if ( ! isset( $hooks[ $kind ] ) ) {
			return static function () {};
		}
		list( $hook, $callback ) = $hooks[ $kind ];
		add_filter( $hook, $callback, PHP_INT_MIN );
		return static function () use ( $hook, $callback ) {
			remove_filter( $hook, $callback, PHP_INT_MIN );
		};
	}

	/**
	 * Ask REST, inside this request.
	 *
	 * @param string $method HTTP method.
	 * @param string $route  The route.
	 * @param array  $values The body.
	 * @return int|\WP_Error Id of the record.
	 */
	private static function sent( $method, $route, array $values ) {
		$request = new \WP_REST_Request( $method, $route );
		if ( 'DELETE' === $method ) {
			$request->set_query_params( $values );
		} else {
			$request->set_header( 'Content-Type', 'application/json' );
			$request->set_query_params( array( '_fields' => 'id' ) ); // The record is read anew, when all has been written.
			$request->set_body( (string) wp_json_encode( (object) $values ) );
		}
		$response = rest_do_request( $request );
		if ( $response->is_error() ) {
			return $response->as_error();
		}
		$data = $response->get_data();
		$id   = isset( $data['id'] ) ? $data['id'] : ( isset( $data['previous']['id'] ) ? $data['previous']['id'] : 0 );
		return (int) $id;
	}

	/**
	 * Remove a submission.
	 *
	 * @param int  $id    Its id.
	 * @param bool $force For good.
	 * @return int|\WP_Error
	 */
	private static function remove_submission( $id, $force ) {
		if ( $force ) {
			Bridge_Submissions::remove( array( $id ) );
			return $id;
		}
		$done = Bridge_Submissions::write( $id, array( 'status' => 'trash' ) );
		return is_wp_error( $done ) ? $done : $id;
	}

	/**
	 * Whether a record is a user of a site without WooCommerce.
	 *
	 * @param string $kind Of what.
	 * @return bool
	 */
	private static function is_person_without_shop( $kind ) {
		return 'customer' === $kind && ! class_exists( 'WooCommerce', false );
	}
}
