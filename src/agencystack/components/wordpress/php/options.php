<?php
/**
 * An option of WordPress as it lies in its table, for an undo that puts it back byte for byte.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

/**
 * The row of an option.
 *
 * @param string $name Of the option.
 * @return array|null `value` (base64 of the column) and `autoload`; null where there is none.
 */
function option_image( $name ) {
	global $wpdb;
	$row = $wpdb->get_row( $wpdb->prepare( "SELECT option_value, autoload FROM $wpdb->options WHERE option_name = %s", $name ) );
	return $row ? array( 'value' => base64_encode( $row->option_value ), 'autoload' => $row->autoload ) : null;
}

/**
 * Put the row of an option back byte for byte.
 *
 * @param string     $name  Of the option.
 * @param array|null $image As of option_image(); null where there was none.
 * @throws Refusal When the database did not take it.
 */
function put_option_image( $name, $image ) {
	global $wpdb;
	if ( null === $image ) {
		$done = false !== $wpdb->delete( $wpdb->options, array( 'option_name' => $name ) );
	} else {
		$done = false !== $wpdb->query(
			$wpdb->prepare(
				"INSERT INTO $wpdb->options (option_name, option_value, autoload) VALUES (%s, %s, %s)
				ON DUPLICATE KEY UPDATE option_value = VALUES(option_value), autoload = VALUES(autoload)",
				$name,
				base64_decode( $image['value'] ),
				$image['autoload']
			)
		);
	}
	foreach ( array( $name, 'alloptions', 'notoptions' ) as $cached ) {
		wp_cache_delete( $cached, 'options' );
	}
	if ( ! $done ) {
		throw new Refusal( 'not-written', "the option $name was not stored: $wpdb->last_error" );
	}
}

/**
 * The value in an image.
 *
 * @param array|null $image As of option_image().
 * @return array Empty where there was none.
 */
function option_in( $image ) {
	$value = null === $image ? array() : maybe_unserialize( base64_decode( $image['value'] ) );
	return is_array( $value ) ? $value : array();
}
