<?php
/**
 * Changes the site's single sign-on, and puts it back.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

/**
 * Write the fields where they are held: in the plugin's settings and in the connector's.
 *
 * @param array $args `way`; `fields`: values by name; `expected`: effective values the change was planned on.
 * @return array `left`: nothing.
 * @throws Refusal When a plugin is not active, or a value is not the expected one.
 */
function write_sso( array $args ) {
	$way = $args['way'];
	sso_must_be_active( $way );
	sso_expect( $way, $args['expected'] );
	foreach ( array_unique( array( $way, 'connector' ) ) as $holder ) {
		// The secret lies in one place only, where it is used.
		$fields = 'connector' === $holder && 'connector' !== $way ? array( 'client_secret' => '' ) + $args['fields'] : $args['fields'];
		sso_store( $holder, sso_with_fields( $holder, $fields ) );
	}
	delete_transient( 'agencystack_sso_keys' );
	return array( 'left' => array() );
}

/**
 * Refuse where a way cannot take settings.
 *
 * @param string $way Name.
 * @throws Refusal When its plugin or the connector is not active, or miniOrange holds several applications.
 */
function sso_must_be_active( $way ) {
	foreach ( array_unique( array( 'connector', $way ) ) as $needed ) {
		$plugin = sso_plugin( $needed );
		if ( null === $plugin || ! $plugin['active'] ) {
			throw new Refusal( 'not-active', SSO_PLUGINS[ $needed ][0] . ' is not active' );
		}
	}
	$applications = get_option( SSO_OPTIONS['miniorange'], array() );
	if ( 'miniorange' === $way && is_array( $applications ) && count( $applications ) > 1 ) {
		throw new Refusal( 'several', 'miniOrange holds ' . count( $applications ) . ' applications, and its free version uses one' );
	}
}

/**
 * Refuse when a live value is not the one the change was planned on.
 *
 * @param string $way      Name.
 * @param array  $expected Values by field.
 * @throws Refusal Naming the fields, never their values.
 */
function sso_expect( $way, array $expected ) {
	$live    = sso_way( $way )['fields'];
	$changed = array();
	foreach ( $expected as $field => $value ) {
		if ( $live[ $field ] !== $value ) {
			$changed[] = $field;
		}
	}
	if ( $changed ) {
		throw new Refusal( 'changed', 'changed since it was read: ' . implode( ', ', $changed ), array( 'fields' => $changed ) );
	}
}

/**
 * A way's settings with our fields set; everything else stays.
 *
 * @param string $way    Name.
 * @param array  $fields Values by name.
 * @return array
 * @throws Refusal Where a constant rules over a key and says otherwise.
 */
function sso_with_fields( $way, array $fields ) {
	$settings = sso_stored( $way );
	$wanted   = sso_fixed( $way );
	foreach ( SSO_FIELDS as $field => $keys ) {
		if ( isset( $keys[ $way ] ) ) {
			$wanted[ $keys[ $way ] ] = sso_for_storage( $way, $field, $fields[ $field ], $settings );
		}
	}
	$constants = array();
	foreach ( $wanted as $key => $value ) {
		if ( 'constant' !== sso_source( $way, $key ) ) {
			$settings[ $key ] = $value;
		} elseif ( (string) sso_scalar( sso_effective( $way, $key ) ) !== (string) $value ) {
			$constants[] = SSO_CONSTANTS[ $key ];
		}
	}
	if ( $constants ) {
		throw new Refusal( 'sso-constants', 'wp-config.php or the environment holds other values in the constants ' . implode( ', ', $constants ), array( 'names' => $constants ) );
	}
	return $settings + SSO_INITIAL[ $way ];
}

/**
 * A value as its holder stores it.
 *
 * @param string $way      Name.
 * @param string $field    Name.
 * @param mixed  $value    Of the field's type.
 * @param array  $settings As stored.
 * @return mixed
 */
