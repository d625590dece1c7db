<?php
/**
 * Tells the bridge that there is something to look at, after the visitor has been answered.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** A hint is only "look again": one that is lost costs time, nothing else. */
final class Bridge_Hint {

	/** When the last hint was sent, or the next one will be, in milliseconds since 1970. */
	const OPTION = 'agencystack_bridge_hint';

	/** Of WP-Cron: a hint that could not be sent at once. */
	const EVENT = 'agencystack_bridge_hint';

	/** Milliseconds between two hints. */
	const PAUSE = 1000;

	/** Milliseconds for which a bridge that did not answer is left alone. */
	const DOWN = 30000;

	/** Seconds for which a hint may wait for its answer. */
	const PATIENCE = 1;

	/** Hook in. */
	public function hook() {
		add_action( self::EVENT, array( self::class, 'send' ) );
	}

	/** Have one sent by WP-Cron. */
	public static function due() {
		if ( Bridge_Settings::configured() && ! wp_next_scheduled( self::EVENT ) ) {
			wp_schedule_single_event( time(), self::EVENT );
		}
	}

	/** Send one, if it is time; what the visitor asked for has been answered before. */
	public static function send() {
		if ( ! Bridge_Settings::configured() || '' === (string) Bridge_Settings::get( 'hook' ) ) {
			return;
		}
		$now = (int) ( microtime( true ) * 1000 );
		if ( self::claim( $now, $now - self::PAUSE ) ) {
			self::answer_visitor();
			self::post();
		} elseif ( self::answer_visitor() ) {
			// One request waits and tells of all that changed meanwhile; the visitor's browser is done with it.
			$slot = self::claim_next( $now );
			if ( $slot ) {
				usleep( 1000 * max( 0, min( self::PAUSE, $slot - $now ) ) );
				self::post();
			}
		} else {
			self::due();
		}
	}

	/**
	 * Let the visitor go, where PHP can.
	 *
	 * @return bool Whether nobody waits for this process any more.
	 */
	private static function answer_visitor() {
		if ( 'cli' === PHP_SAPI || wp_doing_cron() ) {
			return true;
		}
		foreach ( array( 'fastcgi_finish_request', 'litespeed_finish_request' ) as $finish ) {
			if ( function_exists( $finish ) ) {
				$finish();
				return true;
			}
		}
		return false;
	}

	/**
	 * Be the one who sends now.
	 *
	 * @param int $now   Milliseconds since 1970.
	 * @param int $until The last one must have been sent by then.
	 * @return bool
	 */
	private static function claim( $now, $until ) {
		return 1 === self::changed( 'option_value = %d', 'CAST(option_value AS UNSIGNED) <= %d', $now, $until );
	}

	/**
	 * Be the one who sends the next one.
	 *
	 * @param int $now Milliseconds since 1970.
	 * @return int When; 0 where somebody else waits already.
	 */
	private static function claim_next( $now ) {
		global $wpdb;
		$last = (int) $wpdb->get_var( $wpdb->prepare( "SELECT option_value FROM $wpdb->options WHERE option_name = %s", self::OPTION ) ); // phpcs:ignore WordPress.DB
		if ( $last > $now ) {
			return 0;
		}
		return 1 === self::changed( 'option_value = %d', 'option_value = %d', $last + self::PAUSE, $last ) ? $last + self::PAUSE : 0;
	}

	/**
	 * Change the time of the last hint, past WordPress's cache: two requests decide here who sends.
	 *
	 * @param string $set   What to set, with one number.
	 * @param string $where Under which condition, with one number.
	 * @param int    $value The first number.
	 * @param int    $limit The second.
	 * @return int How many rows were changed.
	 */
	private static function changed( $set, $where, $value, $limit ) {
		global $wpdb;
		$before = $wpdb->suppress_errors();
		// phpcs:disable WordPress.DB
		$rows = $wpdb->query( $wpdb->prepare( "UPDATE $wpdb->options SET $set WHERE option_name = %s AND $where", $value, self::OPTION, $limit ) );
		if ( 0 === $rows ) {
			$rows = $wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO $wpdb->options (option_name, option_value, autoload) VALUES (%s, %s, 'no')", self::OPTION, (string) $value ) );
		}
		// phpcs:enable
		$wpdb->suppress_errors( $before );
		return (int) $rows;
	}

	/** Call the bridge. */
	private static function post() {
		$keys   = (array) Bridge_Settings::get( 'keys', array() );
		$key    = reset( $keys );
		$secret = $key ? Bridge_Settings::secret( $key['id'] ) : null;
		if ( null === $secret ) {
			return;
		}
		$body     = (string) wp_json_encode( array( 'epoch' => Bridge_Outbox::epoch() ) );
		$route    = 'hooks/' . Bridge_Settings::get( 'pairing' ) . '/wordpress';
		$response = wp_remote_post(
			Bridge_Settings::get( 'hook' ),
			self::trust() + array(
				'body'                => $body,
				'timeout'             => self::PATIENCE,
				'redirection'         => 0,
				'limit_response_size' => 1024,
				'headers'             => Bridge_Signature::headers( $key['id'], $secret, $route, $body ) + array( 'Content-Type' => 'application/json' ),
			)
		);
		if ( is_wp_error( $response ) ) {
			self::changed( 'option_value = %d', 'CAST(option_value AS UNSIGNED) > %d', (int) ( microtime( true ) * 1000 ) + self::DOWN, 0 );
		}
	}

	/**
	 * Whom to trust.
	 *
	 * @return array Arguments of wp_remote_post().
	 */
	private static function trust() {
		$pem = (string) Bridge_Settings::get( 'ca' );
		if ( '' === $pem ) {
			return array( 'sslverify' => true );
		}
		$file = Authority::file( $pem );
		// A file that cannot be written is still named: the request fails rather than trust somebody else.
		return array( 'sslverify' => true, 'sslcertificates' => null === $file ? Authority::folder() . '/missing.pem' : $file );
	}
}
