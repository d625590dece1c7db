<?php
/**
 * How the site sends its mail: who carries it, with which effective values, and changing them.
 *
 * Two carriers hold the same fields in the same shape: WP Mail SMTP in its option or in WPMS_* constants, and our
 * connector in its option. Facts: facts/wordpress.md, "WP Mail SMTP 4.8".
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

const CARRIERS = array( 'wp-mail-smtp' => 'wp_mail_smtp', 'connector' => 'agencystack_connector' );

/** Plugins that take mail over by themselves; with one of them active, our settings would have no effect. */
const FOREIGN = array(
	'fluent-smtp',
	'post-smtp',
	'easy-wp-smtp',
	'smtp-mailer',
	'wp-smtp',
	'gosmtp',
	'suremails',
	'site-mailer',
	'mailgun',
	'mailin',
	'sendgrid-email-delivery-simplified',
	'postmark-approved-wordpress-plugin',
	'wp-offload-ses-lite',
	'wp-ses',
	'wp-mail-smtp-pro',
	'swift-smtp',
	'bws-smtp',
	'cimy-swift-smtp',
);

/** Each field: group and key in the option, constant of WP Mail SMTP, type. */
const FIELDS = array(
	'from_email'       => array( 'mail', 'from_email', 'WPMS_MAIL_FROM', 'string' ),
	'from_name'        => array( 'mail', 'from_name', 'WPMS_MAIL_FROM_NAME', 'string' ),
	'from_email_force' => array( 'mail', 'from_email_force', 'WPMS_MAIL_FROM_FORCE', 'bool' ),
	'from_name_force'  => array( 'mail', 'from_name_force', 'WPMS_MAIL_FROM_NAME_FORCE', 'bool' ),
	'return_path'      => array( 'mail', 'return_path', 'WPMS_SET_RETURN_PATH', 'bool' ),
	'mailer'           => array( 'mail', 'mailer', 'WPMS_MAILER', 'string' ),
	'host'             => array( 'smtp', 'host', 'WPMS_SMTP_HOST', 'string' ),
	'port'             => array( 'smtp', 'port', 'WPMS_SMTP_PORT', 'int' ),
	'encryption'       => array( 'smtp', 'encryption', 'WPMS_SSL', 'string' ),
	'auth'             => array( 'smtp', 'auth', 'WPMS_SMTP_AUTH', 'bool' ),
	'autotls'          => array( 'smtp', 'autotls', 'WPMS_SMTP_AUTOTLS', 'bool' ),
	'user'             => array( 'smtp', 'user', 'WPMS_SMTP_USER', 'string' ),
	'password'         => array( 'smtp', 'pass', 'WPMS_SMTP_PASS', 'string' ),
	'ca'               => array( 'smtp', 'ca', null, 'string' ),
);

/**
 * Everything about the site's mail in one answer.
 *
 * @return array
 */
function mail() {
	$carriers = array();
	foreach ( array_keys( CARRIERS ) as $carrier ) {
		$carriers[ $carrier ] = carrier( $carrier );
	}
	$foreign = foreign_carrier();
	return array(
		'via'      => via( $carriers, $foreign ),
		'foreign'  => $foreign,
		'carriers' => $carriers,
	);
}

/**
 * Who carries mail now.
 *
 * @param array       $carriers State of ours and of WP Mail SMTP.
 * @param string|null $foreign  Another plugin that does.
 * @return string `none` is PHP's own mail(), the factory default.
 */
function via( array $carriers, $foreign ) {
	if ( null !== $foreign ) {
		return 'foreign';
	}
	foreach ( $carriers as $name => $carrier ) {
		$fields = $carrier['fields'];
		// Both carriers leave PHPMailer alone while they know no server.
		$lost = 'smtp' === $fields['mailer'] && '' === $fields['host'];
		if ( $carrier['active'] && 'mail' !== $fields['mailer'] && ! $lost ) {
			return $name;
		}
	}
	return 'none';
}

