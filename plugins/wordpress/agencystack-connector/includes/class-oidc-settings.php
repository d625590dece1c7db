<?php
/**
 * What the site knows about the provider people log in at: an option of its own, apart from the mail's.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Reads the settings of single sign-on; AgencyStack writes them. */
final class Oidc_Settings {

	const OPTION = 'agencystack_connector_sso';

	/** Folders of the plugin by the way people log in; our own login has none. */
	const PLUGINS = array(
		'connector'              => array(),
		'miniorange'             => array( 'miniorange-login-with-eve-online-google-facebook' ),
		'openid-connect-generic' => array( 'daggerhart-openid-connect-generic', 'openid-connect-generic' ),
	);

	/** Without one of these nothing can be checked, and nothing is hooked in. */
	const NEEDED = array( 'login', 'issuer', 'client_id', 'scope', 'authorize_url', 'token_url', 'jwks_url' );

	/**
	 * One value.
	 *
	 * @param string $key      For example `issuer`.
	 * @param mixed  $fallback Where it is not set.
	 * @return mixed
	 */
	public static function get( $key, $fallback = '' ) {
		$option = get_option( self::OPTION );
		return is_array( $option ) && isset( $option[ $key ] ) ? $option[ $key ] : $fallback;
	}

	/**
	 * Whether single sign-on is set up.
	 *
	 * @return bool
	 */
	public static function complete() {
		foreach ( self::NEEDED as $key ) {
			if ( '' === (string) self::get( $key ) ) {
				return false;
			}
		}
		return isset( self::PLUGINS[ self::get( 'login' ) ] );
	}

	/**
	 * The roles AgencyStack gives and takes away; every other role of a user is left alone.
	 *
	 * @return string[]
	 */
	public static function managed_roles() {
		return array_values( array_filter( (array) self::get( 'roles', array() ), 'is_string' ) );
	}

	/**
	 * Where the provider sends people back to, exactly as it is registered there.
	 *
	 * @return string
	 */
	public static function redirect_uri() {
		return untrailingslashit( get_option( 'siteurl' ) ) . '/wp-login.php?action=' . Oidc_Login::ACTION;
	}

	/**
	 * Where the provider sends people after a logout, exactly as it is registered there.
	 *
	 * @return string
	 */
	public static function logged_out_uri() {
		return untrailingslashit( get_option( 'siteurl' ) ) . '/wp-login.php?loggedout=true';
	}

	/**
	 * How the provider is called: never unverified, never redirected, never for long.
	 *
	 * @param array $arguments More arguments of wp_remote_request().
	 * @return array
	 */
	public static function http( array $arguments ) {
		return self::trust( $arguments ) + array(
			'timeout'             => 15,
			'redirection'         => 0,
			'limit_response_size' => 262144,
		);
	}

	/**
	 * Arguments of a request with its certificate verified, against the private authority where there is one.
	 *
	 * @param array $arguments Arguments of wp_remote_request().
	 * @return array
	 */
	public static function trust( array $arguments ) {
		$arguments['sslverify'] = true;
		$pem                    = self::get( 'ca' );
		if ( '' !== $pem ) {
			// A file that cannot be written is still named: the request fails rather than trust somebody else.
			$file                         = Authority::file( $pem );
			$arguments['sslcertificates'] = null === $file ? Authority::folder() . '/missing.pem' : $file;
		}
		return $arguments;
	}
}
