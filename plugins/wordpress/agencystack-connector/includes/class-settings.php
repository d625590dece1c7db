<?php
/**
 * The connector's one option.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Reads settings by group and key; AgencyStack writes them. */
final class Settings {

	const OPTION = 'agencystack_connector';

	/**
	 * One value.
	 *
	 * @param string $group    For example `smtp`.
	 * @param string $key      For example `host`.
	 * @param mixed  $fallback Where it is not set.
	 * @return mixed
	 */
	public static function get( $group, $key, $fallback = '' ) {
		$option = get_option( self::OPTION );
		return is_array( $option ) && isset( $option[ $group ][ $key ] ) ? $option[ $group ][ $key ] : $fallback;
	}
}
