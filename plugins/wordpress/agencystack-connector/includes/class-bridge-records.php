<?php
/**
 * Shows records as REST does, with what the bridge needs beside it.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Reads through REST's own controllers, inside this request, as the bridge's user. */
final class Bridge_Records {

	/** Pages of a search that are read at most. */
	const PAGES = 20;

	/**
	 * Records by id. What does not exist is left out; what is in the bin is not.
	 *
	 * @param string   $kind  The kind.
	 * @param int[]    $ids   Their ids.
	 * @param int|null $since Of products: tell what orders from this one on hold of them.
	 * @return array
	 */
	public static function read( $kind, array $ids, $since = null ) {
		$ids     = array_values( array_unique( array_filter( array_map( 'intval', $ids ) ) ) );
		$blocks  = self::blocks( $kind, $ids ); // Before the record: one that changes in between has an old version, and a write upon it answers "stale".
		$parents = Bridge_Kinds::parents( $kind, $ids );
		self::warm( $kind, $ids );
		$natives = array();
		foreach ( $ids as $id ) {
			$native = self::one( $kind, $id, isset( $parents[ $id ] ) ? $parents[ $id ] : 0 );
			if ( null !== $native ) {
				$natives[ $id ] = $native;
			}
		}
		return self::completed( $kind, $natives, $blocks, $parents, $since );
	}

	/**
	 * Records that a list of REST answers, all its pages.
	 *
	 * @param string $kind   The kind.
	 * @param array  $params Parameters of the list.
	 * @return array|\WP_Error
	 */
	public static function search( $kind, array $params ) {
		if ( 'submission' === $kind ) {
			return Bridge_Submissions::search( $params );
		}
		if ( self::are_people_without_shop( $kind ) ) {
			return self::with_blocks( $kind, Bridge_People::search( $params ) );
		}
		if ( 'order' === $kind && ! empty( $params['billing_email'] ) ) {
			return array_values( self::read( $kind, self::guests_orders( (string) $params['billing_email'] ) ) );
		}
		$found = array();
		for ( $page = 1; $page <= self::PAGES; $page++ ) {
			$request = new \WP_REST_Request( 'GET', Bridge_Kinds::route( $kind, isset( $params['parent'] ) && in_array( $kind, array( 'variation', 'refund' ), true ) ? (int) $params['parent'] : 0 ) );
			$request->set_query_params( array( 'context' => 'edit', 'per_page' => 100, 'page' => $page ) + Bridge_Kinds::fields( $kind ) + $params );
			$response = rest_do_request( $request );
			if ( $response->is_error() ) {
				return $response->as_error();
			}
			$found = array_merge( $found, $response->get_data() );
			$heads = $response->get_headers();
			if ( $page >= ( isset( $heads['X-WP-TotalPages'] ) ? (int) $heads['X-WP-TotalPages'] : 1 ) ) {
				break;
			}
		}
		return self::with_blocks( $kind, $found );
	}

	/**
	 * The first order somebody without an account placed from an address. REST looks for it in every address line.
	 *
	 * @param string $email The address.
	 * @return int[]
	 */
	private static function guests_orders( $email ) {
		return wc_get_orders(
			array(
				'type'          => 'shop_order',
				'billing_email' => $email,
				'customer_id'   => 0,
				'orderby'       => 'ID',
				'order'         => 'ASC',
				'limit'         => 1,
				'return'        => 'ids',
			)
		);
	}

	/**
	 * A record as REST shows it.
	 *
	 * @param string $kind   The kind.
	 * @param int    $id     Its id.
	 * @param int    $parent Its parent's.
	 * @return array|null
	 */
	private static function one( $kind, $id, $parent ) {
		if ( 'submission' === $kind ) {
			return Bridge_Submissions::read( $id );
		}
		if ( self::are_people_without_shop( $kind ) ) {
			return Bridge_People::read( $id );
		}
		if ( ! $parent && in_array( $kind, array( 'variation', 'refund' ), true ) ) {
			return null;
		}
		$request = new \WP_REST_Request( 'GET', Bridge_Kinds::route( $kind, $parent, $id ) );
		$request->set_query_params( array( 'context' => 'edit' ) + Bridge_Kinds::fields( $kind ) );
		$response = rest_do_request( $request );
		return $response->is_error() ? null : (array) $response->get_data();
	}

