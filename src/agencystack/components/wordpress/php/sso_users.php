<?php
/**
 * What proofs of single sign-on ask of the site: who somebody became, and whether a token is taken.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

/** Only accounts with such a login are ever deleted. */
const PROBE_PREFIX = 'agencystack-probe-';

/**
 * A user by login, or by e-mail where no login matches.
 *
 * @param array $args `who`.
 * @return array|null `id`, `login`, `email`, `name`, `roles`, `made_by_sso`, `linked`, `sessions`.
 */
function sso_user( array $args ) {
	$user = get_user_by( 'login', $args['who'] );
	$user = $user ? $user : get_user_by( 'email', $args['who'] );
	if ( ! $user ) {
		return null;
	}
	return array(
		'id'          => $user->ID,
		'login'       => $user->user_login,
		'email'       => $user->user_email,
		'name'        => $user->display_name,
		'roles'       => array_values( $user->roles ),
		'made_by_sso' => '1' === get_user_meta( $user->ID, 'agencystack_sso_made', true ),
		'linked'      => '' !== (string) get_user_meta( $user->ID, 'agencystack_sso_subject', true ),
		'sessions'    => count( \WP_Session_Tokens::get_instance( $user->ID )->get_all() ),
	);
}

/**
 * Logins of all probe users. Of a whole network: one whose proof died between account and role is on no site.
 *
 * Read from the table, as plugins hide accounts from WP_User_Query.
 *
 * @return string[]
 */
function sso_probe_users() {
	global $wpdb;
	$names = $wpdb->prepare( "SELECT user_login FROM $wpdb->users WHERE user_login LIKE %s ORDER BY user_login", $wpdb->esc_like( PROBE_PREFIX ) . '%' );
	return $wpdb->get_col( $names );
}

/**
 * Delete a probe user with sessions and meta; nobody inherits anything. Missing is fine.
 *
 * @param array $args `login`.
 * @return array `deleted`.
 * @throws Refusal For any other user, or when something keeps WordPress from deleting it.
 */
function sso_forget_user( array $args ) {
	if ( 0 !== strpos( $args['login'], PROBE_PREFIX ) ) {
		throw new Refusal( 'not-a-probe', "{$args['login']} is not a probe user, and only those are deleted" );
	}
	// miniOrange keeps the claims of whoever logged in last.
	$claims = get_option( 'mo_oauth_attr_name_list' );
	if ( is_array( $claims ) && isset( $claims['preferred_username'] ) && $args['login'] === $claims['preferred_username'] ) {
		delete_option( 'mo_oauth_attr_name_list' );
	}
	$user = get_user_by( 'login', $args['login'] );
	if ( ! $user || $user->user_login !== $args['login'] ) {
		return array( 'deleted' => false );
	}
	require_once ABSPATH . 'wp-admin/includes/user.php';
	\WP_Session_Tokens::get_instance( $user->ID )->destroy_all();
	if ( is_multisite() ) {
		require_once ABSPATH . 'wp-admin/includes/ms.php';
		wpmu_delete_user( $user->ID );
	} else {
		wp_delete_user( $user->ID );
	}
	if ( get_user_by( 'id', $user->ID ) ) {
		throw new Refusal( 'not-deleted', "{$args['login']} could not be deleted" );
	}
	return array( 'deleted' => true );
}

/**
 * Check a token with the site's live settings, as a login would.
 *
 * @param array $args `token`; `nonce` or null.
 * @return array `accepted`, `code` and `why` where not, `roles` where accepted.
 * @throws Refusal When the connector is not active or not set up.
 */
function sso_check_token( array $args ) {
	if ( ! class_exists( 'AgencyStack\Connector\Oidc_Token' ) || ! \AgencyStack\Connector\Oidc_Settings::complete() ) {
		throw new Refusal( 'not-active', 'the connector\'s single sign-on is not set up' );
	}
	$claims = \AgencyStack\Connector\Oidc_Token::check( $args['token'], $args['nonce'] );
	$roles  = is_wp_error( $claims ) ? $claims : \AgencyStack\Connector\Oidc_Roles::wanted( $claims );
	if ( is_wp_error( $roles ) ) {
		return array(
			'accepted' => false,
			'code'     => str_replace( 'agencystack_sso_', '', $roles->get_error_code() ),
			'why'      => $roles->get_error_message(),
			'roles'    => array(),
		);
	}
	return array( 'accepted' => true, 'code' => '', 'why' => '', 'roles' => $roles );
}
