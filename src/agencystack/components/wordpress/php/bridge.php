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
	$state = call_user_func( array( BRIDGE_CLASS, 'state' ) );
	if ( null === $state ) {
		return array( 'plugin' => true, 'pairing' => '' );
	}
	// A key that can no longer be opened is none; a user or a table that was lost shows as "not well".
	$readable = array_filter(
		$state['keys'],
		static function ( $key ) {
			return $key['readable'];
		}
	);
	return array(
		'plugin'   => true,
		'pairing'  => $state['pairing'],
		'hook_url' => $state['hook'],
		'ca'       => $state['ca'],
		'keys'     => array_column( $readable, 'id' ),
		'entities' => (object) $state['entities'],
		'meta'     => $state['meta'],
		'well'     => $state['user'] && $state['tables'],
		'instance' => $state['instance'],
	);
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
		call_user_func( array( BRIDGE_CLASS, 'configure' ), array( 'hook' => $wanted['hook_url'] ) + $wanted );
	}
	$now = bridge();
	if ( ( $wanted['pairing'] ?? '' ) !== $now['pairing'] ) {
		throw new Refusal( 'not-written', 'the connector did not keep how it is joined to the bridge' );
	}
	return $now;
}
