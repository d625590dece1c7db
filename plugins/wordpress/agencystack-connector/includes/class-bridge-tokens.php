<?php
/**
 * Which creation of the bridge made which record, so that a lost answer never makes a second one.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * A token is written down before anything is made under it (record 0), and with the record it made afterwards. The
 * record holds it as well, from the first row on: so a creation that was killed in between is found again.
 */
final class Bridge_Tokens {

	/** Meta of posts, orders, terms and users. */
	const META = '_agencystack_token';

	/** Seconds for which tokens are kept here; the record keeps its own for ever. */
	const KEPT = 90 * DAY_IN_SECONDS;

	/**
	 * Whether a text is a token.
	 *
	 * @param mixed $token The text.
	 * @return bool
	 */
	public static function is_one( $token ) {
		return is_string( $token ) && 1 === preg_match( '/^[0-9a-f]{32}\z/', $token );
	}

	/**
	 * Write down that something is about to be made.
	 *
	 * @param string $token The token.
	 * @param string $kind  Of what.
	 */
	public static function intend( $token, $kind ) {
		global $wpdb;
		$table = Bridge_Tables::name( 'tokens' );
		$wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO `$table` (token, kind, record, at) VALUES (%s, %s, 0, %d)", $token, $kind, time() ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Write down what was made.
	 *
	 * @param string $token  The token.
	 * @param int    $record The record's id.
	 */
	public static function made( $token, $record ) {
		global $wpdb;
		$wpdb->update( Bridge_Tables::name( 'tokens' ), array( 'record' => (int) $record ), array( 'token' => $token ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * What is written down of a token.
	 *
	 * @param string $token The token.
	 * @return int|null Id of what it made; 0 where that is not known; null where nothing was ever begun under it.
	 */
	public static function state( $token ) {
		global $wpdb;
		$table  = Bridge_Tables::name( 'tokens' );
		$record = $wpdb->get_var( $wpdb->prepare( "SELECT record FROM `$table` WHERE token = %s", $token ) ); // phpcs:ignore WordPress.DB
		return null === $record ? null : (int) $record;
	}

	/**
	 * Records by token.
	 *
	 * @param string   $kind   Of what.
	 * @param string[] $tokens The tokens.
	 * @return int[] What made nothing is left out.
	 */
	public static function found( $kind, array $tokens ) {
		global $wpdb;
		$tokens = array_values( array_filter( $tokens, array( self::class, 'is_one' ) ) );
		if ( ! $tokens ) {
			return array();
		}
		$table = Bridge_Tables::name( 'tokens' );
		$known = array();
		foreach ( $wpdb->get_results( "SELECT token, record FROM `$table` WHERE token IN (" . self::quoted( $tokens ) . ')' ) as $row ) { // phpcs:ignore WordPress.DB
			$known[ $row->token ] = (int) $row->record;
		}
		$found   = array_filter( $known );
		$missing = array_diff( $tokens, array_keys( $found ) );
		return $found + ( $missing ? self::in_records( $kind, array_values( $missing ) ) : array() );
	}

	/**
	 * Tokens that records hold.
	 *
	 * @param string $kind    Of what.
	 * @param int[]  $records Their ids.
	 * @return string[] By id; a record that no creation of ours made is left out.
	 */
	public static function of( $kind, array $records ) {
		global $wpdb;
		if ( ! $records ) {
			return array();
		}
		list( $table, $id ) = self::place( $kind );
		$rows               = $wpdb->get_results( self::select( $table, $id, "`$id` IN (" . implode( ',', array_map( 'intval', $records ) ) . ')' ) ); // phpcs:ignore WordPress.DB
		return array_column( $rows, 'token', 'record' );
	}

	/** Forget tokens of long ago. */
	public static function sweep() {
		global $wpdb;
		$table = Bridge_Tables::name( 'tokens' );
		$wpdb->query( $wpdb->prepare( "DELETE FROM `$table` WHERE at < %d", time() - self::KEPT ) ); // phpcs:ignore WordPress.DB
	}

	/** Take the tokens out of all records of the current site: the plugin is deleted. */
	public static function remove_all() {
		global $wpdb;
		delete_metadata( 'post', 0, self::META, '', true );
		delete_metadata( 'term', 0, self::META, '', true );
		$orders = $wpdb->prefix . 'wc_orders_meta';
		if ( $orders === $wpdb->get_var( $wpdb->prepare( 'SHOW TABLES LIKE %s', $wpdb->esc_like( $orders ) ) ) ) { // phpcs:ignore WordPress.DB
			$wpdb->delete( $orders, array( 'meta_key' => self::META ) ); // phpcs:ignore WordPress.DB
		}
	}

	/**
	 * Look through what records hold; the oldest record counts where a copy holds the token too.
	 *
	 * @param string   $kind   Of what.
	 * @param string[] $tokens The tokens.
	 * @return int[]
	 */
	private static function in_records( $kind, array $tokens ) {
		global $wpdb;
		list( $table, $id ) = self::place( $kind );
		$value              = Bridge_Tables::name( 'submissions' ) === $table ? 'token' : 'meta_value';
		$rows               = $wpdb->get_results( self::select( $table, $id, "`$value` IN (" . self::quoted( $tokens ) . ')' ) . ' ORDER BY record DESC' ); // phpcs:ignore WordPress.DB
		$found              = array();
		foreach ( $rows as $row ) {
			if ( Bridge_Kinds::is_there( $kind, (int) $row->record ) ) {
				$found[ $row->token ] = (int) $row->record;
			}
		}
		return $found;
	}

	/**
	 * The question for tokens.
	 *
	 * @param string $table Where they are.
	 * @param string $id    Its column of ids.
	 * @param string $where Which ones.
	 * @return string
	 */
	private static function select( $table, $id, $where ) {
		if ( Bridge_Tables::name( 'submissions' ) === $table ) {
			return "SELECT id AS record, token FROM `$table` WHERE token <> '' AND $where";
		}
		return "SELECT `$id` AS record, meta_value AS token FROM `$table` WHERE meta_key = '" . self::META . "' AND $where";
	}

	/**
	 * Where records of a kind hold their token.
	 *
	 * @param string $kind The kind.
	 * @return string[] Table and column of ids.
	 */
	private static function place( $kind ) {
		global $wpdb;
		switch ( $kind ) {
			case 'customer':
				return array( $wpdb->usermeta, 'user_id' );
			case 'category':
				return array( $wpdb->termmeta, 'term_id' );
			case 'submission':
				return array( Bridge_Tables::name( 'submissions' ), 'id' );
			case 'order':
			case 'refund':
				if ( Bridge_Kinds::has_order_tables() ) {
					return array( $wpdb->prefix . 'wc_orders_meta', 'order_id' );
				}
				// Orders are posts here.
			default:
				return array( $wpdb->postmeta, 'post_id' );
		}
	}

	/**
	 * Tokens for a list in SQL; they are hex digits, is_one() made sure of that.
	 *
	 * @param string[] $tokens The tokens.
	 * @return string
	 */
	private static function quoted( array $tokens ) {
		return "'" . implode( "','", $tokens ) . "'";
	}
}
