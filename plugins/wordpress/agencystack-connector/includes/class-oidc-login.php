<?php
/**
 * Our own login at the provider: authorization code flow with PKCE (RFC 7636) and a nonce.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** A button on the login page, the way to the provider and the way back. */
final class Oidc_Login {

	const ACTION = 'agencystack-sso';

	/** Seconds a person has to log in at the provider. */
	const TIME = 600;

	/** Hook in. */
	public function hook() {
		if ( 'connector' !== Oidc_Settings::get( 'login' ) ) {
			return;
		}
		add_filter( 'login_message', array( $this, 'button' ) );
		add_action( 'login_form_' . self::ACTION, array( $this, 'answer' ) );
	}

	/**
	 * Put the button above the form.
	 *
	 * @param string $message What stands there.
	 * @return string
	 */
	public function button( $message ) {
		// phpcs:ignore WordPress.Security.NonceVerification -- only carried along; wp_validate_redirect() judges it later.
		$back  = isset( $_GET['redirect_to'] ) && is_string( $_GET['redirect_to'] ) ? sanitize_text_field( wp_unslash( $_GET['redirect_to'] ) ) : '';
		$url   = Oidc_Settings::redirect_uri() . ( '' === $back ? '' : '&redirect_to=' . rawurlencode( $back ) );
		$label = (string) Oidc_Settings::get( 'label' );
		$label = '' === $label ? 'Log in with your company account' : $label;
		// The box that asks an editor to log in again is a frame, in which no provider shows itself.
		$target = isset( $_REQUEST['interim-login'] ) ? ' target="_blank"' : ''; // phpcs:ignore WordPress.Security.NonceVerification -- only looks.
		return $message . '<p style="margin:0 0 16px"><a class="button button-primary button-large" style="width:100%;text-align:center" href="'
			. esc_url( $url ) . '"' . $target . '>' . esc_html( $label ) . '</a></p>';
	}

	/** Send the browser to the provider, or take what it brings back. */
	public function answer() {
		nocache_headers();
		// phpcs:disable WordPress.Security.NonceVerification -- the state is what a nonce would be.
		if ( ! isset( $_GET['code'] ) && ! isset( $_GET['error'] ) && ! isset( $_GET['state'] ) ) {
			$this->begin();
		}
		$pending = $this->pending( self::given( 'state' ) );
		$login   = is_wp_error( $pending ) ? $pending : $this->claims( $pending );
		$user    = is_wp_error( $login ) ? $login : $this->account( $login );
		if ( is_wp_error( $user ) ) {
			Oidc_Refusal::show( $user );
		}
		$this->let_in( $user, $pending['redirect_to'] );
		// phpcs:enable
	}

	/** Send the browser to the provider. */
	private function begin() {
		$pending = array(
			'state'       => self::random(),
			'nonce'       => self::random(),
			'verifier'    => self::random(),
			'redirect_to' => wp_validate_redirect( self::given( 'redirect_to' ), '' ),
			'ends'        => time() + self::TIME,
		);
		$this->set_cookie( $pending['state'], Crypto::encrypt( wp_json_encode( $pending ) ), $pending['ends'] );
		$parameters = array(
			'response_type'         => 'code',
			'client_id'             => Oidc_Settings::get( 'client_id' ),
			'redirect_uri'          => Oidc_Settings::redirect_uri(),
			'scope'                 => Oidc_Settings::get( 'scope' ),
			'state'                 => $pending['state'],
			'nonce'                 => $pending['nonce'],
			'code_challenge'        => self::base64url( hash( 'sha256', $pending['verifier'], true ) ),
			'code_challenge_method' => 'S256',
		);
		$url        = Oidc_Settings::get( 'authorize_url' );
		// phpcs:ignore WordPress.Security.SafeRedirect -- the provider is another host, and comes from our settings.
		wp_redirect( $url . ( false === strpos( $url, '?' ) ? '?' : '&' ) . http_build_query( $parameters, '', '&', PHP_QUERY_RFC3986 ) );
		exit;
	}