	/**
	 * Whether records are users of a site without WooCommerce.
	 *
	 * @param string $kind The kind.
	 * @return bool
	 */
	private static function are_people_without_shop( $kind ) {
		return 'customer' === $kind && ! class_exists( 'WooCommerce', false );
	}

	/**
	 * Read what all records need at once, not one after the other.
	 *
	 * @param string $kind The kind.
	 * @param int[]  $ids  Their ids.
	 */
	private static function warm( $kind, array $ids ) {
		if ( ! $ids ) {
			return;
		}
		if ( 'customer' === $kind ) {
			cache_users( $ids );
		} elseif ( in_array( $kind, array( 'product', 'variation', 'post', 'page' ), true ) ) {
			_prime_post_caches( $ids, true, true );
		}
	}

	/**
	 * Records with their blocks.
	 *
	 * @param string $kind    The kind.
	 * @param array  $natives As REST shows them.
	 * @return array
	 */
	private static function with_blocks( $kind, array $natives ) {
		$by_id = array_column( $natives, null, 'id' );
		$ids   = array_keys( $by_id );
		return array_values( self::completed( $kind, $by_id, self::blocks( $kind, $ids ), Bridge_Kinds::parents( $kind, $ids ), null ) );
	}

	/**
	 * What the bridge needs beside the records.
	 *
	 * @param string $kind The kind.
	 * @param int[]  $ids  Their ids.
	 * @return array By id.
	 */
	private static function blocks( $kind, array $ids ) {
		$rows    = Bridge_Digest::of( $kind, $ids );
		$tokens  = Bridge_Tokens::of( $kind, $ids );
		$writing = Bridge_Outbox::in_writing( $kind, $ids, Bridge_Marks::own() );
		$blocks  = array();
		foreach ( $ids as $id ) {
			$row           = isset( $rows[ $id ] ) ? $rows[ $id ] : '';
			$blocks[ $id ] = array(
				'version' => $row,
				'row'     => $row,
				'created' => '',
				'half'    => isset( $writing[ $id ] ),
				'token'   => isset( $tokens[ $id ] ) ? $tokens[ $id ] : '',
			);
		}
		return $blocks;
	}

	/**
	 * Put blocks beside records.
	 *
	 * @param string   $kind    The kind.
	 * @param array    $natives As REST shows them, by id.
	 * @param array    $blocks  What blocks() gave.
	 * @param int[]    $parents By id.
	 * @param int|null $since   First order whose holds are told.
	 * @return array
	 */
	private static function completed( $kind, array $natives, array $blocks, array $parents, $since ) {
		$held = null !== $since && in_array( $kind, array( 'product', 'variation' ), true ) ? Bridge_Stock::held( array_keys( $natives ), $since ) : null;
		foreach ( $natives as $id => $native ) {
			$block            = $blocks[ $id ];
			$block['created'] = self::created( $native );
			$block['half']    = $block['half'] || Bridge_Half::is_one( $kind, $native );
			if ( isset( $parents[ $id ] ) ) {
				$block['parent'] = (string) $parents[ $id ];
			}
			if ( null !== $held ) {
				$block['held'] = (object) ( isset( $held[ $id ] ) ? $held[ $id ] : array() );
			}
			if ( ! isset( $native['id'] ) ) {
				$native['id'] = $id;
			}
			$native['agencystack'] = $block;
			$natives[ $id ]        = $native;
		}
		return $natives;
	}

	/**
	 * When a record was made: another time under the same id is another record.
	 *
	 * @param array $native As REST shows it.
	 * @return string
	 */
	private static function created( array $native ) {
		foreach ( array( 'date_created_gmt', 'date_gmt' ) as $key ) {
			if ( ! empty( $native[ $key ] ) ) {
				return (string) $native[ $key ];
			}
		}
		return '';
	}
}