/**
 * Another plugin that sends the site's mail: one we know, or one that replaced wp_mail().
 *
 * @return string|null Its slug or file.
 */
function foreign_carrier() {
	foreach ( plugins() as $plugin ) {
		if ( $plugin['active'] && in_array( $plugin['slug'], FOREIGN, true ) ) {
			return $plugin['slug'];
		}
	}
	$defined_in = wp_normalize_path( ( new \ReflectionFunction( 'wp_mail' ) )->getFileName() );
	if ( wp_normalize_path( ABSPATH . WPINC . '/pluggable.php' ) !== $defined_in && realpath( ABSPATH . WPINC . '/pluggable.php' ) !== realpath( $defined_in ) ) {
		return str_replace( wp_normalize_path( WP_CONTENT_DIR ) . '/', '', $defined_in );
	}
	return null;
}

/**
 * One carrier: whether it works, its effective values, where each comes from, and its image for an undo.
 *
 * @param string $carrier Name.
 * @return array
 */
function carrier( $carrier ) {
	$plugin  = plugin( 'connector' === $carrier ? CONNECTOR : $carrier );
	$fields  = array();
	$sources = array();
	foreach ( array_keys( FIELDS ) as $field ) {
		$sources[ $field ] = source( $carrier, $field );
		$fields[ $field ]  = effective( $carrier, $field, $sources[ $field ] );
	}
	return array(
		'installed'   => null !== $plugin,
		'active'      => null !== $plugin && $plugin['active'],
		'version'     => null === $plugin ? null : $plugin['version'],
		'fields'      => $fields,
		'sources'     => $sources,
		'do_not_send' => 'wp-mail-smtp' === $carrier && do_not_send(),
		'image'       => image( $carrier ),
	);
}

/**
 * Whether WP Mail SMTP is told to send nothing at all.
 *
 * @return bool
 */
function do_not_send() {
	if ( defined( 'WPMS_ON' ) && true === WPMS_ON && defined( 'WPMS_DO_NOT_SEND' ) && WPMS_DO_NOT_SEND ) {
		return true;
	}
	$option = stored( 'wp-mail-smtp' );
	return ! empty( $option['general']['do_not_send'] );
}

/**
 * Where a field's value comes from: `constant`, `option`, or `default` where nobody set it.
 *
 * @param string $carrier Name.
 * @param string $field   Name.
 * @return string
 */
function source( $carrier, $field ) {
	list( $group, $key, $constant ) = FIELDS[ $field ];
	if ( 'wp-mail-smtp' === $carrier && null !== $constant && constant_rules( $field, $constant ) ) {
		return 'constant';
	}
	return isset( stored( $carrier )[ $group ][ $key ] ) ? 'option' : 'default';
}

/**
 * Whether WP Mail SMTP takes the constant: the same conditions as its Options::is_const_defined().
 *
 * @param string $field    Name.
 * @param string $constant Name.
 * @return bool
 */
function constant_rules( $field, $constant ) {
	if ( ! defined( 'WPMS_ON' ) || true !== WPMS_ON || ! defined( $constant ) ) {
		return false;
	}
	$value = constant( $constant );
	if ( in_array( $field, array( 'encryption', 'auth', 'autotls' ), true ) ) {
		return true;
	}
	return 'bool' === FIELDS[ $field ][3] ? true === $value || 'true' === $value : (bool) $value;
}

/**
 * The value that takes effect when a mail is sent.
 *
 * @param string $carrier Name.
 * @param string $field   Name.
 * @param string $source  As of source().
 * @return mixed
 */
