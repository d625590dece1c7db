<?php
/**
 * Keeps a password unreadable in the database and its backups.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Encrypts with libsodium; the key is AGENCYSTACK_MAIL_KEY or made from the salts, both in wp-config.php.
 *
 * WordPress ships sodium_compat, so a PHP without the extension can do it too.
 */
final class Crypto {

	const PREFIX = 'agencystack:1:';

	/**
	 * Encrypt a text.
	 *
	 * @param string $text Readable.
	 * @return string
	 */
	public static function encrypt( $text ) {
		$nonce = random_bytes( SODIUM_CRYPTO_SECRETBOX_NONCEBYTES );
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- binary in a text column.
		return self::PREFIX . base64_encode( $nonce . sodium_crypto_secretbox( $text, $nonce, self::key() ) );
	}

	/**
	 * Decrypt what encrypt() gave.
	 *
	 * @param string $stored As in the option.
	 * @return string|null Null when it was encrypted with another key: salts were changed, or the database moved.
	 */
	public static function decrypt( $stored ) {
		if ( 0 !== strpos( $stored, self::PREFIX ) ) {
			return '' === $stored ? '' : null;
		}
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_decode -- binary in a text column.
		$bytes = base64_decode( substr( $stored, strlen( self::PREFIX ) ), true );
		if ( false === $bytes || strlen( $bytes ) < SODIUM_CRYPTO_SECRETBOX_NONCEBYTES + SODIUM_CRYPTO_SECRETBOX_MACBYTES ) {
			return null;
		}
		$nonce = substr( $bytes, 0, SODIUM_CRYPTO_SECRETBOX_NONCEBYTES );
		$text  = sodium_crypto_secretbox_open( substr( $bytes, SODIUM_CRYPTO_SECRETBOX_NONCEBYTES ), $nonce, self::key() );
		return false === $text ? null : $text;
	}

	/**
	 * The key: 32 bytes.
	 *
	 * @return string
	 */
	private static function key() {
		$material = defined( 'AGENCYSTACK_MAIL_KEY' ) && AGENCYSTACK_MAIL_KEY ? AGENCYSTACK_MAIL_KEY : wp_salt( 'secure_auth' );
		return sodium_crypto_generichash( 'agencystack-connector mail' . $material, '', SODIUM_CRYPTO_SECRETBOX_KEYBYTES );
	}
}
