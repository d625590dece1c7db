<?php
/**
 * Remembers the last mail that could not be handed over, until one could be.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** WordPress forgets a failure with the request it happened in; nobody learns of it. */
final class Mail_Failures {

	const OPTION = 'agencystack_connector_mail_failed';

	/** Seconds after which a failure says nothing any more: WordPress before 5.9 tells of no success. */
	const LIFETIME = DAY_IN_SECONDS;

	/** Seconds between two notes of a storm of failures. */
	const PAUSE = 5;

	/** Hook in. */
	public function hook() {
		add_action( 'wp_mail_failed', array( $this, 'note' ) );
		add_action( 'wp_mail_succeeded', array( $this, 'forget' ) );
	}

	/**
	 * Keep when and why; not to whom, and not what.
	 *
	 * @param \WP_Error $error As wp_mail() gives it.
	 */
	public function note( $error ) {
		$last = self::last();
		if ( null !== $last && abs( time() - $last['at'] ) < self::PAUSE ) {
			return;
		}
		$words = wp_strip_all_tags( is_wp_error( $error ) ? $error->get_error_message() : '' );
		$words = preg_replace( '/[^\s<>"\']+@[^\s<>"\',;:]+/u', '(address)', $words );
		$words = substr( wp_check_invalid_utf8( (string) $words, true ), 0, 200 );
		update_option( self::OPTION, array( 'at' => time(), 'reason' => $words ), false );
	}

	/** Mail leaves again. */
	public function forget() {
		if ( null !== self::last() ) {
			delete_option( self::OPTION );
		}
	}

	/**
	 * The failure nothing has followed yet.
	 *
	 * @return array|null `at`, seconds since 1970, and `reason`.
	 */
	public static function last() {
		$kept = get_option( self::OPTION );
		return is_array( $kept ) && isset( $kept['at'], $kept['reason'] ) ? $kept : null;
	}

	/**
	 * Whether a failure still says something about now.
	 *
	 * @param array $failure As of last().
	 * @return bool
	 */
	public static function counts( array $failure ) {
		return time() - $failure['at'] < self::LIFETIME;
	}
}
