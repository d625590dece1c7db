<?php
/**
 * PHP's web server writes no access log: this writes one in the combined format, as nginx does before a site.
 *
 * It stands beside the site's folder and runs before each script.
 *
 * @package agencystack-sandbox
 */

if ( 'cli-server' === PHP_SAPI && ! defined( 'AGENCYSTACK_ACCESS_LOG' ) ) {
	define( 'AGENCYSTACK_ACCESS_LOG', __DIR__ . '/log/access.log' );
	$agencystack_request = $_SERVER; // WordPress puts slashes into it.
	register_shutdown_function(
		function () use ( $agencystack_request ) {
			$plain = function ( $text ) {
				return preg_replace_callback(
					'/[^\x20-\x7E]|["\\\\]/',
					function ( $found ) {
						return sprintf( '\x%02X', ord( $found[0] ) );
					},
					$text
				);
			};
			$line  = sprintf(
				'%s - - [%s] "%s %s %s" %d - "%s" "%s"',
				$agencystack_request['REMOTE_ADDR'],
				gmdate( 'd/M/Y:H:i:s +0000', (int) $agencystack_request['REQUEST_TIME'] ),
				$agencystack_request['REQUEST_METHOD'],
				$plain( $agencystack_request['REQUEST_URI'] ),
				$agencystack_request['SERVER_PROTOCOL'],
				http_response_code(),
				$plain( isset( $agencystack_request['HTTP_REFERER'] ) ? $agencystack_request['HTTP_REFERER'] : '-' ),
				$plain( isset( $agencystack_request['HTTP_USER_AGENT'] ) ? $agencystack_request['HTTP_USER_AGENT'] : '-' )
			);
			file_put_contents( AGENCYSTACK_ACCESS_LOG, $line . "\n", FILE_APPEND | LOCK_EX );
		}
	);
}
