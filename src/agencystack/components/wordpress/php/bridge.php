<?php
/**
 * How the connector is joined to the data bridge; its own class keeps and seals it.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

const BRIDGE_CLASS = '\AgencyStack\Connector\Bridge_Settings';

/**
 * What the connector knows of the bridge.
 *
 * @return array `plugin`: whether it knows the bridge at all; then the connector's own state, never a secret.
 */
function bridge() {
	if ( ! class_exists( BRIDGE_CLASS ) ) {
		return array( 'plugin' => false );
	}
	return array( 'plugin' => true ) + call_user_func( array( BRIDGE_CLASS, 'state' ) );
}

/**
 * Join the site to the bridge, or part it again.
 *
 * @param array $args `configuration`: pairing, hook_url, keys (id and secret, newest first), entities; null parts it.
 * @return array As of bridge().
 * @throws Refusal When the connector is not active, or did not keep it.
 */
function write_bridge( array $args ) {
	if ( ! class_exists( BRIDGE_CLASS ) ) {
		throw new Refusal( 'not-active', 'the AgencyStack Connector is not active' );
	}
	$wanted = $args['configuration'];
	if ( null === $wanted ) {
		call_user_func( array( BRIDGE_CLASS, 'clear' ) );
	} else {
		call_user_func( array( BRIDGE_CLASS, 'configure' ), $wanted );
	}
	$now = bridge();
	if ( ( $wanted['pairing'] ?? '' ) !== $now['pairing'] ) {
		throw new Refusal( 'not-written', 'the connector did not keep how it is joined to the bridge' );
	}
	return $now;
}
