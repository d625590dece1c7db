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

/**
 * Have the connector keep a form entry, by the hook it has for every form plugin.
 *
 * @param array $args `email` and `message`.
 * @return array `kept`.
 * @throws Refusal When the connector keeps none.
 */
function fill_form( array $args ) {
	if ( ! has_action( 'agencystack_form_submission' ) ) {
		throw new Refusal( 'not-active', 'the AgencyStack Connector keeps no form entries' );
	}
	do_action(
		'agencystack_form_submission',
		array(
			'source'     => 'agencystack',
			'form_id'    => 'proof',
			'form_title' => 'Proof of AgencyStack',
			'page_url'   => home_url( '/' ),
			'page_title' => get_bloginfo( 'name' ),
			'fields'     => array(
				array(
					'name'  => 'your-email',
					'label' => 'E-mail',
					'type'  => 'email',
					'value' => (string) $args['email'],
				),
				array(
					'name'  => 'your-message',
					'label' => 'Message',
					'type'  => 'textarea',
					'value' => (string) $args['message'],
				),
			),
		)
	);
	return array( 'kept' => true );
}

/**
 * Call the bridge as the connector and WooCommerce do, without a signature: whoever answers "no" is reached.
 *
 * @param array $args `url`: where the connector shall call.
 * @return array `status`: of the answer, 0 without one; `error`: why there is none; `allowed`: WordPress lets plugins
 *               call it that use its own check of addresses, as WooCommerce's webhooks do.
 */
function reaches_bridge( array $args ) {
	$url    = (string) $args['url'];
	$answer = wp_remote_post(
		$url,
		array(
			'body'                => '{}',
			'timeout'             => 5,
			'redirection'         => 0,
			'limit_response_size' => 1024,
			'headers'             => array( 'Content-Type' => 'application/json' ),
		)
	);
	return array(
		'status'  => is_wp_error( $answer ) ? 0 : (int) wp_remote_retrieve_response_code( $answer ),
		'error'   => is_wp_error( $answer ) ? $answer->get_error_message() : '',
		'allowed' => false !== wp_http_validate_url( $url ),
	);
}
