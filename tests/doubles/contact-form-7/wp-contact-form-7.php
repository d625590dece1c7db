<?php
/**
 * Plugin Name: Contact Form 7 (double)
 * Description: One form of Contact Form 7 6.1, as far as its hook before the mail goes.
 * Version: 6.1.6
 */

class WPCF7_FormTag {
	public $name;
	public $basetype;
	public $content;

	public function __construct( $name, $basetype, $content = '' ) {
		$this->name     = $name;
		$this->basetype = $basetype;
		$this->content  = $content;
	}
}

class WPCF7_ContactForm {
	public function id() {
		return 10;
	}

	public function title() {
		return 'Contact form 1';
	}

	public function scan_form_tags() {
		return array(
			new WPCF7_FormTag( 'your-name', 'text' ),
			new WPCF7_FormTag( 'your-email', 'email' ),
			new WPCF7_FormTag( 'drinks', 'checkbox' ),
			new WPCF7_FormTag( 'your-message', 'textarea' ),
			new WPCF7_FormTag( 'cv', 'file' ),
			new WPCF7_FormTag( 'terms', 'acceptance', 'I <b>agree</b>' ),
			new WPCF7_FormTag( '', 'submit' ),
		);
	}
}

class WPCF7_Submission {
	private $posted;
	private $files;

	public function __construct( array $posted, array $files ) {
		$this->posted = $posted;
		$this->files  = $files;
	}

	public function get_posted_data() {
		return $this->posted;
	}

	public function uploaded_files() {
		return $this->files;
	}

	public function get_meta( $name ) {
		$meta = array( 'url' => home_url( '/contact/' ), 'container_post_id' => 2 );
		return isset( $meta[ $name ] ) ? $meta[ $name ] : null;
	}
}

/** A visitor sends the form; the mail server is dead. */
function wpcf7_double_send( array $posted, array $files = array(), $abort = false ) {
	$form       = new WPCF7_ContactForm();
	$submission = new WPCF7_Submission( $posted, $files );
	do_action_ref_array( 'wpcf7_before_send_mail', array( $form, &$abort, $submission ) );
	do_action( 'wpcf7_mail_failed', $form );
}
