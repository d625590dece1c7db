<?php
/**
 * Keeps what people send through forms: before any mail goes out, so that a dead mail server loses nobody.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Stores, shows and expires submissions; only while the site's pairing shares them. */
final class Bridge_Submissions {

	/** Days a submission is kept. */
	const DAYS = 90;

	/** Characters of one value that are kept. */
	const LONGEST = 65535;

	/** What the bridge may write back. */
	const ANSWERS = array( 'status', 'owner', 'notes' );

	/** Hook in. */
	public function hook() {
		add_action( 'wpcf7_before_send_mail', array( $this, 'contact_form_7' ), 1000, 3 );
		/*
		 * For other form plugins: do_action( 'agencystack_form_submission', array( ... ) ), see readme.txt.
		 */
		add_action( 'agencystack_form_submission', array( self::class, 'keep' ) );
	}

	/**
	 * A form of Contact Form 7 was filled in well, and is about to be mailed.
	 *
	 * @param \WPCF7_ContactForm $form       The form.
	 * @param bool               $abort      Whether another plugin stopped it, for example as spam.
	 * @param \WPCF7_Submission  $submission What was sent.
	 */
	public function contact_form_7( $form, $abort, $submission = null ) {
		$submission = $submission ? $submission : \WPCF7_Submission::get_instance();
		if ( $abort || ! $submission ) {
			return;
		}
		$posted  = (array) $submission->get_posted_data();
		$fields  = array();
		$consent = null;
		foreach ( $form->scan_form_tags() as $tag ) {
			if ( '' === $tag->name || ! isset( $posted[ $tag->name ] ) || in_array( $tag->basetype, array( 'file', 'quiz', 'captchar' ), true ) ) {
				continue;
			}
			if ( 'acceptance' === $tag->basetype ) {
				$consent = array( 'given' => '' !== (string) $posted[ $tag->name ], 'text' => wp_strip_all_tags( $tag->content ) );
				continue;
			}
			$fields[] = array( 'name' => $tag->name, 'label' => '', 'type' => $tag->basetype, 'value' => $posted[ $tag->name ] );
		}
		$files = array();
		foreach ( (array) $submission->uploaded_files() as $paths ) {
			$files = array_merge( $files, array_map( 'wp_basename', (array) $paths ) );
		}
		$page = (int) $submission->get_meta( 'container_post_id' );
		self::keep(
			array(
				'source'     => 'contact-form-7',
				'form_id'    => (string) $form->id(),
				'form_title' => $form->title(),
				'page_url'   => (string) $submission->get_meta( 'url' ),
				'page_title' => $page ? get_the_title( $page ) : '',
				'fields'     => $fields,
				'files'      => $files,
				'consent'    => $consent,
			)
		);
	}

	/**
	 * Keep a submission.
	 *
	 * @param array $given `source`, `form_id`, `form_title`, `page_url`, `page_title`, `fields` (list of `name`, `label`,
	 *                     `type`, `value`), `files` (names), `consent` (`given`, `text`) or null.
	 */
	public static function keep( $given ) {
		global $wpdb;
		if ( ! is_array( $given ) || ! Bridge_Kinds::may_be_read( 'submission' ) ) {
			return;
		}
		$fields = self::fields( isset( $given['fields'] ) ? (array) $given['fields'] : array() );
		$row    = array(
			'created'    => gmdate( 'Y-m-d H:i:s' ),
			'source'     => self::line( $given, 'source', 40 ),
			'form_id'    => self::line( $given, 'form_id', 40 ),
			'form_title' => self::line( $given, 'form_title', 200 ),
			'page_url'   => esc_url_raw( self::line( $given, 'page_url', 2000 ) ),
			'page_title' => self::line( $given, 'page_title', 200 ),
			'email'      => sanitize_email( self::sender( $fields )['email'] ),
			'content'    => (string) wp_json_encode(
				array(
					'fields'  => $fields,
					'files'   => array_values( array_map( 'strval', isset( $given['files'] ) ? (array) $given['files'] : array() ) ),
					'consent' => isset( $given['consent'] ) && is_array( $given['consent'] ) ? array(
						'given' => ! empty( $given['consent']['given'] ),
						'text'  => self::line( $given['consent'], 'text', 2000 ),
					) : null,
				)
			),
			'notes'      => '[]',
		);
		$before = $wpdb->suppress_errors();
		if ( $wpdb->insert( Bridge_Tables::name( 'submissions' ), $row ) ) { // phpcs:ignore WordPress.DB
			Bridge_Marks::changed( 'submission', $wpdb->insert_id );
		}
		$wpdb->suppress_errors( $before );
	}

