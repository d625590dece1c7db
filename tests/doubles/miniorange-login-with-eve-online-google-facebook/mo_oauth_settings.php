<?php
/**
 * Plugin Name: OAuth Single Sign On - SSO (OAuth Client)
 * Version:     6.26.17
 *
 * AgencyStack's test double of miniOrange's free login plugin, written from its recorded traffic
 * (contract/wordpress/miniorange.json): one option, the callback on every page, no look at the ID token's signature,
 * users found by login and then by e-mail, whose address is overwritten, and administrators refused unless allowed.
 *
 * @package AgencyStack\Tests
 */

add_action( 'init', 'miniorange_double_answer' );
add_action( 'login_form', 'miniorange_double_button' );

/** Start a login, or take what the provider sent. */
function miniorange_double_answer() {
	$apps = (array) get_option( 'mo_oauth_apps_list', array() );
	if ( isset( $_GET['option'], $_GET['app_name'] ) && 'oauthredirect' === $_GET['option'] ) {
		$app   = $apps[ $_GET['app_name'] ];
		$state = base64_encode( $_GET['app_name'] . '|' . time() . '|' . wp_hash( 'ip' ) . '|' . bin2hex( random_bytes( 8 ) ) );
		setcookie( 'mo_oauth_sso_state', $state, time() + 300, '/' );
		header( "Location: {$app['authorizeurl']}?client_id={$app['clientid']}&scope={$app['scope']}&redirect_uri={$app['redirecturi']}&response_type=code&state=" . $state );
		exit;
	}
	if ( isset( $_REQUEST['code'] ) && ! is_user_logged_in() ) {
		$cookie = isset( $_COOKIE['mo_oauth_sso_state'] ) ? wp_unslash( $_COOKIE['mo_oauth_sso_state'] ) : '';
		if ( '' === $cookie || $cookie !== wp_unslash( $_REQUEST['state'] ) ) {
			wp_die( 'Invalid state' );
		}
		miniorange_double_log_in( $apps[ explode( '|', base64_decode( $cookie ) )[0] ] );
	}
}

/**
 * Exchange the code and let the person in.
 *
 * @param array $app Settings.
 */
function miniorange_double_log_in( $app ) {
	$answer = wp_remote_post(
		$app['accesstokenurl'],
		array(
			'headers'   => array( 'Authorization' => 'Basic ' . base64_encode( $app['clientid'] . ':' . $app['clientsecret'] ) ),
			'body'      => array(
				'grant_type'   => 'authorization_code',
				'code'         => $_GET['code'],
				'redirect_uri' => $app['redirecturi'],
			),
			'sslverify' => false,
		)
	);
	if ( is_wp_error( $answer ) ) {
		wp_die( $answer );
	}
	$tokens = json_decode( $answer['body'], true );
	if ( isset( $tokens['error_description'] ) ) {
		exit( esc_html( $tokens['error_description'] ) );
	}
	$token  = isset( $tokens['id_token'] ) ? $tokens['id_token'] : $tokens['access_token'];
	$claims = json_decode( base64_decode( strtr( explode( '.', $token )[1], '-_', '+/' ) ), true );
	update_option( 'mo_oauth_attr_name_list', $claims );
	$name  = $claims[ $app['username_attr'] ];
	$email = $claims[ $app['email_attr'] ];
	$user  = get_user_by( 'login', $name );
	$user  = $user ? $user : get_user_by( 'email', $email );
	if ( $user ) {
		if ( in_array( 'administrator', $user->roles, true ) && ! $app['allow_admin_sso'] ) {
			wp_die( 'WPO005: Invalid Login attempt. Please login using email and password.' );
		}
		wp_update_user( array( 'ID' => $user->ID, 'user_email' => $email ) );
	} else {
		$id   = wp_create_user( $name, wp_generate_password( 10, false ), $email );
		$user = get_user_by( 'id', $id );
	}
	wp_set_current_user( $user->ID );
	wp_set_auth_cookie( $user->ID );
	do_action( 'wp_login', $user->user_login, $user );
	wp_safe_redirect( home_url() );
	exit;
}

/** Its button on the login page. */
function miniorange_double_button() {
	foreach ( (array) get_option( 'mo_oauth_apps_list', array() ) as $name => $app ) {
		echo '<a href="' . esc_url( site_url( "/?option=oauthredirect&app_name=$name" ) ) . '">Login with ' . esc_html( $name ) . '</a>';
	}
}
