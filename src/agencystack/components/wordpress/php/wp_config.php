<?php
/**
 * Constants in wp-config.php: reading the source text of their values and changing it in place.
 *
 * The file is read as PHP reads it (its tokens), so comments, spelling and everything else stay byte for byte.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

/**
 * The wp-config.php this WordPress was started with.
 *
 * @return string|null Null where it is not in one of the two usual places.
 */
function wp_config_file() {
	foreach ( array( ABSPATH . 'wp-config.php', dirname( ABSPATH ) . '/wp-config.php' ) as $file ) {
		if ( is_file( $file ) ) {
			return realpath( $file );
		}
	}
	return null;
}

/**
 * Where each `define( 'NAME', value )` keeps its value.
 *
 * @param string $source PHP.
 * @param array  $names  Constants to look for.
 * @return array By name: `start` and `length` in bytes, and whether the value is one `literal`; the first counts.
 */
function locate_defines( $source, array $names ) {
	$tokens = array();
	$offset = 0;
	foreach ( token_get_all( $source ) as $token ) {
		$text     = is_array( $token ) ? $token[1] : $token;
		$kind     = is_array( $token ) ? $token[0] : $text;
		$tokens[] = array( $kind, $text, $offset );
		$offset  += strlen( $text );
	}
	$found = array();
	$count = count( $tokens );
	for ( $i = 0; $i < $count; $i++ ) {
		if ( T_STRING !== $tokens[ $i ][0] || 'define' !== strtolower( $tokens[ $i ][1] ) ) {
			continue;
		}
		$code = significant( $tokens, $i + 1, 3 );
		if ( count( $code ) < 3 || '(' !== $tokens[ $code[0] ][1] || ',' !== $tokens[ $code[2] ][1] ) {
			continue;
		}
		$name = trim( $tokens[ $code[1] ][1], '"\'' );
		if ( in_array( $name, $names, true ) && ! isset( $found[ $name ] ) ) {
			$found[ $name ] = value_span( $tokens, $code[2] + 1 );
		}
	}
	return array_filter( $found );
}

/**
 * Positions of the next tokens that are code, not space or comment.
 *
 * @param array $tokens All.
 * @param int   $from   First position.
 * @param int   $wanted How many.
 * @return array
 */
function significant( array $tokens, $from, $wanted ) {
	$found = array();
	for ( $i = $from, $count = count( $tokens ); $i < $count && count( $found ) < $wanted; $i++ ) {
		if ( ! in_array( $tokens[ $i ][0], array( T_WHITESPACE, T_COMMENT, T_DOC_COMMENT ), true ) ) {
			$found[] = $i;
		}
	}
	return $found;
}

/**
 * The bytes of the second argument that begins at a position.
 *
 * @param array $tokens All.
 * @param int   $from   First position after the comma.
 * @return array|null As of locate_defines().
 */
function value_span( array $tokens, $from ) {
	$depth = 0;
	$parts = array();
	for ( $i = $from, $count = count( $tokens ); $i < $count; $i++ ) {
		$text = $tokens[ $i ][1];
		if ( 0 === $depth && in_array( $text, array( ')', ',' ), true ) ) {
			break;
		}
		$depth += (int) in_array( $text, array( '(', '[' ), true ) - (int) in_array( $text, array( ')', ']' ), true );
		if ( ! in_array( $tokens[ $i ][0], array( T_WHITESPACE, T_COMMENT, T_DOC_COMMENT ), true ) ) {
			$parts[] = $i;
		}
	}
	if ( ! $parts ) {
		return null;
	}
	$start   = $tokens[ $parts[0] ][2];
	$last    = $tokens[ end( $parts ) ];
	$literal = 1 === count( $parts )
		&& in_array( $last[0], array( T_CONSTANT_ENCAPSED_STRING, T_LNUMBER, T_STRING ), true );
	return array( 'start' => $start, 'length' => $last[2] + strlen( $last[1] ) - $start, 'literal' => $literal );
}

