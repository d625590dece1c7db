<?php
/**
 * Tells a person, and the site's log, why somebody was not let in.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** A refused login. */
final class Oidc_Refusal {

	/**
	 * Write it to PHP's log; messages hold no token and no secret.
	 *
	 * @param \WP_Error $error Why.
	 */
	public static function note( $error ) {
		$line = 'AgencyStack: login refused (' . $error->get_error_code() . '): ' . $error->get_error_message();
		error_log( preg_replace( '/[\x00-\x1f\x7f]+/', ' ', $line ) ); // phpcs:ignore WordPress.PHP.DevelopmentFunctions -- for the site's owner.
	}

	/**
	 * Show it and end the request.
	 *
	 * @param \WP_Error $error Why.
	 */
	public static function show( $error ) {
		self::note( $error );
		wp_die(
			'<p>You could not be logged in: ' . esc_html( $error->get_error_message() ) . '.</p>',
			'Login refused',
			array(
				'response'  => 403,
				'link_url'  => esc_url( wp_login_url() ),
				'link_text' => 'To the login page',
			)
		);
	}
}