function effective( $carrier, $field, $source ) {
	list( $group, $key, $constant, $type ) = FIELDS[ $field ];
	if ( 'constant' === $source ) {
		$value = constant( $constant );
	} elseif ( 'option' === $source ) {
		$value = stored( $carrier )[ $group ][ $key ];
		if ( 'password' === $field ) {
			$value = decrypt( $carrier, $value );
		}
		// WP Mail SMTP strips slashes from every text it reads from its option.
		$value = 'wp-mail-smtp' === $carrier && is_string( $value ) ? stripslashes( $value ) : $value;
	} else {
		$value = null;
	}
	return normalised( $field, $type, $value );
}

/**
 * One spelling for each value, with the defaults of the carriers.
 *
 * @param string $field Name.
 * @param string $type  `string`, `int` or `bool`.
 * @param mixed  $value As stored.
 * @return mixed
 */
function normalised( $field, $type, $value ) {
	if ( 'bool' === $type ) {
		return is_string( $value ) ? in_array( strtolower( $value ), array( '1', 'true', 'yes', 'on' ), true ) : (bool) $value;
	}
	if ( 'int' === $type ) {
		return (int) $value;
	}
	$defaults = array( 'mailer' => 'mail', 'encryption' => 'none' );
	return '' === (string) $value && isset( $defaults[ $field ] ) ? $defaults[ $field ] : (string) $value;
}

/**
 * The carrier's option as an array.
 *
 * @param string $carrier Name.
 * @return array
 */
function stored( $carrier ) {
	$option = get_option( CARRIERS[ $carrier ], array() );
	return is_array( $option ) ? $option : array();
}

/**
 * The readable password; the carrier's own code decrypts it.
 *
 * @param string $carrier Name.
 * @param string $value   As stored.
 * @return string Empty where it cannot be read.
 */
function decrypt( $carrier, $value ) {
	if ( 'connector' === $carrier ) {
		return class_exists( 'AgencyStack\Connector\Crypto' ) ? (string) \AgencyStack\Connector\Crypto::decrypt( $value ) : '';
	}
	return class_exists( 'WPMailSMTP\Helpers\Crypto' ) ? (string) \WPMailSMTP\Helpers\Crypto::decrypt( $value ) : (string) $value;
}

/**
 * The password as the carrier would store it.
 *
 * @param string $carrier Name.
 * @param string $value   Readable.
 * @return string
 * @throws Refusal When the carrier cannot keep it.
 */
function encrypt( $carrier, $value ) {
	if ( '' === $value ) {
		return '';
	}
	if ( 'connector' === $carrier ) {
		return \AgencyStack\Connector\Crypto::encrypt( $value );
	}
	// Clear text works too and stays clear (facts/wordpress.md); versions before 2.5 know nothing else.
	return class_exists( 'WPMailSMTP\Helpers\Crypto' ) && function_exists( 'sodium_crypto_secretbox' )
		? \WPMailSMTP\Helpers\Crypto::encrypt( $value )
		: $value;
}

/**
 * All that must be put back for an undo, as it lies in the database and in wp-config.php.
 *
 * @param string $carrier Name.
 * @return array `option`: null or `value` (base64 of the column) and `autoload`; `defines`: source text by constant.
 */
function image( $carrier ) {
	return array(
		'option'  => option_image( CARRIERS[ $carrier ] ),
		'defines' => (object) ( 'wp-mail-smtp' === $carrier ? wp_config_defines( wpms_constants() ) : array() ),
	);
}

/**
 * Constants of WP Mail SMTP that hold one of our fields.
 *
 * @return array
 */
function wpms_constants() {
	return array_values( array_filter( array_column( FIELDS, 2 ) ) );
}

/**
 * Change fields of a carrier, each where the site holds it.
 *
 * @param array $args `carrier`; `fields`: new values by name; `expected`: values that must be live, by name.
 * @return array `restart`: whether constants changed, which PHP sees only at its next start.
 * @throws Refusal When somebody changed an expected value, or a constant cannot be changed.
 */
