<?php
/**
 * The program AgencyStack runs inside a WordPress: carries out commands, answers queries, frames one JSON answer.
 *
 * It travels on standard input and is evaluated after WordPress has loaded; the other files of this folder are
 * appended to it. It runs on PHP 7.4 and later.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

const PROTOCOL = 1;

/** A command or query that was understood and declined; the reason is a fixed word for the caller. */
final class Refusal extends \RuntimeException {

	/**
	 * A word the caller acts on, such as `changed` or `constants`.
	 *
	 * @var string
	 */
	public $reason;

	/**
	 * What the caller needs besides the message, never a secret.
	 *
	 * @var array
	 */
	public $details;

	/**
	 * Make a refusal.
	 *
	 * @param string $reason  A word the caller acts on.
	 * @param string $message What happened, for a person.
	 * @param array  $details What the caller needs besides.
	 */
	public function __construct( $reason, $message, array $details = array() ) {
		parent::__construct( $message );
		$this->reason  = $reason;
		$this->details = $details;
	}
}

/** Prints the one framed answer, also when PHP dies or a plugin exits in the middle. */
final class Answer {

	/**
	 * Marks the frame; plugins that print cannot know it.
	 *
	 * @var string
	 */
	private $nonce;

	/**
	 * Whether the frame was printed.
	 *
	 * @var bool
	 */
	private $given = false;

	/**
	 * What is being done, for the message of a fatal error.
	 *
	 * @var string
	 */
	public $doing = 'reading the request';

	/**
	 * Remember the nonce and watch for the end of the process.
	 *
	 * @param string $nonce Marks the frame.
	 */
	public function __construct( $nonce ) {
		$this->nonce = $nonce;
		register_shutdown_function( array( $this, 'explain_death' ) );
	}

	/**
	 * Print the frame: nonce, length, JSON, nonce. Straight to the stream, past output buffers of plugins.
	 *
	 * @param array $answer What is answered.
	 */
	public function give( array $answer ) {
		if ( $this->given ) {
			return;
		}
		$this->given = true;
		$json        = json_encode( $answer, JSON_INVALID_UTF8_SUBSTITUTE | JSON_PRESERVE_ZERO_FRACTION );
		if ( false === $json ) {
			$json = json_encode( array( 'fatal' => 'the answer cannot be written as JSON: ' . json_last_error_msg() ) );
		}
		$frame = "\n" . $this->nonce . ' ' . strlen( $json ) . "\n" . $json . "\n" . $this->nonce . "\n";
		$out   = fopen( 'php://stdout', 'wb' );
		for ( $written = 0, $length = strlen( $frame ); $written < $length; ) {
			$chunk = fwrite( $out, substr( $frame, $written ) );
			if ( ! $chunk ) {
				break;
			}
			$written += $chunk;
		}
		fflush( $out );
	}

	/** Say what ended PHP when nothing was answered yet. */
	public function explain_death() {
		if ( $this->given ) {
			return;
		}
		$error = error_get_last();
		$fatal = array( E_ERROR, E_PARSE, E_CORE_ERROR, E_COMPILE_ERROR, E_USER_ERROR, E_RECOVERABLE_ERROR );
		$why   = $error && in_array( $error['type'], $fatal, true )
			? $error['message'] . ' in ' . $error['file'] . ' on line ' . $error['line']
			: 'a plugin ended the program';
		$this->give( array( 'fatal' => $why, 'doing' => $this->doing ) );
	}
}

/**
 * Run one command or query by its name and turn what it throws into an answer.
 *
 * @param array $handlers Functions by name.
 * @param array $asked    `name` and `args`.
 * @return array `ok` with `value`, or `reason`, `message`, `details`.
 */
function attempt( array $handlers, array $asked ) {
	try {
		if ( ! isset( $handlers[ $asked['name'] ] ) ) {
			throw new Refusal( 'unknown', 'the program does not know ' . $asked['name'] );
		}
		return array( 'ok' => true, 'value' => call_user_func( $handlers[ $asked['name'] ], (array) $asked['args'] ) );
	} catch ( Refusal $refusal ) {
		return array(
			'ok'      => false,
			'reason'  => $refusal->reason,
			'message' => $refusal->getMessage(),
			'details' => (object) $refusal->details,
		);
	} catch ( \Throwable $error ) {
		return array(
			'ok'      => false,
			'reason'  => 'error',
			'message' => get_class( $error ) . ': ' . $error->getMessage() . ' (' . basename( $error->getFile() ) . ':' . $error->getLine() . ')',
			'details' => (object) array(),
		);
	}
}

/**
 * Carry out the commands in order until one fails, then answer the queries from the state that is there now.
 *
 * @param array  $request `commands` and `queries`, the latter by key.
 * @param Answer $answer  Told what is being done.
 * @return array
 */
