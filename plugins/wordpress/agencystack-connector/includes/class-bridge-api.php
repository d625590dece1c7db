<?php
/**
 * What the bridge calls: signed POSTs below /wp-json/agencystack/v1/bridge/.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Checks the signature, acts as the bridge's user, and answers. */
final class Bridge_Api {

	const SPACE = 'agencystack/v1';

	const CALLS = array( 'changes', 'records', 'search', 'find', 'apply', 'walk', 'digest', 'rows' );

	/** Records, marks or ids of one call, at most. */
	const MOST = 1000;

	/** Hook in; last, as plugins that close the REST interface for visitors must not close this. */
	public function hook() {
		add_action( 'rest_api_init', array( $this, 'register' ) );
		add_filter( 'rest_authentication_errors', array( $this, 'let_in' ), PHP_INT_MAX );
		add_filter( 'rest_pre_dispatch', array( $this, 'answer_first' ), PHP_INT_MAX, 3 );
	}

	/** Make the routes known. */
	public function register() {
		foreach ( self::CALLS as $call ) {
			register_rest_route(
				self::SPACE,
				"/bridge/$call",
				array(
					'methods'             => 'POST',
					'callback'            => array( $this, 'answer' ),
					'permission_callback' => '__return_true', // The signature is checked by answer(), with the body.
				)
			);
		}
	}

	/**
	 * Take back what another plugin, or a stale cookie, has against visitors: the signature decides.
	 *
	 * @param \WP_Error|null|bool $errors What others found.
	 * @return \WP_Error|null|bool
	 */
	public function let_in( $errors ) {
		$route = isset( $GLOBALS['wp']->query_vars['rest_route'] ) ? (string) $GLOBALS['wp']->query_vars['rest_route'] : '';
		return is_wp_error( $errors ) && null !== self::call( $route ) ? null : $errors;
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
		return 'POST' === $request->get_method() && null !== self::call( $request->get_route() ) ? $this->answer( $request ) : $result;
	}

	/**
	 * The answer.
	 *
	 * @param \WP_REST_Request $request The request.
	 * @return \WP_REST_Response|\WP_Error
	 */
	public function answer( $request ) {
		$call = self::call( $request->get_route() );
		if ( ! defined( 'DONOTCACHEPAGE' ) ) {
			define( 'DONOTCACHEPAGE', true );
		}
		$refusal = Bridge_Signature::refusal( self::SPACE . "/bridge/$call", (string) $request->get_body(), array( $request, 'get_header' ) );
		if ( null !== $refusal ) {
			return $refusal;
		}
		if ( ! Bridge_User::act() ) {
			return new \WP_Error( 'agencystack_unwell', 'the user of the bridge is missing or was changed: integrate again', array( 'status' => 503 ) );
		}
		Bridge_Quiet::set( false );
		$this->remember_contact();
		$asked = json_decode( (string) $request->get_body(), true );
		$said  = is_array( $asked ) ? $this->$call( $asked ) : new \WP_Error( 'rest_invalid_json', 'the body is no JSON object', array( 'status' => 400 ) );
		if ( is_wp_error( $said ) ) {
			return $said;
		}
		$response = new \WP_REST_Response( $said );
		$response->header( 'Cache-Control', 'no-store' );
		return $response;
	}

	/**
	 * What changed.
	 *
	 * @param array $asked `acknowledge` and `limit`.
	 * @return array
	 */
	private function changes( array $asked ) {
		Bridge_Outbox::acknowledge( isset( $asked['acknowledge'] ) ? (array) $asked['acknowledge'] : array() );
		$limit    = isset( $asked['limit'] ) ? min( self::MOST, max( 0, (int) $asked['limit'] ) ) : self::MOST;
		$narrowed = Bridge_Settings::narrowed();
		return array(
			'url'      => home_url(),
			'instance' => Bridge_Tables::instance(),
			'epoch'    => Bridge_Outbox::epoch(),
			'narrowed' => array( 'revision' => $narrowed['revision'], 'entities' => (object) $narrowed['entities'] ),
		) + Bridge_Outbox::waiting( $limit );
	}

	/**
	 * Records by id.
	 *
	 * @param array $asked `kind`, `ids`, and of products `orders_since`.
	 * @return array|\WP_Error
	 */
	private function records( array $asked ) {
		$kind    = self::text( $asked, 'kind' );
		$refusal = self::unreadable( $kind );
		if ( null !== $refusal ) {
			return $refusal;
		}
		$ids   = array_slice( isset( $asked['ids'] ) ? (array) $asked['ids'] : array(), 0, self::MOST );
		$since = isset( $asked['orders_since'] ) && is_scalar( $asked['orders_since'] ) ? (int) $asked['orders_since'] : null;
		return array( 'records' => (object) Bridge_Records::read( $kind, $ids, $since ) );
	}

	/**
	 * Records by parameters of REST's list; several searches at once, each answered for itself.
	 *
	 * @param array $asked `kind`, and `params` or `searches`, a list of them.
	 * @return array|\WP_Error
	 */
	private function search( array $asked ) {
		$kind    = self::text( $asked, 'kind' );
		$refusal = self::unreadable( $kind );
		if ( null !== $refusal ) {
			return $refusal;
		}
		if ( ! isset( $asked['searches'] ) ) {
			$found = Bridge_Records::search( $kind, isset( $asked['params'] ) ? (array) $asked['params'] : array() );
			return is_wp_error( $found ) ? $found : array( 'records' => $found );
		}
		$all = array();
		foreach ( array_slice( array_values( (array) $asked['searches'] ), 0, self::MOST ) as $params ) {
			$found = Bridge_Records::search( $kind, (array) $params );
			if ( is_wp_error( $found ) ) {
				return $found;
			}
			$all[] = $found;
		}
		return array( 'found' => $all );
	}