function write_mail( array $args ) {
	$carrier = $args['carrier'];
	must_be_active( $carrier );
	expect_fields( $carrier, $args['expected'] );
	$constants = array();
	$option    = array();
	foreach ( $args['fields'] as $field => $value ) {
		$from_constant = 'constant' === source( $carrier, $field );
		if ( $from_constant && effective( $carrier, $field, 'constant' ) === $value ) {
			continue;
		}
		if ( $from_constant ) {
			$constants[ FIELDS[ $field ][2] ] = 'encryption' === $field && 'none' === $value ? '' : $value;
		}
		// A switch that is false as a constant does not count, the option does: it says the same.
		if ( ! $from_constant || 'bool' === FIELDS[ $field ][3] ) {
			$option[ $field ] = $value;
		}
	}
	change_defines( $constants );
	write_option( $carrier, with_fields( $carrier, stored( $carrier ), $option ) );
	return array( 'restart' => (bool) $constants );
}

/**
 * Refuse where the carrier cannot take settings.
 *
 * @param string $carrier Name.
 * @throws Refusal When it is not active, or one set of settings serves the whole network.
 */
function must_be_active( $carrier ) {
	if ( 'connector' === $carrier ? ! class_exists( 'AgencyStack\Connector\Crypto' ) : ! class_exists( 'WPMailSMTP\Options' ) ) {
		throw new Refusal( 'not-active', "$carrier is not active" );
	}
	if ( 'wp-mail-smtp' === $carrier && is_callable( array( 'WPMailSMTP\WP', 'use_global_plugin_settings' ) )
		&& \WPMailSMTP\WP::use_global_plugin_settings() && ! is_main_site() ) {
		throw new Refusal( 'network', 'WP Mail SMTP uses the settings of the network\'s main site for this site' );
	}
}

/**
 * Refuse when a live value is not the one the change was planned on.
 *
 * @param string $carrier  Name.
 * @param array  $expected Values by field.
 * @throws Refusal Naming the fields, never their values.
 */
function expect_fields( $carrier, array $expected ) {
	$changed = array();
	foreach ( $expected as $field => $value ) {
		if ( effective( $carrier, $field, source( $carrier, $field ) ) !== $value ) {
			$changed[] = $field;
		}
	}
	if ( $changed ) {
		throw new Refusal( 'changed', 'changed since it was read: ' . implode( ', ', $changed ), array( 'fields' => $changed ) );
	}
}

/**
 * An option with some fields set; a null value takes the field out, everything else stays.
 *
 * @param string $carrier Name.
 * @param array  $option  As stored.
 * @param array  $fields  Values by name.
 * @return array
 */
function with_fields( $carrier, array $option, array $fields ) {
	foreach ( $fields as $field => $value ) {
		list( $group, $key ) = FIELDS[ $field ];
		if ( 'ca' === $field && 'wp-mail-smtp' === $carrier ) {
			continue;
		}
		if ( 'password' === $field ) {
			$value = encrypt( $carrier, 'wp-mail-smtp' === $carrier ? str_replace( '\\', '\\\\', $value ) : $value );
		} elseif ( is_string( $value ) && 'wp-mail-smtp' === $carrier ) {
			$value = str_replace( '\\', '\\\\', $value );
		}
		$option[ $group ][ $key ] = $value;
	}
	return $option;
}

/**
 * Store a carrier's option and make WP Mail SMTP read it anew.
 *
 * @param string $carrier Name.
 * @param array  $option  New value.
 * @throws Refusal When the database did not take it.
 */
function write_option( $carrier, array $option ) {
	if ( stored( $carrier ) !== $option ) {
		update_option( CARRIERS[ $carrier ], $option, false );
		if ( stored( $carrier ) != $option ) { // phpcs:ignore Universal.Operators.StrictComparisons -- order of keys is free.
			throw new Refusal( 'not-written', 'the option ' . CARRIERS[ $carrier ] . ' was not stored' );
		}
	}
}