function sso_for_storage( $way, $field, $value, array $settings ) {
	if ( 'connector' === $way && 'client_secret' === $field ) {
		// Encrypting gives another text each time; one that is right already stays.
		return isset( $settings['client_secret'] ) && sso_value( 'connector', 'client_secret' ) === $value ? $settings['client_secret'] : encrypt( 'connector', $value );
	}
	return 'miniorange' === $way && is_bool( $value ) ? (int) $value : $value;
}

/**
 * Store a way's settings.
 *
 * @param string $way      Name.
 * @param array  $settings All of them; none removes the option.
 * @throws Refusal When the database did not take it.
 */
function sso_store( $way, array $settings ) {
	$option = 'miniorange' === $way ? array( sso_application() => $settings ) : $settings;
	if ( ! $settings ) {
		delete_option( SSO_OPTIONS[ $way ] );
	} elseif ( get_option( SSO_OPTIONS[ $way ] ) !== $option ) {
		update_option( SSO_OPTIONS[ $way ], $option );
	}
	if ( sso_stored( $way ) != $settings ) { // phpcs:ignore Universal.Operators.StrictComparisons -- order of keys is free.
		throw new Refusal( 'not-written', 'the option ' . SSO_OPTIONS[ $way ] . ' was not stored' );
	}
}

/**
 * Put single sign-on back as an image shows it, without touching what a person changed since our write.
 *
 * @param array $args `way`; `image`: before our first write; `applied`: image right after our last write, or null;
 *                    `fields`: the values we applied; `force`: put back everything.
 * @return array `left`: fields that a person changed and that stay.
 */
function restore_sso( array $args ) {
	$way  = $args['way'];
	$live = sso_image( $way );
	$left = array();
	delete_transient( 'agencystack_sso_keys' );
	foreach ( array_unique( array( $way, 'connector' ) ) as $holder ) {
		$name   = SSO_OPTIONS[ $holder ];
		$before = $args['image'][ $name ];
		$ours   = null !== $args['applied'] && $live[ $name ] === $args['applied'][ $name ];
		if ( $args['force'] || $ours ) {
			put_option_image( $name, $before );
		} else {
			$left = array_merge( $left, sso_restore_fields( $holder, $before, $args['fields'] ) );
		}
	}
	return array( 'left' => array_values( array_unique( $left ) ) );
}

/**
 * Put back key by key: only where the live value is still the one we applied.
 *
 * @param string     $way     Holder.
 * @param array|null $before  Row of its option before our first write.
 * @param array      $applied Values we applied, by field.
 * @return array Fields that a person changed.
 */
function sso_restore_fields( $way, $before, array $applied ) {
	$old      = option_in( $before );
	$old      = 'miniorange' === $way ? (array) reset( $old ) : $old;
	$settings = sso_stored( $way );
	$left     = array();
	foreach ( SSO_FIELDS as $field => $keys ) {
		if ( ! isset( $keys[ $way ] ) ) {
			continue;
		}
		$secret_elsewhere = 'connector' === $way && 'client_secret' === $field && 'connector' !== $applied['login'];
		if ( sso_value( $way, $field ) === ( $secret_elsewhere ? '' : $applied[ $field ] ) ) {
			$settings = sso_key_back( $settings, $old, $keys[ $way ] );
		} else {
			$left[] = $field;
		}
	}
	foreach ( sso_fixed( $way ) + SSO_INITIAL[ $way ] as $key => $value ) {
		if ( isset( $settings[ $key ] ) && (string) sso_scalar( $settings[ $key ] ) === (string) $value ) {
			$settings = sso_key_back( $settings, $old, $key );
		}
	}
	if ( $settings == $old ) { // phpcs:ignore Universal.Operators.StrictComparisons -- order of keys is free.
		put_option_image( SSO_OPTIONS[ $way ], $before );
	} else {
		sso_store( $way, $settings );
	}
	return $left;
}

/**
 * Settings with one key as it was before.
 *
 * @param array  $settings Now.
 * @param array  $old      Before.
 * @param string $key      Which.
 * @return array
 */
function sso_key_back( array $settings, array $old, $key ) {
	unset( $settings[ $key ] );
	return array_key_exists( $key, $old ) ? array( $key => $old[ $key ] ) + $settings : $settings;
}