/**
 * Source text of the values of constants that wp-config.php defines.
 *
 * @param array $names Constants.
 * @return array By name.
 */
function wp_config_defines( array $names ) {
	$file = wp_config_file();
	if ( null === $file || ! is_readable( $file ) ) {
		return array();
	}
	$source = file_get_contents( $file );
	$texts  = array();
	foreach ( locate_defines( $source, $names ) as $name => $span ) {
		$texts[ $name ] = substr( $source, $span['start'], $span['length'] );
	}
	return $texts;
}

/**
 * Change the values of constants in wp-config.php.
 *
 * @param array $values By constant.
 * @throws Refusal Naming the constants, when one is not a plain value there or the file cannot be written.
 */
function change_defines( array $values ) {
	if ( ! $values ) {
		return;
	}
	$file   = wp_config_file();
	$source = null === $file ? '' : (string) file_get_contents( $file );
	$spans  = locate_defines( $source, array_keys( $values ) );
	foreach ( $values as $name => $value ) {
		if ( empty( $spans[ $name ]['literal'] ) ) {
			throw new Refusal( 'constants', "$name is not set to a plain value in wp-config.php", array( 'names' => array_keys( $values ) ) );
		}
	}
	$texts = array();
	foreach ( $values as $name => $value ) {
		$texts[ $name ] = var_export( $value, true );
	}
	write_wp_config( $file, spliced( $source, $spans, $texts ), array_keys( $values ) );
}

/**
 * Put source texts of an image back.
 *
 * @param array $texts By constant.
 * @param array $names Those to put back.
 * @return bool Whether the file changed.
 */
function put_defines( array $texts, array $names ) {
	$file   = wp_config_file();
	$texts  = array_intersect_key( $texts, array_flip( $names ) );
	$source = null === $file ? '' : (string) file_get_contents( $file );
	$spans  = locate_defines( $source, array_keys( $texts ) );
	$fresh  = spliced( $source, $spans, array_intersect_key( $texts, $spans ) );
	if ( $fresh === $source ) {
		return false;
	}
	write_wp_config( $file, $fresh, array_keys( $texts ) );
	return true;
}

/**
 * Source with other texts at some places.
 *
 * @param string $source PHP.
 * @param array  $spans  As of locate_defines().
 * @param array  $texts  By constant.
 * @return string
 */
function spliced( $source, array $spans, array $texts ) {
	uksort(
		$texts,
		function ( $a, $b ) use ( $spans ) {
			return $spans[ $b ]['start'] - $spans[ $a ]['start'];
		}
	);
	foreach ( $texts as $name => $text ) {
		$source = substr_replace( $source, $text, $spans[ $name ]['start'], $spans[ $name ]['length'] );
	}
	return $source;
}

/**
 * Replace wp-config.php as a whole, with its mode and owner, after PHP could read the new one.
 *
 * @param string $file   Path.
 * @param string $source New content.
 * @param array  $names  Constants, for the refusal.
 * @throws Refusal When it cannot be written.
 */
function write_wp_config( $file, $source, array $names ) {
	token_get_all( $source, TOKEN_PARSE );
	$why     = new Refusal( 'constants', "$file cannot be written", array( 'names' => $names ) );
	$mode    = fileperms( $file ) & 0777;
	$umask   = umask( 0077 );
	$written = is_writable( $file ) && is_writable( dirname( $file ) ) ? tempnam( dirname( $file ), '.wp-config-' ) : false;
	umask( $umask );
	if ( false === $written || dirname( $written ) !== dirname( $file ) ) {
		throw $why;
	}
	$same_owner = fileowner( $written ) === fileowner( $file ) || @chown( $written, fileowner( $file ) );
	$same_group = filegroup( $written ) === filegroup( $file ) || @chgrp( $written, filegroup( $file ) );
	$done       = $same_owner && $same_group
		&& file_put_contents( $written, $source ) === strlen( $source )
		&& chmod( $written, $mode )
		&& rename( $written, $file );
	if ( ! $done ) {
		unlink( $written );
		throw $why;
	}
}
