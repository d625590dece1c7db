<?php
/**
 * A private certificate authority as a file, as OpenSSL only takes files.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Keeps authorities below the uploads; without its file a connection fails, it is never unverified. */
final class Authority {

	/**
	 * A file with the certificates.
	 *
	 * @param string $pem Certificates.
	 * @return string|null Null where it cannot be written.
	 */
	public static function file( $pem ) {
		$folder = self::folder();
		$file   = $folder . '/ca-' . hash( 'sha256', $pem ) . '.pem';
		// phpcs:disable WordPress.WP.AlternativeFunctions -- WP_Filesystem is for admin pages.
		if ( is_readable( $file ) && file_get_contents( $file ) === $pem ) {
			return $file;
		}
		if ( ! wp_mkdir_p( $folder ) ) {
			return null;
		}
		$fresh = $file . '.' . bin2hex( random_bytes( 6 ) );
		if ( file_put_contents( $fresh, $pem ) !== strlen( $pem ) || ! rename( $fresh, $file ) ) {
			return null;
		}
		// phpcs:enable
		return $file;
	}

	/**
	 * Where authority files lie.
	 *
	 * @return string
	 */
	public static function folder() {
		return WP_CONTENT_DIR . '/uploads/agencystack-connector';
	}
}
