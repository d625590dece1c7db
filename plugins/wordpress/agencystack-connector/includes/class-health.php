<?php
/**
 * Tells at /wp-json/agencystack/v1/health how the site is.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Everybody may ask and gets a word for each thing; numbers, versions and reasons are for whoever shows the token.
 *
 * What was measured is kept for some seconds, so that asking often costs no more than any other request.
 */
final class Health {

	/** Holds the hash of the token; AgencyStack writes it. */
	const OPTION = 'agencystack_connector_health';

	/** The transient that holds what was measured. */
	const KEPT = 'agencystack_health';

	/** Seconds. */
	const LIFETIME = 10;

	const SPACE = 'agencystack/v1';
	const PATH  = '/health';

	/** Worst last. */
	const WORDS = array( 'ok', 'degraded', 'down' );

	/** Hook in; last, as plugins that close the REST interface for visitors must not close this. */
	public function hook() {
		add_action( 'rest_api_init', array( $this, 'register' ) );
		add_filter( 'rest_authentication_errors', array( $this, 'let_in' ), PHP_INT_MAX );
		add_filter( 'rest_pre_dispatch', array( $this, 'answer_first' ), PHP_INT_MAX, 3 );
	}

	/** Make the route known. */
	public function register() {
		register_rest_route(
			self::SPACE,
			self::PATH,
			array(
				'methods'             => 'GET',
				'callback'            => array( $this, 'answer' ),
				'permission_callback' => '__return_true',
			)
		);
	}

	/**
	 * Take back what another plugin, or a stale cookie, has against a visitor of this route.
	 *
	 * @param \WP_Error|null|bool $errors What others found.
	 * @return \WP_Error|null|bool
	 */
	public function let_in( $errors ) {
		$route = isset( $GLOBALS['wp']->query_vars['rest_route'] ) ? $GLOBALS['wp']->query_vars['rest_route'] : '';
		return is_wp_error( $errors ) && self::is_ours( $route ) ? null : $errors;
	}

	/**
	 * Answer before another plugin takes the route away or refuses it.
	 *
	 * @param mixed            $result  What others answered.
	 * @param \WP_REST_Server  $server  The server.
	 * @param \WP_REST_Request $request The request.
	 * @return mixed
	 */
	public function answer_first( $result, $server, $request ) {
		$read = in_array( $request->get_method(), array( 'GET', 'HEAD' ), true );
		return $read && self::is_ours( $request->get_route() ) ? $this->answer( $request ) : $result;
	}

	/**
	 * The answer; 503 where the site is down.
	 *
	 * @param \WP_REST_Request $request The request.
	 * @return \WP_REST_Response
	 */
	public function answer( $request ) {
		$report   = self::report();
		$said     = array(
			'from'   => 'agencystack-connector',
			'status' => $report['status'],
			'checks' => (object) $report['checks'],
		);
		$response = new \WP_REST_Response(
			self::knows_token( $request ) ? $said + array( 'detail' => (object) $report['detail'], 'at' => $report['at'] ) : $said,
			'down' === $report['status'] ? 503 : 200
		);
		$response->header( 'Cache-Control', 'no-store' );
		if ( ! defined( 'DONOTCACHEPAGE' ) ) {
			define( 'DONOTCACHEPAGE', true );
		}
		return $response;
	}

	/**
	 * What was measured, now or some seconds ago.
	 *
	 * @return array `status`, `checks`, `detail`, and `at`, seconds since 1970.
	 */
	private static function report() {
		$kept = get_transient( self::KEPT );
		if ( is_array( $kept ) && isset( $kept['at'] ) && abs( time() - $kept['at'] ) <= self::LIFETIME ) {
			return $kept;
		}
		$report = Health_Checks::all();
		$worst  = 0;
		foreach ( $report['checks'] as $word ) {
			$worst = max( $worst, (int) array_search( $word, self::WORDS, true ) );
		}
		$report += array( 'status' => self::WORDS[ $worst ], 'at' => time() );
		set_transient( self::KEPT, $report, self::LIFETIME );
		return $report;
	}

	/**
	 * Whether the token is shown: in a header of our own, or as a bearer where nothing on the way takes that out.
	 *
	 * @param \WP_REST_Request $request The request.
	 * @return bool
	 */
	public static function knows_token( $request ) {
		$option = get_option( self::OPTION );
		$hash   = is_array( $option ) && isset( $option['token'] ) ? (string) $option['token'] : '';
		$shown  = (string) $request->get_header( 'x_agencystack_token' );
		if ( '' === $shown && 0 === stripos( (string) $request->get_header( 'authorization' ), 'Bearer ' ) ) {
			$shown = trim( substr( $request->get_header( 'authorization' ), 7 ) );
		}
		return '' !== $hash && '' !== $shown && hash_equals( $hash, hash( 'sha256', $shown ) );
	}

	/**
	 * Whether a route is this one.
	 *
	 * @param string $route As WordPress has it.
	 * @return bool
	 */
	private static function is_ours( $route ) {
		return '/' . self::SPACE . self::PATH === untrailingslashit( $route );
	}
}