	/**
	 * A submission as the bridge sees it.
	 *
	 * @param int $id Its id.
	 * @return array|null
	 */
	public static function read( $id ) {
		global $wpdb;
		$table = Bridge_Tables::name( 'submissions' );
		$row   = $wpdb->get_row( $wpdb->prepare( "SELECT * FROM `$table` WHERE id = %d", $id ) ); // phpcs:ignore WordPress.DB
		return $row ? self::native( $row ) : null;
	}

	/**
	 * Submissions of an address, or all.
	 *
	 * @param array $params `email`.
	 * @return array
	 */
	public static function search( array $params ) {
		global $wpdb;
		$table = Bridge_Tables::name( 'submissions' );
		$email = isset( $params['email'] ) ? (string) $params['email'] : '';
		$ids   = $wpdb->get_col( $wpdb->prepare( "SELECT id FROM `$table` WHERE email = %s OR %s = '' ORDER BY id LIMIT 1000", $email, $email ) ); // phpcs:ignore WordPress.DB
		return array_values( Bridge_Records::read( 'submission', $ids ) );
	}

	/**
	 * Write what came of a submission.
	 *
	 * @param int   $id     Its id.
	 * @param array $values Of ANSWERS; `notes` is a list of texts, or of `date` and `text`.
	 * @return true|\WP_Error
	 */
	public static function write( $id, array $values ) {
		global $wpdb;
		$row = array();
		foreach ( array_intersect_key( $values, array_flip( self::ANSWERS ) ) as $key => $value ) {
			$row[ $key ] = 'notes' === $key ? (string) wp_json_encode( is_array( $value ) ? array_values( $value ) : array( (string) $value ) ) : sanitize_text_field( (string) $value );
		}
		if ( ! $row ) {
			return new \WP_Error( 'agencystack_read_only', 'of a submission only status, owner and notes can be written', array( 'status' => 400 ) );
		}
		if ( false === $wpdb->update( Bridge_Tables::name( 'submissions' ), $row, array( 'id' => $id ) ) ) { // phpcs:ignore WordPress.DB
			return new \WP_Error( 'agencystack_unwell', 'the submission cannot be written', array( 'status' => 503 ) );
		}
		Bridge_Marks::changed( 'submission', $id );
		return true;
	}

	/**
	 * Remove submissions for good.
	 *
	 * @param int[] $ids Theirs.
	 */
	public static function remove( array $ids ) {
		global $wpdb;
		foreach ( $ids as $id ) {
			$wpdb->delete( Bridge_Tables::name( 'submissions' ), array( 'id' => (int) $id ) ); // phpcs:ignore WordPress.DB
			Bridge_Marks::changed( 'submission', $id );
		}
	}