	/**
	 * What this browser began; it can be used once.
	 *
	 * @param string $state As the provider brings it back.
	 * @return array|\WP_Error
	 */
	private function pending( $state ) {
		$name   = self::cookie_name( $state );
		$stored = isset( $_COOKIE[ $name ] ) && is_string( $_COOKIE[ $name ] ) ? Crypto::decrypt( wp_unslash( $_COOKIE[ $name ] ) ) : null; // phpcs:ignore WordPress.Security.ValidatedSanitizedInput -- encrypted by us.
		$this->set_cookie( $state, '', 1 );
		$pending = json_decode( (string) $stored, true );
		if ( ! isset( $pending['state'], $pending['ends'] ) || ! hash_equals( $pending['state'], $state ) || $pending['ends'] < time() ) {
			return new \WP_Error( 'agencystack_sso_state', 'this login was not begun in this browser, or more than ten minutes ago; begin again' );
		}
		if ( get_transient( self::used( $pending ) ) ) {
			return new \WP_Error( 'agencystack_sso_state', 'this login was used already; begin again' );
		}
		$issuer = self::given( 'iss' );
		if ( '' !== $issuer && Oidc_Settings::get( 'issuer' ) !== $issuer ) {
			return new \WP_Error( 'agencystack_sso_issuer', 'another provider answered than the one that was asked' );
		}
		if ( '' !== self::given( 'error' ) ) {
			$why = self::given( 'error' ) . ' ' . self::given( 'error_description' );
			return new \WP_Error( 'agencystack_sso_provider', 'the provider says: ' . substr( trim( $why ), 0, 300 ) );
		}
		return $pending;
	}

	/**
	 * Exchange the code for the claims of a checked token.
	 *
	 * @param array $pending What this browser began.
	 * @return array|\WP_Error
	 */
	private function claims( array $pending ) {
		$tokens = $this->tokens( self::given( 'code' ), $pending['verifier'] );
		if ( is_wp_error( $tokens ) ) {
			return $tokens;
		}
		set_transient( self::used( $pending ), 1, self::TIME );
		$claims = Oidc_Token::check( isset( $tokens['id_token'] ) ? $tokens['id_token'] : null, $pending['nonce'] );
		if ( ! is_wp_error( $claims ) ) {
			Oidc_Logout::remember( $tokens['id_token'] );
		}
		return $claims;
	}

	/**
	 * Call the token endpoint.
	 *
	 * @param string $code     From the provider.
	 * @param string $verifier PKCE.
	 * @return array|\WP_Error
	 */
	private function tokens( $code, $verifier ) {
		$secret = Crypto::decrypt( Oidc_Settings::get( 'client_secret' ) );
		if ( null === $secret ) {
			return new \WP_Error( 'agencystack_sso_secret', "this site cannot read its client secret: its salts were changed; run 'agencystack integrate sso'" );
		}
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- HTTP Basic, RFC 6749 section 2.3.1.
		$basic  = base64_encode( urlencode( Oidc_Settings::get( 'client_id' ) ) . ':' . urlencode( $secret ) );
		$answer = wp_remote_post(
			Oidc_Settings::get( 'token_url' ),
			Oidc_Settings::http(
				array(
					'headers' => array(
						'Authorization' => "Basic $basic",
						'Accept'        => 'application/json',
					),
					'body'    => array(
						'grant_type'    => 'authorization_code',
						'code'          => $code,
						'redirect_uri'  => Oidc_Settings::redirect_uri(),
						'code_verifier' => $verifier,
					),
				)
			)
		);
		if ( is_wp_error( $answer ) ) {
			return new \WP_Error( 'agencystack_sso_unreachable', 'this site cannot reach the provider at ' . Oidc_Settings::get( 'token_url' ) . ': ' . $answer->get_error_message() );
		}
		$tokens = json_decode( wp_remote_retrieve_body( $answer ), true );
		if ( 200 !== wp_remote_retrieve_response_code( $answer ) || ! is_array( $tokens ) ) {
			$said = isset( $tokens['error'] ) && is_string( $tokens['error'] ) ? $tokens['error'] : 'status ' . wp_remote_retrieve_response_code( $answer );
			$more = isset( $tokens['error_description'] ) && is_string( $tokens['error_description'] ) ? $tokens['error_description'] : '';
			return new \WP_Error( 'agencystack_sso_provider', 'the provider did not take the code: ' . substr( trim( "$said $more" ), 0, 300 ) );
		}
		return $tokens;
	}

