<?php
/**
 * Checks what a login plugin does not: the ID token it was given, and whose account it opens.
 *
 * miniOrange's free version takes a token with a forged signature, a foreign issuer or audience, and one that ended
 * long ago; openid-connect-generic reads no signature either. Both trust whoever answers at the token endpoint.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Stands between the login plugin and the token endpoint; where it could not check, nobody is let in. */
final class Oidc_Guard {

	/**
	 * Claims of the token that was checked in this request.
	 *
	 * @var array|null
	 */
	private $claims = null;

	/**
	 * Accounts made in this request.
	 *
	 * @var int[]
	 */
	private $made = array();

	/**
	 * Accounts the person may use, as they were before the plugin could change them.
	 *
	 * @var int[]
	 */
	private $open = array();

	/** Hook in, where a plugin carries the login. */
	public function hook() {
		add_filter( 'http_request_args', array( $this, 'verify_certificate' ), PHP_INT_MAX, 2 );
		add_filter( 'http_response', array( $this, 'check_answer' ), PHP_INT_MAX, 3 );
		add_filter( 'wp_pre_insert_user_data', array( $this, 'before_account' ), 1, 3 );
		add_action( 'user_register', array( $this, 'account_made' ), 1 );
		add_action( 'set_auth_cookie', array( $this, 'before_login' ), 1, 6 );
	}

	/**
	 * Whether a plugin carries the login.
	 *
	 * @return bool
	 */
	private function watches() {
		return Oidc_Settings::complete() && 'connector' !== Oidc_Settings::get( 'login' );
	}

	/**
	 * Call the provider with its certificate verified, whatever the plugin says.
	 *
	 * @param array  $arguments Of the request.
	 * @param string $url       Address.
	 * @return array
	 */
	public function verify_certificate( $arguments, $url ) {
		$ours = array( Oidc_Settings::get( 'token_url' ), Oidc_Settings::get( 'userinfo_url' ) );
		return $this->watches() && in_array( $url, $ours, true ) ? Oidc_Settings::trust( $arguments ) : $arguments;
	}

	/**
	 * Check the token endpoint's answer; one that does not hold never reaches the plugin.
	 *
	 * @param array|\WP_Error $answer    Of the request.
	 * @param array           $arguments Of the request.
	 * @param string          $url       Address.
	 * @return array|\WP_Error
	 */
	public function check_answer( $answer, $arguments, $url ) {
		if ( is_wp_error( $answer ) || ! $this->watches() || Oidc_Settings::get( 'token_url' ) !== $url ) {
			return $answer;
		}
		$this->claims = null;
		$tokens       = json_decode( wp_remote_retrieve_body( $answer ), true );
		// Without tokens it is the provider's refusal, which the plugin shows.
		if ( ! isset( $tokens['id_token'] ) && ! isset( $tokens['access_token'] ) ) {
			return $answer;
		}
		$renewed = isset( $arguments['body']['grant_type'] ) && 'refresh_token' === $arguments['body']['grant_type'];
		if ( $renewed && ! isset( $tokens['id_token'] ) ) {
			return $answer;
		}
		$claims = $this->accepted( isset( $tokens['id_token'] ) ? $tokens['id_token'] : null );
		if ( is_wp_error( $claims ) ) {
			Oidc_Refusal::note( $claims );
			return $claims;
		}
		if ( ! $renewed ) {
			$this->claims = $claims;
			Oidc_Logout::remember( $tokens['id_token'] );
		}
		return $answer;
	}

	/**
	 * The claims of a token that holds, of a person who has a role here and opens no account of somebody else.
	 *
	 * @param mixed $token As the provider sent it.
	 * @return array|\WP_Error
	 */
	private function accepted( $token ) {
		$claims = Oidc_Token::check( $token );
		$wanted = is_wp_error( $claims ) ? $claims : Oidc_Roles::judge( $claims );
		$open   = is_wp_error( $wanted ) ? $wanted : $this->look_at_accounts( $claims );
		return is_wp_error( $open ) ? $open : $claims;
	}

	/**
	 * Look at every account the plugin could open, before it opens or changes one.
	 *
	 * @param array $claims Of a checked token.
	 * @return true|\WP_Error
	 */
	private function look_at_accounts( array $claims ) {
		$this->open = array();
		$accounts   = $this->accounts( $claims );
		foreach ( $accounts as $user ) {
			$open = Oidc_Accounts::open_to( $user, $claims );
			if ( is_wp_error( $open ) ) {
				return $open;
			}
			$this->open[] = $user->ID;
		}
		// The plugins store the address they are given, and the next person with that address would find this account.
		if ( ! $accounts && '' === Oidc_Accounts::verified_email( $claims ) ) {
			return new \WP_Error( 'agencystack_sso_unverified', 'the provider has not verified your e-mail address; do that first' );
		}
		return true;
	}

