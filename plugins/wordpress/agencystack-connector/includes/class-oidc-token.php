<?php
/**
 * Checks an ID token as OpenID Connect Core 3.1.3.7 says.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Nothing of a token is believed before its signature holds. */
final class Oidc_Token {

	/** Algorithms: type of the key, OpenSSL's digest, bytes of one number of the signature. `none` and HS* are no entries. */
	const ALGORITHMS = array(
		'RS256' => array( 'RSA', OPENSSL_ALGO_SHA256, 0 ),
		'RS384' => array( 'RSA', OPENSSL_ALGO_SHA384, 0 ),
		'RS512' => array( 'RSA', OPENSSL_ALGO_SHA512, 0 ),
		'ES256' => array( 'EC', OPENSSL_ALGO_SHA256, 32 ),
		'ES384' => array( 'EC', OPENSSL_ALGO_SHA384, 48 ),
	);

	/** Seconds two clocks may differ. */
	const LEEWAY = 60;

	/** A longer token is not looked at. */
	const LONGEST = 65536;

	/**
	 * Check a token.
	 *
	 * @param mixed       $token As the provider sent it.
	 * @param string|null $nonce What was sent with the request; null where nothing was.
	 * @return array|\WP_Error The claims, or why it does not hold.
	 */
	public static function check( $token, $nonce = null ) {
		if ( ! function_exists( 'openssl_verify' ) ) {
			return self::wrong( 'openssl', 'PHP cannot check signatures here, as it lacks the extension openssl' );
		}
		if ( ! is_string( $token ) || strlen( $token ) > self::LONGEST || 3 !== count( explode( '.', $token ) ) ) {
			return self::wrong( 'form', 'it is not a signed token' );
		}
		list( $head, $body, $signature ) = explode( '.', $token );
		$unsigned                        = self::signed( "$head.$body", self::json( $head ), self::bytes( $signature ) );
		if ( is_wp_error( $unsigned ) ) {
			return $unsigned;
		}
		$claims = self::json( $body );
		if ( null === $claims ) {
			return self::wrong( 'form', 'its claims are not JSON' );
		}
		foreach ( array( self::who( $claims ), self::when( $claims, time() ), self::nonce( $claims, $nonce ) ) as $found ) {
			if ( is_wp_error( $found ) ) {
				return $found;
			}
		}
		return $claims;
	}

	/**
	 * Check the signature.
	 *
	 * @param string      $text      What was signed.
	 * @param array|null  $head      The token's header.
	 * @param string|null $signature Its bytes.
	 * @return true|\WP_Error
	 */
	private static function signed( $text, $head, $signature ) {
		$alg = isset( $head['alg'] ) && is_string( $head['alg'] ) ? $head['alg'] : 'none';
		if ( ! isset( self::ALGORITHMS[ $alg ] ) ) {
			return self::wrong( 'algorithm', "it is signed with '$alg'; this site takes " . implode( ', ', array_keys( self::ALGORITHMS ) ) );
		}
		if ( isset( $head['crit'] ) || ( isset( $head['kid'] ) && ! is_string( $head['kid'] ) ) ) {
			return self::wrong( 'form', 'its header asks for what this site does not know' );
		}
		list( $kty, $digest, $width ) = self::ALGORITHMS[ $alg ];
		$key                          = Oidc_Keys::find( isset( $head['kid'] ) ? $head['kid'] : null, $kty, $alg );
		if ( is_wp_error( $key ) ) {
			return $key;
		}
		if ( null === $signature || ( $width && strlen( $signature ) !== 2 * $width ) ) {
			return self::wrong( 'signature', 'its signature is damaged' );
		}
		if ( $width ) {
			$signature = Der::tagged( 0x30, Der::integer( substr( $signature, 0, $width ) ) . Der::integer( substr( $signature, $width ) ) );
		}
		return 1 === openssl_verify( $text, $signature, $key, $digest ) ? true : self::wrong( 'signature', 'its signature does not hold: somebody else made it, or changed it' );
	}

