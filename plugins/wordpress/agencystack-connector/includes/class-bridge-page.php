<?php
/**
 * Settings > AgencyStack: what this site shares with ERPNext, and the possibility to share less.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Shows the pairing; what is shared can only be narrowed here, never widened. */
final class Bridge_Page {

	const SLUG = 'agencystack-bridge';

	/** Hook in. */
	public function hook() {
		add_action( 'admin_menu', array( $this, 'menu' ) );
		add_action( 'admin_init', array( $this, 'register' ) );
	}

	/** Make the page known. */
	public function menu() {
		add_options_page( __( 'AgencyStack data bridge', 'agencystack-connector' ), __( 'AgencyStack', 'agencystack-connector' ), 'manage_options', self::SLUG, array( $this, 'show' ) );
	}

	/** Make the setting known: WordPress checks nonce and capability before it calls narrowed(). */
	public function register() {
		register_setting(
			self::SLUG,
			Bridge_Settings::NARROWED,
			array(
				'type'              => 'array',
				'sanitize_callback' => array( $this, 'narrowed' ),
				'show_in_rest'      => false,
			)
		);
	}

	/**
	 * What is stored of what the form sent. WordPress asks again with what is to be stored, which changes nothing more.
	 *
	 * @param mixed $sent Direction by entity; or what is to be stored.
	 * @return array
	 */
	public function narrowed( $sent ) {
		$sent = is_array( $sent ) ? $sent : array();
		return Bridge_Settings::narrower( isset( $sent['revision'], $sent['entities'] ) ? (array) $sent['entities'] : $sent );
	}

	/** The page. */
	public function show() {
		if ( ! current_user_can( 'manage_options' ) ) {
			return;
		}
		echo '<div class="wrap"><h1>' . esc_html__( 'AgencyStack data bridge', 'agencystack-connector' ) . '</h1>';
		$state = Bridge_Settings::state();
		if ( null === $state ) {
			echo '<p>' . esc_html__( 'This site is not connected to ERPNext. AgencyStack connects it.', 'agencystack-connector' ) . '</p></div>';
			return;
		}
		$this->warnings( $state );
		$this->facts( $state );
		$this->form( $state );
		echo '</div>';
	}

	/**
	 * What somebody must do.
	 *
	 * @param array $state The pairing.
	 */
	private function warnings( array $state ) {
		if ( ! $state['tables'] ) {
			self::warn( __( 'The tables of the bridge could not be made: the user of the database needs the right to create tables.', 'agencystack-connector' ) );
		}
		if ( ! $state['user'] ) {
			self::warn( __( 'The user of the bridge is missing or was changed. Run `agencystack integrate data-bridge` again.', 'agencystack-connector' ) );
		}
		foreach ( $state['keys'] as $key ) {
			if ( ! $key['readable'] ) {
				self::warn( __( 'A key of the bridge cannot be read, because the salts of this site were changed. Run `agencystack integrate data-bridge` again.', 'agencystack-connector' ) );
				break;
			}
		}
	}

	/**
	 * How the pairing is.
	 *
	 * @param array $state The pairing.
	 */
	private function facts( array $state ) {
		$contact = $state['contact']
			/* translators: %s: a length of time, as "5 minutes". */
			? sprintf( __( '%s ago', 'agencystack-connector' ), human_time_diff( $state['contact'] ) )
			: __( 'never', 'agencystack-connector' );
		$facts = array(
			__( 'Pairing', 'agencystack-connector' )         => $state['pairing'],
			__( 'Bridge', 'agencystack-connector' )          => '' === $state['hook'] ? __( 'collects changes by itself', 'agencystack-connector' ) : (string) wp_parse_url( $state['hook'], PHP_URL_HOST ),
			__( 'Last contact', 'agencystack-connector' )    => $contact,
			__( 'Changes that wait', 'agencystack-connector' ) => number_format_i18n( Bridge_Outbox::backlog() ),
			__( 'Form submissions kept', 'agencystack-connector' ) => number_format_i18n( Bridge_Submissions::count() ),
		);
		echo '<table class="form-table" role="presentation">';
		foreach ( $facts as $name => $value ) {
			echo '<tr><th scope="row">' . esc_html( $name ) . '</th><td>' . esc_html( $value ) . '</td></tr>';
		}
		echo '</table>';
	}

	/**
	 * What is shared, and the choice to share less.
	 *
	 * @param array $state The pairing.
	 */
	private function form( array $state ) {
		echo '<h2>' . esc_html__( 'What is shared', 'agencystack-connector' ) . '</h2><p>' . esc_html__( 'You may share less than was agreed; to share more, ask your agency.', 'agencystack-connector' ) . '</p>';
		echo '<form method="post" action="options.php">';
		settings_fields( self::SLUG );
		echo '<table class="form-table" role="presentation">';
		$names = self::names();
		$words = self::words();
		foreach ( $state['entities'] as $entity => $agreed ) {
			$now = (string) Bridge_Settings::direction( $entity );
			$id  = 'agencystack-' . $entity;
			echo '<tr><th scope="row"><label for="' . esc_attr( $id ) . '">' . esc_html( isset( $names[ $entity ] ) ? $names[ $entity ] : $entity ) . '</label></th><td>';
			echo '<select id="' . esc_attr( $id ) . '" name="' . esc_attr( Bridge_Settings::NARROWED . "[$entity]" ) . '">';
			foreach ( Bridge_Settings::DIRECTIONS as $direction ) {
				if ( Bridge_Settings::both_allow( $agreed, $direction ) === $direction ) {
					echo '<option value="' . esc_attr( $direction ) . '"' . selected( $now, $direction, false ) . '>' . esc_html( $words[ $direction ] ) . '</option>';
				}
			}
			echo '</select></td></tr>';
		}
		echo '</table>';
		submit_button();
		echo '</form>';
	}

	/**
	 * A warning.
	 *
	 * @param string $text The text.
	 */
	private static function warn( $text ) {
		echo '<div class="notice notice-error"><p>' . esc_html( $text ) . '</p></div>';
	}

	/**
	 * Entities as people call them.
	 *
	 * @return string[]
	 */
	private static function names() {
		return array(
			'category'   => __( 'Product categories', 'agencystack-connector' ),
			'customer'   => __( 'Customers', 'agencystack-connector' ),
			'product'    => __( 'Products', 'agencystack-connector' ),
			'variation'  => __( 'Variations of products', 'agencystack-connector' ),
			'order'      => __( 'Orders', 'agencystack-connector' ),
			'payment'    => __( 'Payments', 'agencystack-connector' ),
			'refund'     => __( 'Refunds', 'agencystack-connector' ),
			'submission' => __( 'Form submissions', 'agencystack-connector' ),
			'post'       => __( 'Posts', 'agencystack-connector' ),
			'page'       => __( 'Pages', 'agencystack-connector' ),
		);
	}

	/**
	 * Directions as people call them.
	 *
	 * @return string[]
	 */
	private static function words() {
		return array(
			'both'         => __( 'both ways', 'agencystack-connector' ),
			'to_erpnext'   => __( 'from this site to ERPNext', 'agencystack-connector' ),
			'to_wordpress' => __( 'from ERPNext to this site', 'agencystack-connector' ),
			'off'          => __( 'not shared', 'agencystack-connector' ),
		);
	}
}
