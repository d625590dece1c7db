<?php
/**
 * The few pieces of DER (ITU-T X.690) that public keys and signatures are made of.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Writes DER; OpenSSL reads it. */
final class Der {

	/**
	 * A value with its tag and length.
	 *
	 * @param int    $tag     For example 0x30 for a sequence.
	 * @param string $content Bytes.
	 * @return string
	 */
	public static function tagged( $tag, $content ) {
		$length = strlen( $content );
		if ( $length < 128 ) {
			return chr( $tag ) . chr( $length ) . $content;
		}
		$digits = ltrim( pack( 'N', $length ), "\x00" );
		return chr( $tag ) . chr( 128 + strlen( $digits ) ) . $digits . $content;
	}

	/**
	 * A positive integer.
	 *
	 * @param string $number Big-endian bytes.
	 * @return string
	 */
	public static function integer( $number ) {
		$number = ltrim( $number, "\x00" );
		if ( '' === $number || ord( $number[0] ) > 127 ) {
			$number = "\x00" . $number;
		}
		return self::tagged( 0x02, $number );
	}
}