function carry_out( array $request, Answer $answer ) {
	$done = array();
	foreach ( $request['commands'] as $command ) {
		$answer->doing = $command['name'];
		$result        = attempt( commands(), $command );
		$done[]        = $result;
		if ( ! $result['ok'] ) {
			break;
		}
	}
	$answers = array();
	foreach ( $request['queries'] as $key => $query ) {
		$answer->doing   = $query['name'];
		$answers[ $key ] = attempt( queries(), $query );
	}
	return array( 'protocol' => PROTOCOL, 'commands' => $done, 'answers' => (object) $answers );
}

/**
 * Whether files and tables may be half replaced by an update. WP-CLI passes by the maintenance page and switches
 * wp_is_maintenance_mode() off, so its rule is repeated: a mark older than ten minutes does not count.
 *
 * @return bool
 */
function in_maintenance() {
	$upgrading = 0;
	if ( file_exists( ABSPATH . '.maintenance' ) ) {
		require ABSPATH . '.maintenance';
	}
	return time() - $upgrading < 10 * MINUTE_IN_SECONDS;
}

/**
 * Whether the site of a network that was loaded is the one that was meant: for an unknown path WordPress gives the
 * main site, and its mail would be changed.
 *
 * @param string $url Address of the site that is meant; empty for the main site.
 * @return bool
 */
function is_site_at( $url ) {
	if ( '' === $url ) {
		return is_main_site();
	}
	$meant = wp_parse_url( $url );
	$host  = ( isset( $meant['host'] ) ? $meant['host'] : '' ) . ( isset( $meant['port'] ) ? ':' . $meant['port'] : '' );
	$path  = isset( $meant['path'] ) ? $meant['path'] : '/';
	$site  = get_site();
	return strtolower( $host . trailingslashit( $path ) ) === strtolower( $site->domain . $site->path );
}

/**
 * Read the request, work, answer.
 *
 * @param string $json The request.
 */
function main( $json ) {
	// Arguments in a stack trace can be passwords.
	ini_set( 'zend.exception_ignore_args', '1' );
	$request = json_decode( $json, true );
	if ( ! is_array( $request ) || empty( $request['nonce'] ) ) {
		fwrite( fopen( 'php://stderr', 'wb' ), "agencystack: request\n" );
		exit( 1 );
	}
	$answer = new Answer( $request['nonce'] );
	if ( in_maintenance() ) {
		$answer->give( array( 'unavailable' => 'maintenance' ) );
		return;
	}
	if ( is_multisite() && ! is_site_at( $request['url'] ) ) {
		$answer->give( array( 'unavailable' => 'site' ) );
		return;
	}
	$answer->give( carry_out( $request, $answer ) );
}

/**
 * What can be asked.
 *
 * @return array
 */
function queries() {
	return array(
		'site'           => __NAMESPACE__ . '\\site',
		'plugins'        => __NAMESPACE__ . '\\plugins',
		'mail'           => __NAMESPACE__ . '\\mail',
		'owner'          => __NAMESPACE__ . '\\owner',
		'submission'     => __NAMESPACE__ . '\\submission',
		'sso'            => __NAMESPACE__ . '\\sso',
		'sso_user'       => __NAMESPACE__ . '\\sso_user',
		'health'         => __NAMESPACE__ . '\\health',
		'bridge'         => __NAMESPACE__ . '\\bridge',
		'reaches_bridge' => __NAMESPACE__ . '\\reaches_bridge',
		'plugins_folder' => __NAMESPACE__ . '\\plugins_folder',
		'rest_user'      => __NAMESPACE__ . '\\rest_user',
	);
}

/**
 * What can be changed.
 *
 * @return array
 */
function commands() {
	return array(
		'activate_plugin'   => __NAMESPACE__ . '\\activate',
		'deactivate_plugin' => __NAMESPACE__ . '\\deactivate',
		'install_plugin'    => __NAMESPACE__ . '\\install',
		'delete_plugin'     => __NAMESPACE__ . '\\delete',
		'install_connector' => __NAMESPACE__ . '\\install_connector',
		'write_mail'        => __NAMESPACE__ . '\\write_mail',
		'restore_mail'      => __NAMESPACE__ . '\\restore_mail',
		'write_owner'       => __NAMESPACE__ . '\\write_owner',
		'send_mail'         => __NAMESPACE__ . '\\send_mail',
		'write_sso'         => __NAMESPACE__ . '\\write_sso',
		'restore_sso'       => __NAMESPACE__ . '\\restore_sso',
		'sso_forget_user'   => __NAMESPACE__ . '\\sso_forget_user',
		'sso_check_token'   => __NAMESPACE__ . '\\sso_check_token',
		'write_health'      => __NAMESPACE__ . '\\write_health',
		'write_bridge'      => __NAMESPACE__ . '\\write_bridge',
		'fill_form'         => __NAMESPACE__ . '\\fill_form',
		'write_rest_user'   => __NAMESPACE__ . '\\write_rest_user',
		'delete_rest_user'  => __NAMESPACE__ . '\\delete_rest_user',
	);
}
