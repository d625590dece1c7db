<?php
/**
 * Sends the site's mail through the configured server.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Sets PHPMailer up from the settings; with no host configured WordPress mails as it always did. */
final class Mail {

	/** After plugins that only decorate a message, so that the transport is ours. */
	const LATE = 1000;

	/** Hook in. */
	public function hook() {
		add_action( 'phpmailer_init', array( $this, 'set_up' ), self::LATE );
		add_filter( 'wp_mail_from', array( $this, 'from_email' ), self::LATE );
		add_filter( 'wp_mail_from_name', array( $this, 'from_name' ), self::LATE );
	}

	/**
	 * Whether the connector carries mail.
	 *
	 * @return bool
	 */
	private function carries() {
		return 'smtp' === Settings::get( 'mail', 'mailer' ) && '' !== Settings::get( 'smtp', 'host' );
	}

	/**
	 * Point PHPMailer at the server. With WP Mail SMTP as the carrier only its missing setting is added: the authority.
	 *
	 * @param \PHPMailer\PHPMailer\PHPMailer $phpmailer The message about to be sent.
	 */
	public function set_up( $phpmailer ) {
		$this->trust( $phpmailer );
		if ( ! $this->carries() ) {
			return;
		}
		// phpcs:disable WordPress.NamingConventions.ValidVariableName.UsedPropertyNotSnakeCase -- PHPMailer's names.
		$encryption = Settings::get( 'smtp', 'encryption' );

		$phpmailer->isSMTP();
		$phpmailer->Host        = Settings::get( 'smtp', 'host' );
		$phpmailer->Port        = (int) Settings::get( 'smtp', 'port', 465 );
		$phpmailer->SMTPSecure  = 'none' === $encryption ? '' : $encryption;
		$phpmailer->SMTPAutoTLS = (bool) Settings::get( 'smtp', 'autotls', true );
		$phpmailer->SMTPAuth    = (bool) Settings::get( 'smtp', 'auth', true );
		$phpmailer->Username    = Settings::get( 'smtp', 'user' );
		$phpmailer->Password    = (string) Crypto::decrypt( Settings::get( 'smtp', 'pass' ) );
		$phpmailer->Timeout     = 30;
		if ( Settings::get( 'mail', 'return_path', true ) ) {
			$phpmailer->Sender = $phpmailer->From;
		}
		// phpcs:enable
		$this->trust( $phpmailer );
	}

	/**
	 * Trust the configured authority for the configured server, and only for that one.
	 *
	 * @param \PHPMailer\PHPMailer\PHPMailer $phpmailer The message about to be sent.
	 */
	private function trust( $phpmailer ) {
		$pem = Settings::get( 'smtp', 'ca' );
		// phpcs:disable WordPress.NamingConventions.ValidVariableName.UsedPropertyNotSnakeCase -- PHPMailer's names.
		if ( '' === $pem || Settings::get( 'smtp', 'host' ) !== $phpmailer->Host ) {
			return;
		}
		$file = Authority::file( $pem );
		if ( null !== $file ) {
			$phpmailer->SMTPOptions['ssl']['cafile'] = $file;
		}
		// phpcs:enable
	}

	/**
	 * The sender's address: always ours when forced, else only in place of WordPress's default.
	 *
	 * @param string $email As another plugin or WordPress chose.
	 * @return string
	 */
	public function from_email( $email ) {
		$ours = Settings::get( 'mail', 'from_email' );
		if ( ! $this->carries() || '' === $ours ) {
			return $email;
		}
		$forced = (bool) Settings::get( 'mail', 'from_email_force', true );
		return $forced || 0 === strpos( $email, 'wordpress@' ) ? $ours : $email;
	}

	/**
	 * The sender's name: always ours when forced, else only in place of WordPress's default.
	 *
	 * @param string $name As another plugin or WordPress chose.
	 * @return string
	 */
	public function from_name( $name ) {
		$ours = Settings::get( 'mail', 'from_name' );
		if ( ! $this->carries() || '' === $ours ) {
			return $name;
		}
		$forced = (bool) Settings::get( 'mail', 'from_name_force', false );
		return $forced || 'WordPress' === $name ? $ours : $name;
	}
}