	/**
	 * Records by token.
	 *
	 * @param array $asked `kind` and `tokens`.
	 * @return array|\WP_Error
	 */
	private function find( array $asked ) {
		$kind    = self::text( $asked, 'kind' );
		$refusal = self::unreadable( $kind );
		$tokens  = array_slice( isset( $asked['tokens'] ) ? (array) $asked['tokens'] : array(), 0, self::MOST );
		return null === $refusal ? array( 'found' => (object) array_map( 'strval', Bridge_Tokens::found( $kind, $tokens ) ) ) : $refusal;
	}

	/**
	 * Change records.
	 *
	 * @param array $asked `writes`.
	 * @return array
	 */
	private function apply( array $asked ) {
		return array( 'written' => (object) Bridge_Apply::all( array_slice( isset( $asked['writes'] ) ? (array) $asked['writes'] : array(), 0, self::MOST ) ) );
	}

	/**
	 * The next ids.
	 *
	 * @param array $asked `kind`, `after` and `limit`.
	 * @return array|\WP_Error
	 */
	private function walk( array $asked ) {
		$kind    = self::text( $asked, 'kind' );
		$refusal = self::unreadable( $kind );
		if ( null !== $refusal ) {
			return $refusal;
		}
		$limit = isset( $asked['limit'] ) ? min( 10 * self::MOST, max( 1, (int) $asked['limit'] ) ) : self::MOST;
		$ids   = Bridge_Digest::walk( $kind, (int) self::text( $asked, 'after' ), $limit + 1 );
		$more  = count( $ids ) > $limit;
		$ids   = array_slice( $ids, 0, $limit );
		return array( 'ids' => array_map( 'strval', $ids ), 'next' => $more ? (string) end( $ids ) : '' );
	}

	/**
	 * What ranges hold.
	 *
	 * @param array $asked `kind` and `ranges`.
	 * @return array|\WP_Error
	 */
	private function digest( array $asked ) {
		$kind    = self::text( $asked, 'kind' );
		$refusal = self::unreadable( $kind );
		if ( null !== $refusal ) {
			return $refusal;
		}
		$summaries = array();
		foreach ( array_slice( isset( $asked['ranges'] ) ? (array) $asked['ranges'] : array(), 0, self::MOST ) as $range ) {
			$summaries[] = Bridge_Digest::summary( $kind, self::range( $range ) );
		}
		return array( 'summaries' => $summaries );
	}

	/**
	 * Digests of the records of a range.
	 *
	 * @param array $asked `kind` and `range`.
	 * @return array|\WP_Error
	 */
	private function rows( array $asked ) {
		$kind    = self::text( $asked, 'kind' );
		$refusal = self::unreadable( $kind );
		return null === $refusal ? array( 'rows' => (object) Bridge_Digest::rows( $kind, self::range( isset( $asked['range'] ) ? $asked['range'] : null ) ) ) : $refusal;
	}

	/**
	 * Why records of a kind are not shown.
	 *
	 * @param string $kind The kind.
	 * @return \WP_Error|null
	 */
	private static function unreadable( $kind ) {
		if ( ! Bridge_Kinds::are_kept( $kind ) ) {
			return new \WP_Error( 'agencystack_not_kept', 'this site keeps no such records', array( 'status' => 404 ) );
		}
		return Bridge_Kinds::may_be_read( $kind ) ? null : new \WP_Error( 'agencystack_not_shared', 'this site does not share them', array( 'status' => 403 ) );
	}

	/**
	 * A range.
	 *
	 * @param mixed $range As it was sent.
	 * @return string[]
	 */
	private static function range( $range ) {
		$range = array_values( is_array( $range ) ? $range : array() ) + array( '', '' );
		return array( is_scalar( $range[0] ) ? (string) $range[0] : '', is_scalar( $range[1] ) ? (string) $range[1] : '' );
	}

	/**
	 * A text of a call.
	 *
	 * @param array  $asked The call.
	 * @param string $key   Its key.
	 * @return string
	 */
	private static function text( array $asked, $key ) {
		return isset( $asked[ $key ] ) && is_scalar( $asked[ $key ] ) ? (string) $asked[ $key ] : '';
	}

	/**
	 * Which call a route is.
	 *
	 * @param string $route As WordPress has it.
	 * @return string|null
	 */
	private static function call( $route ) {
		$begin = '/' . self::SPACE . '/bridge/';
		$call  = 0 === strpos( $route, $begin ) ? untrailingslashit( substr( $route, strlen( $begin ) ) ) : '';
		return in_array( $call, self::CALLS, true ) ? $call : null;
	}

	/** Remember that the bridge called, at most once a minute. */
	private function remember_contact() {
		if ( time() - (int) get_option( Bridge_Settings::CONTACT, 0 ) >= MINUTE_IN_SECONDS ) {
			update_option( Bridge_Settings::CONTACT, time(), true );
		}
	}
}
