<?php
/**
 * The token that opens the details of the connector's health endpoint; the site keeps its hash.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

const HEALTH_OPTION = 'agencystack_connector_health';

/**
 * The hash of the token.
 *
 * @return array `token`: null where there is none.
 */
function health() {
	$option = get_option( HEALTH_OPTION );
	return array( 'token' => is_array( $option ) && ! empty( $option['token'] ) ? (string) $option['token'] : null );
}

/**
 * Set the hash of the token, or take the token away.
 *
 * @param array $args `token`: SHA-256 in hexadecimal digits, or null.
 * @return array As of health().
 * @throws Refusal When it is no hash, or the database did not take it.
 */
function write_health( array $args ) {
	if ( null === $args['token'] ) {
		delete_option( HEALTH_OPTION );
	} elseif ( ! preg_match( '/^[0-9a-f]{64}$/D', $args['token'] ) ) {
		throw new Refusal( 'not-written', 'the token is to be given as its hash' );
	} else {
		update_option( HEALTH_OPTION, array( 'token' => $args['token'] ), false );
	}
	$now = health();
	if ( $now['token'] !== $args['token'] ) {
		throw new Refusal( 'not-written', 'the option ' . HEALTH_OPTION . ' was not stored' );
	}
	return $now;
}
