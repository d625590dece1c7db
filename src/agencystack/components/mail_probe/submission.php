<?php
// Look for a submission server from inside an application that has PHP; answers as submission.py does.
error_reporting( 0 );
list( , $mark, $host, $ways, $ca_file, $timeout ) = $argv;

function as_context( $host, $ca_file, $verify ) {
	$options = array(
		'peer_name'         => $host,
		'verify_peer'       => $verify,
		'verify_peer_name'  => $verify,
		'capture_peer_cert' => true,
	);
	if ( '' !== $ca_file ) {
		$options['cafile'] = $ca_file;
	}
	return stream_context_create( array( 'ssl' => $options ) );
}

function reply( $stream ) {
	$text = '';
	do {
		$line = fgets( $stream, 1024 );
		if ( false === $line ) {
			$state = stream_get_meta_data( $stream );
			throw new Exception( $state['timed_out'] ? 'timeout' : 'bad-answer' );
		}
		$text .= $line;
	} while ( isset( $line[3] ) && '-' === $line[3] );
	return $text;
}

function ask( $stream, $command ) {
	fwrite( $stream, $command . "\r\n" );
	return reply( $stream );
}

function last_words() {
	$words = array();
	while ( $line = openssl_error_string() ) {
		$words[] = $line;
	}
	$error = error_get_last();
	return trim( ( $error ? $error['message'] : '' ) . ' ' . implode( ' ', $words ) );
}

function tls_kind( $words ) {
	if ( false !== strpos( $words, 'certificate verify failed' ) ) {
		return 'untrusted';
	}
	if ( false !== strpos( $words, 'did not match' ) || false !== strpos( $words, 'subjectAltName' ) ) {
		return 'name-mismatch';
	}
	return false !== stripos( $words, 'timed out' ) ? 'timeout' : 'no-tls';
}

function encrypt( $stream ) {
	error_clear_last();
	$done = stream_socket_enable_crypto( $stream, true, STREAM_CRYPTO_METHOD_TLS_CLIENT );
	if ( true !== $done ) {
		throw new Exception( 'tls' );
	}
}

function converse( $host, $port, $security, $ca_file, $timeout, $verify ) {
	// Plain first, encrypted second, so that a closed port and a refused certificate are told apart.
	$stream = stream_socket_client( "tcp://$host:$port", $number, $words, $timeout, STREAM_CLIENT_CONNECT, as_context( $host, $ca_file, $verify ) );
	if ( ! $stream ) {
		$resolved = filter_var( $host, FILTER_VALIDATE_IP ) || gethostbynamel( $host );
		$refused  = false !== stripos( $words, 'refused' );
		$late     = false !== stripos( $words, 'timed out' );
		throw new Exception( ! $resolved ? 'unresolvable' : ( $refused ? 'refused' : ( $late ? 'timeout' : 'unreachable' ) ) );
	}
	stream_set_timeout( $stream, (int) ceil( $timeout ) );
	if ( 'tls' === $security ) {
		encrypt( $stream );
		reply( $stream );
	} else {
		reply( $stream );
		if ( ! preg_match( '/^250[ -]STARTTLS/mi', ask( $stream, 'EHLO probe' ) ) ) {
			throw new Exception( 'no-starttls' );
		}
		ask( $stream, 'STARTTLS' );
		encrypt( $stream );
	}
	return $stream;
}

function certificate( $stream ) {
	$options = stream_context_get_options( $stream );
	openssl_x509_export( $options['ssl']['peer_certificate'], $pem );
	return preg_replace( '/-----[A-Z ]+-----|\s/', '', $pem );
}

foreach ( explode( ',', $ways ) as $way ) {
	list( $port, $security ) = explode( ':', $way );
	$result                  = array(
		'port'        => (int) $port,
		'security'    => $security,
		'kind'        => 'ok',
		'tls'         => '',
		'detail'      => '',
		'certificate' => '',
	);
	try {
		$stream        = converse( $host, $port, $security, $ca_file, (float) $timeout, true );
		$state         = stream_get_meta_data( $stream );
		$result['tls'] = $state['crypto']['protocol'];
		if ( ! preg_match( '/^250[ -]AUTH[ =]/mi', ask( $stream, 'EHLO probe' ) ) ) {
			$result['kind'] = 'no-auth';
		}
	} catch ( Exception $error ) {
		$result['kind']   = $error->getMessage();
		$result['detail'] = last_words();
		if ( 'tls' === $result['kind'] ) {
			$result['kind'] = tls_kind( $result['detail'] );
		}
		if ( in_array( $result['kind'], array( 'untrusted', 'name-mismatch' ), true ) ) {
			try {
				$result['certificate'] = certificate( converse( $host, $port, $security, $ca_file, (float) $timeout, false ) );
			} catch ( Exception $again ) {
				$result['certificate'] = '';
			}
		}
	}
	echo $mark, json_encode( $result ), "\n";
	if ( 'ok' === $result['kind'] ) {
		break;
	}
}