/**
 * Put a carrier back as an image shows it, without touching what a person changed since our write.
 *
 * @param array $args `carrier`; `image`: before our first write; `applied`: image right after our last write, or
 *                    null; `fields`: the values we applied; `force`: put back everything.
 * @return array `left`: fields that a person changed and that stay; `restart`: as of write_mail().
 */
function restore_mail( array $args ) {
	$carrier = $args['carrier'];
	$before  = $args['image'];
	$live    = json_decode( wp_json_encode( image( $carrier ) ), true );
	if ( $args['force'] || ( null !== $args['applied'] && sorted( $live ) === sorted( $args['applied'] ) ) ) {
		put_option_image( CARRIERS[ $carrier ], $before['option'] );
		$restart = put_defines( $before['defines'], array_keys( $before['defines'] ) );
		return array( 'left' => array(), 'restart' => $restart );
	}
	return restore_fields( $carrier, $before, $args['fields'] );
}

/**
 * An array whose keys are in order at every level, for a strict comparison.
 *
 * @param array $values Any.
 * @return array
 */
function sorted( array $values ) {
	ksort( $values );
	foreach ( $values as $key => $value ) {
		$values[ $key ] = is_array( $value ) ? sorted( $value ) : $value;
	}
	return $values;
}

/**
 * Put back field by field: only where the live value is still the one we applied.
 *
 * @param string $carrier Name.
 * @param array  $before  Image before our first write.
 * @param array  $applied Values we applied, by field.
 * @return array As of restore_mail().
 */
function restore_fields( $carrier, array $before, array $applied ) {
	$old     = option_in( $before['option'] );
	$option  = stored( $carrier );
	$left    = array();
	$defines = array();
	foreach ( $applied as $field => $value ) {
		list( $group, $key, $constant ) = FIELDS[ $field ];
		if ( effective( $carrier, $field, source( $carrier, $field ) ) !== $value ) {
			$left[] = $field;
			continue;
		}
		if ( null !== $constant && isset( $before['defines'][ $constant ] ) ) {
			$defines[] = $constant;
		}
		unset( $option[ $group ][ $key ] );
		if ( isset( $old[ $group ] ) && array_key_exists( $key, $old[ $group ] ) ) {
			$option[ $group ][ $key ] = $old[ $group ][ $key ];
		}
		if ( empty( $option[ $group ] ) && ! isset( $old[ $group ] ) ) {
			unset( $option[ $group ] );
		}
	}
	$equal = $option == $old; // phpcs:ignore Universal.Operators.StrictComparisons -- order of keys is free.
	if ( $equal ) {
		put_option_image( CARRIERS[ $carrier ], $before['option'] );
	} else {
		write_option( $carrier, $option );
	}
	return array( 'left' => $left, 'restart' => put_defines( $before['defines'], $defines ) );
}

/**
 * Send one mail the way every plugin of the site does, and say what became of it.
 *
 * @param array $args `to`, `subject`, `body`.
 * @return array `sent`, `error` as WordPress and PHPMailer give it, and what PHPMailer was told.
 */
function send_mail( array $args ) {
	global $phpmailer;
	$failure = null;
	add_action(
		'wp_mail_failed',
		function ( $error ) use ( &$failure ) {
			$failure = $error;
		}
	);
	$sent  = wp_mail( $args['to'], $args['subject'], $args['body'] );
	$error = $failure ? $failure->get_error_message() : '';
	if ( ! $sent && '' === $error ) {
		$error = isset( $phpmailer->ErrorInfo ) ? $phpmailer->ErrorInfo : '';
	}
	return array(
		'sent'       => (bool) $sent,
		'error'      => wp_strip_all_tags( $error ),
		'from'       => isset( $phpmailer->From ) ? $phpmailer->From : '',
		'host'       => isset( $phpmailer->Host ) ? $phpmailer->Host : '',
		'mailer'     => isset( $phpmailer->Mailer ) ? $phpmailer->Mailer : '',
		'message_id' => is_object( $phpmailer ) ? (string) $phpmailer->getLastMessageID() : '',
	);
}
