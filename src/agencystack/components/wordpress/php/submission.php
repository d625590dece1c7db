<?php
/**
 * Asks from inside PHP whether mail can be handed to a server: 465 with TLS at once, or 587 with STARTTLS.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

/**
 * Try the ways of submission until one works.
 *
 * @param array $args `host`; `ways`: list of `port` and `security` (`tls` or `starttls`); `ca`: PEM or empty for the
 *                    system's; `timeout`: seconds for each step.
 * @return array What was seen, one entry a way that was tried.
 */
function submission( array $args ) {
	$seen = array();
	foreach ( $args['ways'] as $way ) {
		$result = try_submission( $args['host'], $way['port'], $way['security'], $args['ca'], $args['timeout'] );
		$seen[] = array( 'port' => $way['port'], 'security' => $way['security'] ) + $result;
		if ( 'usable' === $result['outcome'] ) {
			break;
		}
	}
	return $seen;
}

/**
 * Try one way.
 *
 * @param string $host     Name or address.
 * @param int    $port     Port.
 * @param string $security `tls` or `starttls`.
 * @param string $ca       PEM, or empty for the system's authorities.
 * @param float  $timeout  Seconds for each step.
 * @return array `outcome`, and `detail`: PHP's complaint, or the version of TLS where there is none.
 */
function try_submission( $host, $port, $security, $ca, $timeout ) {
	$ca_file = '' === $ca ? null : tempnam( get_temp_dir(), 'agencystack-ca-' );
	if ( null !== $ca_file ) {
		file_put_contents( $ca_file, $ca );
	}
	$complaints = array();
	set_error_handler(
		function ( $level, $message ) use ( &$complaints ) {
			$complaints[] = $message;
			return true;
		}
	);
	try {
		$outcome = converse( $host, $port, $security, $ca_file, $timeout, $complaints );
	} finally {
		restore_error_handler();
		if ( null !== $ca_file ) {
			unlink( $ca_file );
		}
	}
	return array( 'outcome' => $outcome, 'detail' => substr( implode( '; ', $complaints ), 0, 500 ) );
}

/**
 * Connect, secure, greet.
 *
 * @param string      $host       Name or address.
 * @param int         $port       Port.
 * @param string      $security   `tls` or `starttls`.
 * @param string|null $ca_file    Authorities, null for the system's.
 * @param float       $timeout    Seconds for each step.
 * @param array       $complaints What PHP complained of; filled by the caller's error handler.
 * @return string
 */
function converse( $host, $port, $security, $ca_file, $timeout, array &$complaints ) {
	$ssl = array( 'verify_peer' => true, 'verify_peer_name' => true, 'peer_name' => $host );
	if ( null !== $ca_file ) {
		$ssl['cafile'] = $ca_file;
	}
	$bracketed = false === strpos( $host, ':' ) ? $host : "[$host]";
	$scheme    = 'tls' === $security ? 'ssl' : 'tcp';
	$context   = stream_context_create( array( 'ssl' => $ssl ) );
	$socket    = stream_socket_client( "$scheme://$bracketed:$port", $number, $why, $timeout, STREAM_CLIENT_CONNECT, $context );
	if ( ! $socket ) {
		$complaints[] = $why;
		return failure( $complaints, $number );
	}
	stream_set_timeout( $socket, (int) ceil( $timeout ) );
	if ( 0 !== strpos( reply( $socket ), '220' ) ) {
		return 'not-smtp';
	}
	if ( 'starttls' === $security ) {
		if ( false === stripos( command( $socket, 'EHLO agencystack.invalid' ), 'STARTTLS' ) ) {
			return 'no-starttls';
		}
		if ( 0 !== strpos( command( $socket, 'STARTTLS' ), '220' ) || true !== stream_socket_enable_crypto( $socket, true, STREAM_CRYPTO_METHOD_TLS_CLIENT ) ) {
			return failure( $complaints, 0 );
		}
	}
	$capabilities = command( $socket, 'EHLO agencystack.invalid' );
	$stream       = stream_get_meta_data( $socket );
	$complaints   = array( isset( $stream['crypto']['protocol'] ) ? $stream['crypto']['protocol'] : '' );
	command( $socket, 'QUIT' );
	return false === stripos( $capabilities, 'AUTH' ) ? 'no-auth' : 'usable';
}

/**
 * What PHP's complaints mean.
 *
 * @param array $complaints Messages.
 * @param int   $number     Error number of the connection.
 * @return string
 */
function failure( array $complaints, $number ) {
	$text = implode( ' ', $complaints );
	$words = array(
		'did not match'             => 'certificate-name',
		'certificate has expired'   => 'certificate-expired',
		'certificate verify failed' => 'certificate-untrusted',
		'getaddrinfo'               => 'unknown-host',
		'refused'                   => 'closed',
		'timed out'                 => 'no-answer',
		'unreachable'               => 'no-answer',
		'SSL operation failed'      => 'tls-failed',
		'enable crypto'             => 'tls-failed',
	);
	foreach ( $words as $word => $outcome ) {
		if ( false !== stripos( $text, $word ) ) {
			return $outcome;
		}
	}
	return $number ? 'no-answer' : 'tls-failed';
}

/**
 * Send one line and return the answer.
 *
 * @param resource $socket Open.
 * @param string   $line   Without the line end.
 * @return string
 */
function command( $socket, $line ) {
	fwrite( $socket, "$line\r\n" );
	return reply( $socket );
}

/**
 * Read one answer, which may have many lines.
 *
 * @param resource $socket Open.
 * @return string
 */
function reply( $socket ) {
	$reply = '';
	do {
		$line   = fgets( $socket, 1024 );
		$reply .= $line;
	} while ( is_string( $line ) && isset( $line[3] ) && '-' === $line[3] && strlen( $reply ) < 16384 );
	return $reply;
}
