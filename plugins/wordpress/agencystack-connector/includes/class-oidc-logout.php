<?php
/**
 * Ends the provider's session together with the site's.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Keeps the ID token in the data of the session it began, and nowhere else (RP-Initiated Logout 1.0). */
final class Oidc_Logout {

	const KEY = 'agencystack_sso_id_token';

	/** After openid-connect-generic, whose own address after the logout carries a language and is not registered. */
	const LATE = 1000;

	/**
	 * The ID token of the login that happens in this request.
	 *
	 * @var string|null
	 */
	private static $fresh = null;

	/**
	 * The ID token of the session that is about to end.
	 *
	 * @var string
	 */
	private $hint = '';

	/** Hook in. */
	public function hook() {
		add_filter( 'attach_session_information', array( $this, 'keep' ) );
		add_action( 'login_form_logout', array( $this, 'read' ) );
		add_filter( 'logout_redirect', array( $this, 'to_provider' ), self::LATE );
		add_filter( 'allowed_redirect_hosts', array( $this, 'allow_provider' ) );
	}

	/**
	 * Keep a token for the session that is about to begin.
	 *
	 * @param string $id_token Checked.
	 */
	public static function remember( $id_token ) {
		self::$fresh = $id_token;
	}

	/**
	 * Put the token into the data of a new session.
	 *
	 * @param array $session Data.
	 * @return array
	 */
	public function keep( $session ) {
		if ( null !== self::$fresh ) {
			$session[ self::KEY ] = self::$fresh;
		}
		return $session;
	}

	/** Read the token before WordPress destroys the session. */
	public function read() {
		$session    = \WP_Session_Tokens::get_instance( get_current_user_id() )->get( wp_get_session_token() );
		$this->hint = isset( $session[ self::KEY ] ) ? $session[ self::KEY ] : '';
	}

	/**
	 * Where a logout leads: to the provider where the session began there.
	 *
	 * @param string $address As WordPress or a plugin chose.
	 * @return string
	 */
	public function to_provider( $address ) {
		$end = Oidc_Settings::get( 'end_session_url' );
		if ( '' === $this->hint || '' === $end ) {
			return $address;
		}
		$parameters = array(
			'id_token_hint'            => $this->hint,
			'post_logout_redirect_uri' => Oidc_Settings::logged_out_uri(),
			'client_id'                => Oidc_Settings::get( 'client_id' ),
		);
		return $end . ( false === strpos( $end, '?' ) ? '?' : '&' ) . http_build_query( $parameters, '', '&', PHP_QUERY_RFC3986 );
	}

	/**
	 * Allow the one host a logout may lead to.
	 *
	 * @param string[] $hosts Allowed.
	 * @return string[]
	 */
	public function allow_provider( $hosts ) {
		$host = wp_parse_url( Oidc_Settings::get( 'end_session_url' ), PHP_URL_HOST );
		return '' !== $this->hint && $host ? array_merge( (array) $hosts, array( $host ) ) : $hosts;
	}
}
