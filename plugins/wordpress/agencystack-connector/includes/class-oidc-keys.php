<?php
/**
 * The provider's public keys, as OpenSSL takes them.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Fetches the key set (RFC 7517), keeps it for an hour and turns its keys into PEM. */
final class Oidc_Keys {

	const CACHE = 'agencystack_sso_keys';

	/** Seconds a key set is believed: a key the provider has withdrawn is gone after that. */
	const LIFETIME = 3600;

	/** Seconds between two fetches for a key nobody knows, which is what a forger sends. */
	const PAUSE = 60;

	/** Below this, an RSA key can be broken. */
	const SMALLEST_RSA = 2048;

	/** Curves: object identifier in DER, and the length of a coordinate. */
	const CURVES = array(
		'P-256' => array( "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 32 ),
		'P-384' => array( "\x06\x05\x2b\x81\x04\x00\x22", 48 ),
	);

	/**
	 * The key a token names.
	 *
	 * @param string|null $kid  Its id; null where the token names none and there must be only one.
	 * @param string      $kty  `RSA` or `EC`.
	 * @param string      $alg  Algorithm of the token.
	 * @return string|\WP_Error PEM.
	 */
	public static function find( $kid, $kty, $alg ) {
		$known = self::known();
		if ( is_wp_error( $known ) ) {
			return $known;
		}
		$key = self::choose( $known['keys'], $kid, $kty, $alg );
		if ( null === $key && $known['tried'] <= time() - self::PAUSE ) {
			$known = self::fetch( $known );
			if ( is_wp_error( $known ) ) {
				return $known;
			}
			$key = self::choose( $known['keys'], $kid, $kty, $alg );
		}
		if ( null === $key ) {
			return new \WP_Error( 'agencystack_sso_key', 'the ID token is signed with a key the provider does not publish' );
		}
		return self::pem( $key );
	}

	/**
	 * The key set, from the cache while it is believed.
	 *
	 * @return array|\WP_Error `url`, `keys`, `tried`.
	 */
	private static function known() {
		$known = get_transient( self::CACHE );
		if ( is_array( $known ) && isset( $known['keys'], $known['tried'], $known['url'] ) && Oidc_Settings::get( 'jwks_url' ) === $known['url'] ) {
			return $known;
		}
		return self::fetch( null );
	}

	/**
	 * Read the key set anew.
	 *
	 * @param array|null $known What was known; its keys stay when the provider does not answer.
	 * @return array|\WP_Error As known().
	 */
	private static function fetch( $known ) {
		$url    = Oidc_Settings::get( 'jwks_url' );
		$answer = wp_remote_get( $url, Oidc_Settings::http( array() ) );
		$data   = is_wp_error( $answer ) ? null : json_decode( wp_remote_retrieve_body( $answer ), true );
		if ( 200 !== wp_remote_retrieve_response_code( $answer ) || ! isset( $data['keys'] ) || ! is_array( $data['keys'] ) ) {
			if ( null !== $known ) {
				set_transient( self::CACHE, array( 'tried' => time() ) + $known, self::PAUSE );
			}
			$why = is_wp_error( $answer ) ? $answer->get_error_message() : 'status ' . wp_remote_retrieve_response_code( $answer );
			return new \WP_Error( 'agencystack_sso_keys', "this site cannot read the provider's keys at $url: $why" );
		}
		$fresh = array(
			'url'   => $url,
			'keys'  => array_values( array_filter( $data['keys'], 'is_array' ) ),
			'tried' => time(),
		);
		set_transient( self::CACHE, $fresh, self::LIFETIME );
		return $fresh;
	}

	/**
	 * The one key that fits.
	 *
	 * @param array       $keys The set.
	 * @param string|null $kid  Id.
	 * @param string      $kty  `RSA` or `EC`.
	 * @param string      $alg  Algorithm of the token.
	 * @return array|null Null where there is none, or more than one.
	 */
	private static function choose( array $keys, $kid, $kty, $alg ) {
		$fitting = array_filter(
			$keys,
			function ( $key ) use ( $kid, $kty, $alg ) {
				return isset( $key['kty'] ) && $kty === $key['kty']
					&& ( null === $kid || ( isset( $key['kid'] ) && $kid === $key['kid'] ) )
					&& ( ! isset( $key['use'] ) || 'sig' === $key['use'] )
					&& ( ! isset( $key['alg'] ) || $alg === $key['alg'] );
			}
		);
		return 1 === count( $fitting ) ? reset( $fitting ) : null;
	}

	/**
	 * A key as PEM (RFC 5280, SubjectPublicKeyInfo).
	 *
	 * @param array $key Of the set.
	 * @return string|\WP_Error
	 */
	private static function pem( array $key ) {
		$der = 'RSA' === $key['kty'] ? self::rsa( $key ) : self::ec( $key );
		$pem = null === $der ? '' : "-----BEGIN PUBLIC KEY-----\n" . chunk_split( base64_encode( $der ), 64, "\n" ) . "-----END PUBLIC KEY-----\n"; // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- PEM is base64.
		// PHP 7 gives a resource and PHP 8 an object; both are true.
		$read = '' === $pem ? false : openssl_pkey_get_public( $pem );
		if ( ! $read ) {
			return new \WP_Error( 'agencystack_sso_key', "a key of the provider's cannot be read" );
		}
		$details = openssl_pkey_get_details( $read );
		if ( 'RSA' === $key['kty'] && $details['bits'] < self::SMALLEST_RSA ) {
			return new \WP_Error( 'agencystack_sso_key', "the provider's key has only {$details['bits']} bits" );
		}
		return $pem;
	}

	/**
	 * DER of an RSA key.
	 *
	 * @param array $key `n` and `e`.
	 * @return string|null Null where a number is missing.
	 */
	private static function rsa( array $key ) {
		$modulus  = Oidc_Token::bytes( isset( $key['n'] ) ? $key['n'] : '' );
		$exponent = Oidc_Token::bytes( isset( $key['e'] ) ? $key['e'] : '' );
		if ( null === $modulus || null === $exponent ) {
			return null;
		}
		$numbers = Der::tagged( 0x30, Der::integer( $modulus ) . Der::integer( $exponent ) );
		// rsaEncryption, with the NULL its parameters are.
		$kind = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
		return Der::tagged( 0x30, Der::tagged( 0x30, $kind ) . Der::tagged( 0x03, "\x00" . $numbers ) );
	}

	/**
	 * DER of a key on a curve.
	 *
	 * @param array $key `crv`, `x` and `y`.
	 * @return string|null Null where the curve is not known or a coordinate has another length.
	 */
	private static function ec( array $key ) {
		$curve = isset( $key['crv'], self::CURVES[ $key['crv'] ] ) ? self::CURVES[ $key['crv'] ] : null;
		$x     = Oidc_Token::bytes( isset( $key['x'] ) ? $key['x'] : '' );
		$y     = Oidc_Token::bytes( isset( $key['y'] ) ? $key['y'] : '' );
		if ( null === $curve || strlen( (string) $x ) !== $curve[1] || strlen( (string) $y ) !== $curve[1] ) {
			return null;
		}
		// id-ecPublicKey, then the curve.
		$kind = "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" . $curve[0];
		return Der::tagged( 0x30, Der::tagged( 0x30, $kind ) . Der::tagged( 0x03, "\x00\x04" . $x . $y ) );
	}
}
