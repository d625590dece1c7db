<?php
/**
 * Plugin Name: OpenID Connect Generic
 * Version:     3.10.3
 *
 * AgencyStack's test double of openid-connect-generic, written from what the real one was seen to do: an option over
 * which OIDC_* constants rule, the callback on admin-ajax.php, no look at the ID token's signature, people found by
 * the subject it kept and then by e-mail, and errors shown on the login page.
 *
 * @package AgencyStack\Tests
 */

add_action( 'wp_ajax_nopriv_openid-connect-authorize', 'openid_double_answer' );
add_action( 'wp_ajax_openid-connect-authorize', 'openid_double_answer' );
add_filter( 'login_message', 'openid_double_button' );

/**
 * A setting.
 *
 * @param string $key Which.
 * @return mixed
 */
function openid_double_setting( $key ) {
	$constants = array(
		'client_id'      => 'OIDC_CLIENT_ID',
		'endpoint_token' => 'OIDC_ENDPOINT_TOKEN_URL',
	);
	if ( isset( $constants[ $key ] ) && defined( $constants[ $key ] ) ) {
		return constant( $constants[ $key ] );
	}
	$settings = (array) get_option( 'openid_connect_generic_settings', array() );
	return isset( $settings[ $key ] ) ? $settings[ $key ] : '';
}

/**
 * Show an error on the login page.
 *
 * @param WP_Error $error Why.
 */
function openid_double_refuse( $error ) {
	wp_redirect( wp_login_url() . '?login-error=' . $error->get_error_code() . '&message=' . rawurlencode( $error->get_error_message() ) );
	exit;
}

/** Take what the provider sent. */
function openid_double_answer() {
	if ( ! get_transient( 'openid-connect-generic-state--' . $_GET['state'] ) ) {
		openid_double_refuse( new WP_Error( 'invalid-state', 'Invalid state.' ) );
	}
	$answer = wp_remote_post(
		openid_double_setting( 'endpoint_token' ),
		array(
			'body'    => array(
				'code'          => $_GET['code'],
				'client_id'     => openid_double_setting( 'client_id' ),
				'client_secret' => openid_double_setting( 'client_secret' ),
				'redirect_uri'  => admin_url( 'admin-ajax.php?action=openid-connect-authorize' ),
				'grant_type'    => 'authorization_code',
				'scope'         => openid_double_setting( 'scope' ),
			),
			'headers' => array( 'Host' => wp_parse_url( openid_double_setting( 'endpoint_token' ), PHP_URL_HOST ) ),
		)
	);
	if ( is_wp_error( $answer ) ) {
		openid_double_refuse( $answer );
	}
	$tokens = json_decode( $answer['body'], true );
	if ( isset( $tokens['error'] ) ) {
		openid_double_refuse( new WP_Error( $tokens['error'], $tokens['error_description'] ) );
	}
	$claims = json_decode( base64_decode( strtr( explode( '.', $tokens['id_token'] )[1], '-_', '+/' ) ), true );
	openid_double_log_in( $claims );
}

/**
 * Let the person in.
 *
 * @param array $claims Of the ID token.
 */
function openid_double_log_in( $claims ) {
	$found = get_users( array( 'meta_key' => 'openid-connect-generic-subject-identity', 'meta_value' => $claims['sub'] ) );
	$id    = $found ? $found[0]->ID : 0;
	if ( ! $id && openid_double_setting( 'link_existing_users' ) ) {
		$id = (int) email_exists( $claims['email'] );
	}
	if ( ! $id ) {
		$name  = sanitize_user( explode( '@', $claims['preferred_username'] )[0], true );
		$free  = $name;
		$count = 1;
		while ( username_exists( $free ) ) {
			++$count;
			$free = $name . $count;
		}
		$id = wp_insert_user(
			array(
				'user_login' => $free,
				'user_pass'  => wp_generate_password( 32 ),
				'user_email' => $claims['email'],
			)
		);
	}
	if ( is_wp_error( $id ) ) {
		openid_double_refuse( new WP_Error( 'failed-user-creation', 'Failed user creation.' ) );
	}
	update_user_meta( $id, 'openid-connect-generic-subject-identity', $claims['sub'] );
	$token = WP_Session_Tokens::get_instance( $id )->create( time() + DAY_IN_SECONDS );
	wp_set_auth_cookie( $id, false, '', $token );
	do_action( 'wp_login', get_user_by( 'id', $id )->user_login, get_user_by( 'id', $id ) );
	wp_redirect( admin_url() );
	exit;
}

/**
 * Its button on the login page; each opening of the page begins a login.
 *
 * @param string $message What stands there.
 * @return string
 */
function openid_double_button( $message ) {
	if ( isset( $_GET['login-error'], $_GET['message'] ) ) {
		$message .= '<div id="login_error">ERROR (' . esc_html( $_GET['login-error'] ) . '): ' . esc_html( wp_unslash( $_GET['message'] ) ) . '</div>';
	}
	$state = md5( random_bytes( 16 ) );
	set_transient( "openid-connect-generic-state--$state", 1, 180 );
	$url = openid_double_setting( 'endpoint_login' ) . '?response_type=code&scope=' . rawurlencode( openid_double_setting( 'scope' ) )
		. '&client_id=' . rawurlencode( openid_double_setting( 'client_id' ) ) . "&state=$state&redirect_uri="
		. rawurlencode( admin_url( 'admin-ajax.php?action=openid-connect-authorize' ) );
	return $message . '<a href="' . esc_url( $url ) . '">Login with OpenID Connect</a>';
}