	/**
	 * Check who issued it, for whom, about whom.
	 *
	 * @param array $claims Claims.
	 * @return true|\WP_Error
	 */
	private static function who( array $claims ) {
		$issuer   = Oidc_Settings::get( 'issuer' );
		$client   = Oidc_Settings::get( 'client_id' );
		$audience = isset( $claims['aud'] ) ? (array) $claims['aud'] : array();
		if ( ! isset( $claims['iss'] ) || $claims['iss'] !== $issuer ) {
			return self::wrong( 'issuer', 'its issuer is ' . self::shown( $claims, 'iss' ) . ", not $issuer" );
		}
		if ( ! in_array( $client, $audience, true ) ) {
			return self::wrong( 'audience', 'it was made for ' . self::shown( $claims, 'aud' ) . ", not for $client" );
		}
		if ( count( $audience ) > 1 && ! isset( $claims['azp'] ) ) {
			return self::wrong( 'party', 'it has several audiences and names no authorized party' );
		}
		if ( isset( $claims['azp'] ) && $claims['azp'] !== $client ) {
			return self::wrong( 'party', 'its authorized party is ' . self::shown( $claims, 'azp' ) . ", not $client" );
		}
		if ( ! isset( $claims['sub'] ) || ! is_string( $claims['sub'] ) || '' === $claims['sub'] || strlen( $claims['sub'] ) > 255 ) {
			return self::wrong( 'subject', 'it names nobody (sub); on Keycloak 25 and later the client needs the scope "basic"' );
		}
		return true;
	}

	/**
	 * Check when it is valid.
	 *
	 * @param array $claims Claims.
	 * @param int   $now    Seconds since 1970.
	 * @return true|\WP_Error
	 */
	private static function when( array $claims, $now ) {
		foreach ( array( 'exp', 'iat' ) as $needed ) {
			if ( ! isset( $claims[ $needed ] ) || ! is_numeric( $claims[ $needed ] ) ) {
				return self::wrong( 'time', "it has no time '$needed'" );
			}
		}
		$issued = (int) $claims['iat'];
		$ends   = (int) $claims['exp'];
		if ( $ends + self::LEEWAY <= $now ) {
			return self::wrong( 'expired', sprintf( 'it ended %1$d s ago and was issued %2$d s ago; after a login of just now the clocks differ by %2$d s', $now - $ends, $now - $issued ) );
		}
		$starts = isset( $claims['nbf'] ) && is_numeric( $claims['nbf'] ) ? max( $issued, (int) $claims['nbf'] ) : $issued;
		if ( $starts - self::LEEWAY > $now ) {
			return self::wrong( 'future', sprintf( 'it is valid from %1$d s in the future on: the clocks of the provider and of this site differ by %1$d s', $starts - $now ) );
		}
		return true;
	}

	/**
	 * Check that it answers our request.
	 *
	 * @param array       $claims Claims.
	 * @param string|null $nonce  What was sent.
	 * @return true|\WP_Error
	 */
	private static function nonce( array $claims, $nonce ) {
		if ( null === $nonce ) {
			return true;
		}
		$given = isset( $claims['nonce'] ) && is_string( $claims['nonce'] ) ? $claims['nonce'] : '';
		return hash_equals( $nonce, $given ) ? true : self::wrong( 'nonce', 'it answers another request (nonce)' );
	}

	/**
	 * Bytes of base64url; nothing but its own letters is taken.
	 *
	 * @param mixed $text As in the token.
	 * @return string|null Null where it is none.
	 */
	public static function bytes( $text ) {
		if ( ! is_string( $text ) || ! preg_match( '/^[A-Za-z0-9_-]+$/D', $text ) ) {
			return null;
		}
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_decode -- tokens are base64.
		$bytes = base64_decode( strtr( $text, '-_', '+/' ), true );
		return false === $bytes ? null : $bytes;
	}

	/**
	 * An object of the token.
	 *
	 * @param string $text Base64url of JSON.
	 * @return array|null Null where it is none.
	 */
	private static function json( $text ) {
		$data = json_decode( (string) self::bytes( $text ), true, 16 );
		return is_array( $data ) ? $data : null;
	}

	/**
	 * A claim for a message.
	 *
	 * @param array  $claims Claims.
	 * @param string $name   Which.
	 * @return string
	 */
	private static function shown( array $claims, $name ) {
		return isset( $claims[ $name ] ) ? substr( (string) wp_json_encode( $claims[ $name ], JSON_UNESCAPED_SLASHES ), 0, 200 ) : 'missing';
	}

	/**
	 * What is wrong, for a person.
	 *
	 * @param string $code A word the caller acts on.
	 * @param string $why  What does not hold.
	 * @return \WP_Error
	 */
	private static function wrong( $code, $why ) {
		return new \WP_Error( "agencystack_sso_$code", "the provider's ID token does not hold: $why" );
	}
}
