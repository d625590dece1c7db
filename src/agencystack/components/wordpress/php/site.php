<?php
/**
 * What the site is: versions, addresses, and the marks AgencyStack leaves on what it owns.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

const OWNER_OPTION = 'agencystack_owner';

/**
 * Versions and addresses.
 *
 * @return array
 */
function site() {
	return array(
		'wordpress'   => get_bloginfo( 'version' ),
		'php'         => PHP_VERSION,
		'wp_cli'      => defined( 'WP_CLI_VERSION' ) ? WP_CLI_VERSION : null,
		'siteurl'     => get_option( 'siteurl' ),
		'home'        => get_option( 'home' ),
		'name'        => wp_specialchars_decode( get_option( 'blogname' ), ENT_QUOTES ),
		'admin_email' => get_option( 'admin_email' ),
		'multisite'   => is_multisite(),
		'environment' => function_exists( 'wp_get_environment_type' ) ? wp_get_environment_type() : 'production',
	);
}

/**
 * Which integration owns what here.
 *
 * @return array Marks by what is owned, for example `mail` => `acme/email/wordpress`.
 */
function owner() {
	$marks = json_decode( (string) get_option( OWNER_OPTION, '' ), true );
	return array( 'marks' => (object) ( is_array( $marks ) ? $marks : array() ) );
}

/**
 * Set or remove marks; the option goes with its last mark.
 *
 * @param array $args `marks`: owner by what is owned, null removes.
 * @return array The marks now.
 */
function write_owner( array $args ) {
	$marks = (array) owner()['marks'];
	foreach ( $args['marks'] as $what => $who ) {
		if ( null === $who ) {
			unset( $marks[ $what ] );
		} else {
			$marks[ $what ] = $who;
		}
	}
	ksort( $marks );
	if ( $marks ) {
		update_option( OWNER_OPTION, wp_json_encode( $marks ), false );
	} else {
		delete_option( OWNER_OPTION );
	}
	return owner();
}
