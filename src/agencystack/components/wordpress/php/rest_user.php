<?php
/**
 * The bridge's user where the connector cannot be: it comes by WordPress's own REST interface, with an application
 * password, and has a role of the products and no more.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

const REST_USER      = 'agencystack-bridge-rest';
const REST_USER_MARK = 'agencystack_rest_user';

/**
 * Whether a user is the one we made, and not somebody's who happens to be called so.
 *
 * @param \WP_User $user The user.
 * @return bool
 */
function is_our_rest_user( $user ) {
	return '1' === get_user_meta( $user->ID, REST_USER_MARK, true );
}

/**
 * The user as it is.
 *
 * @return array `there`; then `roles`, further `capabilities`, and the ids of its application `passwords`.
 */
function rest_user() {
	$user = get_user_by( 'login', REST_USER );
	if ( ! $user || ! is_our_rest_user( $user ) || ( is_multisite() && ! is_user_member_of_blog( $user->ID ) ) ) {
		return array( 'there' => false );
	}
	$roles    = array_values( $user->roles );
	$given    = array_keys( array_filter( $user->caps ) );
	$password = \WP_Application_Passwords::get_user_application_passwords( $user->ID );
	return array(
		'there'        => true,
		'roles'        => $roles,
		'capabilities' => array_values( array_diff( $given, $roles ) ),
		'passwords'    => array_column( $password, 'uuid' ),
	);
}

/**
 * Make the user, or change it: this role, these further capabilities and no other.
 *
 * @param array $args `role`, `capabilities`, and `password`: `keep` what it has, make a `new` one in place of all it
 *                    has, or have `none`.
 * @return array `uuid` and `password` of a new one, else empty.
 * @throws Refusal When the role is not there, somebody else has the name, or WordPress declines.
 */
function write_rest_user( array $args ) {
	if ( null === get_role( $args['role'] ) ) {
		throw new Refusal( 'no-role', "there is no role {$args['role']}: WooCommerce is not active" );
	}
	$user = get_user_by( 'login', REST_USER );
	if ( $user && ! is_our_rest_user( $user ) ) {
		throw new Refusal( 'not-ours', 'there is a user ' . REST_USER . ' already, which AgencyStack did not make' );
	}
	$id = $user ? $user->ID : wp_insert_user(
		array(
			'user_login'   => REST_USER,
			'user_pass'    => wp_generate_password( 64, true, true ),
			'display_name' => 'AgencyStack Bridge',
			'role'         => $args['role'],
			'meta_input'   => array( REST_USER_MARK => '1' ),
		)
	);
	if ( is_wp_error( $id ) ) {
		throw new Refusal( 'error', 'WordPress refuses the user ' . REST_USER . ': ' . $id->get_error_message() );
	}
	if ( is_multisite() && ! is_user_member_of_blog( $id ) ) {
		add_user_to_blog( get_current_blog_id(), $id, $args['role'] );
	}
	$user = new \WP_User( $id );
	$user->remove_all_caps();
	$user->set_role( $args['role'] );
	foreach ( $args['capabilities'] as $capability ) {
		$user->add_cap( $capability );
	}
	if ( 'keep' === $args['password'] ) {
		return array();
	}
	\WP_Application_Passwords::delete_all_application_passwords( $id );
	return 'new' === $args['password'] ? new_application_password( $user ) : array();
}

/**
 * Give the user an application password.
 *
 * Whether the site is reached by TLS is not known here: that is seen when the password is used.
 *
 * @param \WP_User $user The user.
 * @return array `uuid` and `password`.
 * @throws Refusal When the site allows none.
 */
function new_application_password( $user ) {
	$allowed = apply_filters( 'wp_is_application_passwords_available', true )
		&& apply_filters( 'wp_is_application_passwords_available_for_user', true, $user );
	if ( ! $allowed ) {
		throw new Refusal( 'no-passwords', 'application passwords are switched off on this site' );
	}
	$made = \WP_Application_Passwords::create_new_application_password( $user->ID, array( 'name' => 'AgencyStack' ) );
	if ( is_wp_error( $made ) ) {
		throw new Refusal( 'no-passwords', 'WordPress made no application password: ' . $made->get_error_message() );
	}
	return array(
		'uuid'     => $made[1]['uuid'],
		'password' => $made[0],
	);
}

/**
 * Delete the user; what it made stays and becomes nobody's. Not there, or somebody else's, is fine.
 *
 * @return null
 */
function delete_rest_user() {
	global $wpdb;
	$user = get_user_by( 'login', REST_USER );
	if ( ! $user || ! is_our_rest_user( $user ) ) {
		return null;
	}
	require_once ABSPATH . 'wp-admin/includes/user.php';
	if ( is_multisite() ) {
		remove_user_from_blog( $user->ID, get_current_blog_id() );
		if ( ! get_blogs_of_user( $user->ID ) ) {
			require_once ABSPATH . 'wp-admin/includes/ms.php';
			wpmu_delete_user( $user->ID );
		}
		return null;
	}
	// wp_delete_user() would put its posts into the bin.
	$wpdb->update( $wpdb->posts, array( 'post_author' => 0 ), array( 'post_author' => $user->ID ) );
	wp_delete_user( $user->ID );
	return null;
}
