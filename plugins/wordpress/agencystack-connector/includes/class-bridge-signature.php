<?php
/**
 * Signed calls between this site and its bridge: HMAC over what is asked, when, and a nonce that counts once.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Signs and checks; the same bytes as the bridge's own `agencystack.bridge.signing`. */
final class Bridge_Signature {

	/** Seconds a call may be old, or ahead. */
	const WINDOW = 300;

	/**
	 * Headers that sign a POST.
	 *
	 * @param string $id     Of the key.
	 * @param string $secret Of the key.
	 * @param string $route  What is called, as both sides name it.
	 * @param string $body   As it is sent.
	 * @return array
	 */
	public static function headers( $id, $secret, $route, $body ) {
		$time  = (string) time();
		$nonce = bin2hex( random_bytes( 16 ) );
		return array(
			'X-AgencyStack-Key'       => $id,
			'X-AgencyStack-Time'      => $time,
			'X-AgencyStack-Nonce'     => $nonce,
			'X-AgencyStack-Signature' => self::of( $secret, $route, $body, $time, $nonce ),
		);
	}

	/**
	 * Why a call is not to be answered.
	 *
	 * @param string   $route  What is called.
	 * @param string   $body   As it arrived.
	 * @param callable $header Gives a header by its name in lower case with underscores, or null.
	 * @return \WP_Error|null Null where it is signed as it must be. The nonce is remembered then.
	 */
	public static function refusal( $route, $body, $header ) {
		$time   = (string) $header( 'x_agencystack_time' );
		$nonce  = (string) $header( 'x_agencystack_nonce' );
		$secret = Bridge_Settings::secret( (string) $header( 'x_agencystack_key' ) );
		if ( null === $secret ) {
			return self::unsigned( 'no key of that id' );
		}
		if ( 1 !== preg_match( '/^[0-9]{1,12}\z/', $time ) || abs( time() - (int) $time ) > self::WINDOW ) {
			return self::unsigned( 'its time is more than 300 s from ours: are both clocks right?' );
		}
		if ( 1 !== preg_match( '/^[0-9A-Za-z]{32}\z/', $nonce ) ) {
			return self::unsigned( 'its nonce has not 32 letters and digits' );
		}
		if ( ! hash_equals( self::of( $secret, $route, $body, $time, $nonce ), (string) $header( 'x_agencystack_signature' ) ) ) {
			return self::unsigned( 'the signature does not match' );
		}
		return self::first_time( $nonce );
	}

	/** Forget nonces that no call can use any more. */
	public static function sweep() {
		global $wpdb;
		$table = Bridge_Tables::name( 'nonces' );
		$wpdb->query( $wpdb->prepare( "DELETE FROM `$table` WHERE at < %d", time() - 2 * self::WINDOW ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * The signature of a call, in hex.
	 *
	 * @param string $secret Of the key.
	 * @param string $route  What is called.
	 * @param string $body   The body.
	 * @param string $time   Seconds since 1970.
	 * @param string $nonce  The nonce.
	 * @return string
	 */
	public static function of( $secret, $route, $body, $time, $nonce ) {
		return hash_hmac( 'sha256', implode( "\n", array( $route, $time, $nonce, hash( 'sha256', $body ) ) ), $secret );
	}

	/**
	 * Remember a nonce. The primary key decides between two calls that come at once.
	 *
	 * @param string $nonce The nonce.
	 * @return \WP_Error|null Null where it never came before.
	 */
	private static function first_time( $nonce ) {
		global $wpdb;
		$table  = Bridge_Tables::name( 'nonces' );
		$before = $wpdb->suppress_errors();
		$fresh  = $wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO `$table` (nonce, at) VALUES (%s, %d)", strtolower( $nonce ), time() ) ); // phpcs:ignore WordPress.DB
		$wpdb->suppress_errors( $before );
		if ( false === $fresh ) {
			return new \WP_Error( 'agencystack_unwell', 'the table of nonces cannot be written: deactivate and activate the plugin', array( 'status' => 503 ) );
		}
		if ( 0 === wp_rand( 0, 99 ) ) {
			self::sweep();
		}
		return 1 === $fresh ? null : new \WP_Error( 'agencystack_replayed', 'it came before', array( 'status' => 401 ) );
	}

	/**
	 * A refusal.
	 *
	 * @param string $why What is wrong.
	 * @return \WP_Error
	 */
	private static function unsigned( $why ) {
		return new \WP_Error( 'agencystack_unsigned', $why, array( 'status' => 401 ) );
	}
}