	/** Remove what is older than it may be. No marks: what came of it in ERPNext stays. */
	public static function expire() {
		global $wpdb;
		$table = Bridge_Tables::name( 'submissions' );
		/**
		 * Days for which submissions of forms are kept.
		 *
		 * @param int $days Days.
		 */
		$days = max( 1, (int) apply_filters( 'agencystack_submission_days', self::DAYS ) );
		$wpdb->query( $wpdb->prepare( "DELETE FROM `$table` WHERE created < %s", gmdate( 'Y-m-d H:i:s', time() - $days * DAY_IN_SECONDS ) ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * How many are kept.
	 *
	 * @return int
	 */
	public static function count() {
		global $wpdb;
		$table = Bridge_Tables::name( 'submissions' );
		return (int) $wpdb->get_var( "SELECT COUNT(*) FROM `$table`" ); // phpcs:ignore WordPress.DB
	}

	/**
	 * A row as the bridge sees it.
	 *
	 * @param object $row Of the table.
	 * @return array
	 */
	private static function native( $row ) {
		$content = json_decode( $row->content, true );
		$fields  = isset( $content['fields'] ) ? $content['fields'] : array();
		$notes   = json_decode( $row->notes, true );
		return array(
			'id'               => (int) $row->id,
			'date_created_gmt' => str_replace( ' ', 'T', $row->created ),
			'source'           => $row->source,
			'form'             => array( 'id' => $row->form_id, 'title' => $row->form_title ),
			'page'             => array( 'url' => $row->page_url, 'title' => $row->page_title ),
			'sender'           => self::sender( $fields ),
			'fields'           => $fields,
			'files'            => isset( $content['files'] ) ? $content['files'] : array(),
			'consent'          => isset( $content['consent'] ) ? $content['consent'] : null,
			'status'           => $row->status,
			'owner'            => $row->owner,
			'notes'            => is_array( $notes ) ? $notes : array(),
		);
	}

	/**
	 * Who sent a form and what it says, as far as names and types of fields tell.
	 *
	 * @param array $fields The fields.
	 * @return array `name`, `email`, `phone`, `subject`, `message`.
	 */
	private static function sender( array $fields ) {
		$found = array_fill_keys( array( 'name', 'email', 'phone', 'subject', 'message' ), '' );
		$parts = array();
		$types = array( 'email' => 'email', 'tel' => 'phone', 'textarea' => 'message' );
		$names = array( 'email' => '/e-?mail/i', 'phone' => '/phone|tel|mobile/i', 'subject' => '/subject|betreff|topic/i', 'message' => '/message|nachricht|comment/i', 'name' => '/name/i' );
		foreach ( $fields as $field ) {
			$value = trim( implode( ', ', array_map( 'strval', (array) $field['value'] ) ) );
			$what  = isset( $types[ $field['type'] ] ) ? $types[ $field['type'] ] : null;
			foreach ( null === $what ? $names : array() as $candidate => $pattern ) {
				if ( preg_match( $pattern, $field['name'] ) ) {
					$what = $candidate;
					break;
				}
			}
			if ( 'name' === $what && preg_match( '/first|last|given|family|sur|vor|nach/i', $field['name'] ) ) {
				$parts[] = $value;
			} elseif ( null !== $what && '' === $found[ $what ] ) {
				$found[ $what ] = $value;
			}
		}
		$found['name'] = '' === $found['name'] ? trim( implode( ' ', $parts ) ) : $found['name'];
		return $found;
	}

	/**
	 * Fields in one shape.
	 *
	 * @param array $given As another plugin gave them.
	 * @return array
	 */
	private static function fields( array $given ) {
		$fields = array();
		foreach ( $given as $key => $field ) {
			$field    = is_array( $field ) && array_key_exists( 'value', $field ) ? $field : array( 'name' => $key, 'value' => $field );
			$value    = is_array( $field['value'] ) ? array_values( array_map( array( self::class, 'text' ), array_filter( $field['value'], 'is_scalar' ) ) ) : self::text( $field['value'] );
			$fields[] = array( 'name' => self::line( $field, 'name', 200 ), 'label' => self::line( $field, 'label', 200 ), 'type' => self::line( $field, 'type', 40 ), 'value' => $value );
		}
		return $fields;
	}

	/**
	 * A value as text.
	 *
	 * @param mixed $value The value.
	 * @return string
	 */
	private static function text( $value ) {
		return is_scalar( $value ) ? mb_substr( wp_check_invalid_utf8( (string) $value, true ), 0, self::LONGEST ) : '';
	}

	/**
	 * A line of text.
	 *
	 * @param array  $given   Where it is.
	 * @param string $key     Its key.
	 * @param int    $longest Characters that are kept.
	 * @return string
	 */
	private static function line( array $given, $key, $longest ) {
		return isset( $given[ $key ] ) && is_scalar( $given[ $key ] ) ? mb_substr( sanitize_text_field( (string) $given[ $key ] ), 0, $longest ) : '';
	}
}
