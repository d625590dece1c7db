<?php
/**
 * Breaks one request on purpose, for whoever shows the token: so it is seen that errors of PHP reach the log store.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Throws where nobody catches, as a faulty plugin does: the log gets a fatal error with its trace. */
final class Canary {

	const PATH = '/canary';

	/** What the error says; nothing else can be written into the log this way. */
	const WORD = '/^agencystack-canary-[0-9a-f]{16}$/';

	/** Hook in. */
	public function hook() {
		add_action( 'rest_api_init', array( $this, 'register' ) );
	}

	/** Make the route known. */
	public function register() {
		register_rest_route(
			Health::SPACE,
			self::PATH,
			array(
				'methods'             => 'POST',
				'callback'            => array( $this, 'fail' ),
				'permission_callback' => array( Health::class, 'knows_token' ),
				'args'                => array(
					'word' => array(
						'required'          => true,
						'validate_callback' => static function ( $word ) {
							return is_string( $word ) && 1 === preg_match( self::WORD, $word );
						},
					),
				),
			)
		);
	}

	/**
	 * Fail.
	 *
	 * @param \WP_REST_Request $request The request.
	 * @throws \RuntimeException Always.
	 */
	public function fail( $request ) {
		throw new \RuntimeException( $request->get_param( 'word' ) );
	}
}
