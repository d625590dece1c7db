<?php
/**
 * No write of the bridge causes a mail to a person, unless it was asked for.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Takes every mail of a signed call, whoever sends it; senders are told that it went out, so that they go on. */
final class Bridge_Quiet {

	/**
	 * Whether mails may go out.
	 *
	 * @var bool
	 */
	private static $loud = true;

	/** Hook in. */
	public function hook() {
		add_filter( 'pre_wp_mail', array( $this, 'mail' ), PHP_INT_MAX );
		// A mail that WooCommerce puts off is sent by another request, which nobody told to be quiet.
		if ( isset( $_SERVER['HTTP_X_AGENCYSTACK_KEY'] ) ) {
			add_filter( 'woocommerce_defer_transactional_emails', '__return_false', PHP_INT_MAX );
		}
	}

	/**
	 * From now on.
	 *
	 * @param bool $loud Whether mails may go out.
	 */
	public static function set( $loud ) {
		self::$loud = $loud;
	}

	/**
	 * Take a mail.
	 *
	 * @param bool|null $result What others decided.
	 * @return bool|null
	 */
	public function mail( $result ) {
		return Bridge_User::acting() && ! self::$loud ? true : $result;
	}
}