	/**
	 * Accounts the plugin could choose for a person: it looks for the login, then for the address, verified or not.
	 *
	 * @param array $claims Of a checked token.
	 * @return \WP_User[]
	 */
	private function accounts( array $claims ) {
		$found = array( Oidc_Accounts::linked( $claims ) );
		if ( isset( $claims['preferred_username'] ) && 'miniorange' === Oidc_Settings::get( 'login' ) ) {
			$found[] = get_user_by( 'login', (string) $claims['preferred_username'] );
		}
		if ( isset( $claims['email'] ) ) {
			$found[] = get_user_by( 'email', (string) $claims['email'] );
		}
		return array_filter( $found );
	}

	/**
	 * Let the plugin make an account only with a checked token, and change only the person's own.
	 *
	 * @param array    $data    Of the account.
	 * @param bool     $update  Whether it exists.
	 * @param int|null $user_id Which, where it exists.
	 * @return array
	 */
	public function before_account( $data, $update, $user_id ) {
		if ( $this->is_plugins_doing() ) {
			$this->must_be_checked();
			if ( $update && ! $this->is_own( $user_id ) ) {
				$this->refuse_other_account();
			}
		}
		return $data;
	}

	/**
	 * Remember an account the plugin made.
	 *
	 * @param int $user_id The account.
	 */
	public function account_made( $user_id ) {
		if ( null !== $this->claims && $this->is_plugins_doing() ) {
			$this->made[] = $user_id;
			update_user_meta( $user_id, Oidc_Accounts::MADE, '1' );
		}
	}

	/**
	 * The last moment before the browser gets its cookie: the account must be the person's, then it gets its roles.
	 *
	 * @param string $cookie     The cookie.
	 * @param int    $expire     When it ends.
	 * @param int    $expiration When its session ends.
	 * @param int    $user_id    The account.
	 * @param string $scheme     Kind of the cookie.
	 * @param string $token      Session.
	 */
	public function before_login( $cookie, $expire, $expiration, $user_id, $scheme = '', $token = '' ) {
		if ( ! $this->is_plugins_doing() ) {
			return;
		}
		if ( null === $this->claims || ! $this->is_own( $user_id ) ) {
			\WP_Session_Tokens::get_instance( $user_id )->destroy( $token );
			$this->must_be_checked();
			$this->refuse_other_account();
		}
		Oidc_Accounts::link( $user_id, $this->claims );
		Oidc_Roles::apply( $user_id, Oidc_Roles::wanted( $this->claims ), in_array( $user_id, $this->made, true ) );
	}

	/**
	 * Whether an account is the person's: looked at before, or made in this request.
	 *
	 * @param int $user_id The account.
	 * @return bool
	 */
	private function is_own( $user_id ) {
		return in_array( (int) $user_id, array_merge( $this->open, $this->made ), true );
	}

	/** End the request of a plugin that opens or changes somebody else's account. */
	private function refuse_other_account() {
		Oidc_Refusal::show( new \WP_Error( 'agencystack_sso_other_account', 'the login plugin opened an account that is not yours' ) );
	}

	/** End the request where no token was checked in it. */
	private function must_be_checked() {
		if ( null === $this->claims ) {
			Oidc_Refusal::show( new \WP_Error( 'agencystack_sso_unchecked', 'the login plugin let somebody in whose ID token was not checked; its token endpoint is not the one AgencyStack knows' ) );
		}
	}

	/**
	 * Whether the login plugin's own code is at work: asked of the calls that lead here, as no hook tells.
	 *
	 * @return bool
	 */
	private function is_plugins_doing() {
		if ( ! $this->watches() ) {
			return false;
		}
		$folders = array();
		foreach ( Oidc_Settings::PLUGINS[ Oidc_Settings::get( 'login' ) ] as $slug ) {
			$folders[] = trailingslashit( wp_normalize_path( WP_PLUGIN_DIR . '/' . $slug ) );
			$folders[] = trailingslashit( wp_normalize_path( (string) realpath( WP_PLUGIN_DIR . '/' . $slug ) ) );
		}
		// phpcs:ignore WordPress.PHP.DevelopmentFunctions -- the only way to know who calls.
		foreach ( debug_backtrace( DEBUG_BACKTRACE_IGNORE_ARGS ) as $call ) {
			$file = isset( $call['file'] ) ? wp_normalize_path( $call['file'] ) : '';
			foreach ( $folders as $folder ) {
				if ( '/' !== $folder && 0 === strpos( $file, $folder ) ) {
					return true;
				}
			}
		}
		return false;
	}
}