	/**
	 * The person's account with its roles; made where there is none.
	 *
	 * @param array $claims Of a checked token.
	 * @return \WP_User|\WP_Error
	 */
	private function account( array $claims ) {
		$wanted = Oidc_Roles::judge( $claims );
		$user   = is_wp_error( $wanted ) ? $wanted : Oidc_Accounts::match( $claims );
		$made   = null === $user;
		if ( $made ) {
			$user = Oidc_Accounts::make( $claims );
		}
		if ( is_wp_error( $user ) ) {
			return $user;
		}
		Oidc_Accounts::link( $user->ID, $claims );
		Oidc_Accounts::update( $user, $claims );
		Oidc_Roles::apply( $user->ID, $wanted, $made );
		return new \WP_User( $user->ID );
	}

	/**
	 * Give the browser its cookie and send it on.
	 *
	 * @param \WP_User $user        The account.
	 * @param string   $redirect_to Judged in begin(); empty for the default.
	 */
	private function let_in( $user, $redirect_to ) {
		wp_set_current_user( $user->ID );
		wp_set_auth_cookie( $user->ID, false );
		do_action( 'wp_login', $user->user_login, $user ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own action.
		$default = $user->has_cap( 'edit_posts' ) ? admin_url() : home_url( '/' );
		$address = '' === $redirect_to ? $default : $redirect_to;
		$address = apply_filters( 'login_redirect', $address, $redirect_to, $user ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own filter.
		wp_safe_redirect( $address );
		exit;
	}

	/**
	 * Set the cookie that binds a login to this browser, or take it away.
	 *
	 * @param string $state Of the login.
	 * @param string $value Encrypted.
	 * @param int    $ends  Seconds since 1970.
	 */
	private function set_cookie( $state, $value, $ends ) {
		setcookie(
			self::cookie_name( $state ),
			$value,
			array(
				'expires'  => $ends,
				'path'     => (string) preg_replace( '~[^/]*$~', '', (string) wp_parse_url( Oidc_Settings::redirect_uri(), PHP_URL_PATH ) ),
				'secure'   => 'https' === wp_parse_url( Oidc_Settings::redirect_uri(), PHP_URL_SCHEME ),
				'httponly' => true,
				'samesite' => 'Lax',
			)
		);
	}

	/**
	 * Name of that cookie: each login has its own, so that two tabs do not disturb each other.
	 *
	 * @param string $state Of the login.
	 * @return string
	 */
	private static function cookie_name( $state ) {
		return 'agencystack_sso_' . substr( hash( 'sha256', $state ), 0, 16 );
	}

	/**
	 * Name of the mark that a login was used.
	 *
	 * @param array $pending What this browser began.
	 * @return string
	 */
	private static function used( array $pending ) {
		return 'agencystack_sso_used_' . substr( hash( 'sha256', $pending['state'] ), 0, 32 );
	}

	/**
	 * A parameter of the request.
	 *
	 * @param string $name Which.
	 * @return string Empty where there is none.
	 */
	private static function given( $name ) {
		// phpcs:ignore WordPress.Security -- the state is what a nonce would be; the caller judges the value.
		return isset( $_GET[ $name ] ) && is_string( $_GET[ $name ] ) ? wp_unslash( $_GET[ $name ] ) : '';
	}

	/**
	 * 256 random bits.
	 *
	 * @return string
	 */
	private static function random() {
		return self::base64url( random_bytes( 32 ) );
	}

	/**
	 * Base64url without padding.
	 *
	 * @param string $bytes Bytes.
	 * @return string
	 */
	private static function base64url( $bytes ) {
		return rtrim( strtr( base64_encode( $bytes ), '+/', '-_' ), '=' ); // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- RFC 7636.
	}
}
