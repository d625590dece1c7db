<?php
/**
 * Plugin Name: WP Mail SMTP (test double)
 * Description: Not WP Mail SMTP: the option, constants, classes and hooks of it that AgencyStack uses, for tests where the real plugin cannot be had.
 * Version:     4.8.0
 *
 * Behaviour from facts/wordpress.md, "WP Mail SMTP 4.8".
 *
 * @package AgencyStack\Tests
 */

namespace WPMailSMTP\Helpers {

	/** Encrypts with libsodium; what cannot be decrypted is returned as it is. */
	class Crypto {

		/** The key, made on first use. */
		private static function key() {
			if ( defined( 'WPMS_CRYPTO_KEY' ) ) {
				return WPMS_CRYPTO_KEY;
			}
			if ( ! get_option( 'wp_mail_smtp_mail_key' ) ) {
				add_option( 'wp_mail_smtp_mail_key', base64_encode( sodium_crypto_secretbox_keygen() ) );
			}
			return base64_decode( get_option( 'wp_mail_smtp_mail_key' ) );
		}

		/** Encrypt. */
		public static function encrypt( $message ) {
			$nonce = random_bytes( SODIUM_CRYPTO_SECRETBOX_NONCEBYTES );
			return base64_encode( $nonce . sodium_crypto_secretbox( $message, $nonce, self::key() ) );
		}

		/** Decrypt, or give back what was given. */
		public static function decrypt( $encrypted ) {
			$bytes = base64_decode( $encrypted );
			if ( strlen( $bytes ) < SODIUM_CRYPTO_SECRETBOX_NONCEBYTES + SODIUM_CRYPTO_SECRETBOX_MACBYTES ) {
				return $encrypted;
			}
			$nonce   = substr( $bytes, 0, SODIUM_CRYPTO_SECRETBOX_NONCEBYTES );
			$message = sodium_crypto_secretbox_open( substr( $bytes, SODIUM_CRYPTO_SECRETBOX_NONCEBYTES ), $nonce, self::key() );
			return false === $message ? $encrypted : $message;
		}
	}
}

namespace WPMailSMTP {

	/** Effective values: constants where WPMS_ON is true, else the option without its slashes. */
	class Options {

		const CONSTANTS = array(
			'mail.from_email'       => 'WPMS_MAIL_FROM',
			'mail.from_name'        => 'WPMS_MAIL_FROM_NAME',
			'mail.from_email_force' => 'WPMS_MAIL_FROM_FORCE',
			'mail.from_name_force'  => 'WPMS_MAIL_FROM_NAME_FORCE',
			'mail.return_path'      => 'WPMS_SET_RETURN_PATH',
			'mail.mailer'           => 'WPMS_MAILER',
			'smtp.host'             => 'WPMS_SMTP_HOST',
			'smtp.port'             => 'WPMS_SMTP_PORT',
			'smtp.encryption'       => 'WPMS_SSL',
			'smtp.auth'             => 'WPMS_SMTP_AUTH',
			'smtp.autotls'          => 'WPMS_SMTP_AUTOTLS',
			'smtp.user'             => 'WPMS_SMTP_USER',
			'smtp.pass'             => 'WPMS_SMTP_PASS',
		);

		/** One value. */
		public static function get( $group, $key ) {
			$constant = self::CONSTANTS[ "$group.$key" ];
			$empty_ok = in_array( $key, array( 'encryption', 'auth', 'autotls' ), true );
			if ( defined( 'WPMS_ON' ) && true === WPMS_ON && defined( $constant ) && ( $empty_ok || constant( $constant ) ) ) {
				return 'WPMS_SSL' === $constant && '' === WPMS_SSL ? 'none' : constant( $constant );
			}
			$option = get_option( 'wp_mail_smtp', array() );
			$value  = isset( $option[ $group ][ $key ] ) ? $option[ $group ][ $key ] : '';
			$value  = 'pass' === $key ? Helpers\Crypto::decrypt( $value ) : $value;
			return is_string( $value ) ? stripslashes( $value ) : $value;
		}
	}

	register_activation_hook(
		__FILE__,
		function () {
			$defaults = array(
				'mail'    => array(
					'from_email'       => get_option( 'admin_email' ),
					'from_name'        => get_bloginfo( 'name' ),
					'mailer'           => 'mail',
					'return_path'      => true,
					'from_email_force' => true,
					'from_name_force'  => false,
				),
				'smtp'    => array( 'autotls' => true, 'auth' => true ),
				'general' => array( 'summary_report_email_disabled' => false ),
			);
			add_option( 'wp_mail_smtp', $defaults, '', 'no' );
		}
	);

	add_action(
		'phpmailer_init',
		function ( $phpmailer ) {
			if ( 'smtp' !== Options::get( 'mail', 'mailer' ) ) {
				return;
			}
			$encryption             = Options::get( 'smtp', 'encryption' );
			$phpmailer->Mailer      = 'smtp';
			$phpmailer->Sender      = $phpmailer->From;
			$phpmailer->SMTPSecure  = 'none' === $encryption ? '' : $encryption;
			$phpmailer->SMTPAutoTLS = (bool) Options::get( 'smtp', 'autotls' );
			$phpmailer->Host        = Options::get( 'smtp', 'host' );
			$phpmailer->Port        = Options::get( 'smtp', 'port' );
			$phpmailer->SMTPAuth    = (bool) Options::get( 'smtp', 'auth' );
			$phpmailer->Username    = Options::get( 'smtp', 'user' );
			$phpmailer->Password    = Options::get( 'smtp', 'pass' );
		}
	);
	add_filter(
		'wp_mail_from',
		function ( $email ) {
			return Options::get( 'mail', 'from_email' ) ?: $email;
		},
		PHP_INT_MAX
	);
	add_filter(
		'wp_mail_from_name',
		function ( $name ) {
			return Options::get( 'mail', 'from_name' ) ?: $name;
		},
		PHP_INT_MAX
	);
}
