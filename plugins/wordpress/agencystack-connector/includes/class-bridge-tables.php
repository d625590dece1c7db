<?php
/**
 * The data bridge's own tables, one set a site, and the id that tells this installation from its clones.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Makes, updates and removes the tables. */
final class Bridge_Tables {

	/** Changes with each change of a table below. */
	const VERSION = 1;

	/** Holds `version` and `instance`. */
	const OPTION = 'agencystack_bridge_installed';

	const NAMES = array( 'marks', 'nonces', 'tokens', 'submissions' );

	/** Hook in: a site made later, an update, and one more site of a network get their tables as well. */
	public function hook() {
		add_action( 'init', array( self::class, 'update' ), 1 );
		add_filter( 'wpmu_drop_tables', array( $this, 'of_deleted_site' ) );
	}

	/**
	 * Full name of a table on the current site.
	 *
	 * @param string $name One of NAMES.
	 * @return string
	 */
	public static function name( $name ) {
		global $wpdb;
		return $wpdb->prefix . 'agencystack_' . $name;
	}

	/** Bring the tables to this version, where they are not. */
	public static function update() {
		$installed = get_option( self::OPTION );
		if ( is_array( $installed ) && isset( $installed['version'] ) && self::VERSION === (int) $installed['version'] ) {
			return;
		}
		require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		dbDelta( self::schema() );
		if ( ! self::complete() ) {
			return; // The user of the database may not make tables: tried again with the next request, and said by state().
		}
		$instance = is_array( $installed ) && ! empty( $installed['instance'] ) ? $installed['instance'] : bin2hex( random_bytes( 16 ) );
		update_option( self::OPTION, array( 'version' => self::VERSION, 'instance' => $instance ), true );
	}

	/**
	 * Id that was made with the tables.
	 *
	 * @return string Empty where there are none.
	 */
	public static function instance() {
		$installed = get_option( self::OPTION );
		return is_array( $installed ) && isset( $installed['instance'] ) ? (string) $installed['instance'] : '';
	}

	/**
	 * Whether all tables are there.
	 *
	 * @return bool
	 */
	public static function complete() {
		global $wpdb;
		foreach ( self::NAMES as $name ) {
			$table = self::name( $name );
			if ( $table !== $wpdb->get_var( $wpdb->prepare( 'SHOW TABLES LIKE %s', $wpdb->esc_like( $table ) ) ) ) { // phpcs:ignore WordPress.DB
				return false;
			}
		}
		return true;
	}

	/** Remove the tables and the id of the current site. */
	public static function remove() {
		global $wpdb;
		foreach ( self::NAMES as $name ) {
			$table = self::name( $name );
			$wpdb->query( "DROP TABLE IF EXISTS `$table`" ); // phpcs:ignore WordPress.DB
		}
		delete_option( self::OPTION );
	}

	/**
	 * The tables go with their site, where a network deletes one.
	 *
	 * @param string[] $tables Tables that WordPress removes.
	 * @return string[]
	 */
	public function of_deleted_site( $tables ) {
		return array_merge( $tables, array_map( array( self::class, 'name' ), self::NAMES ) );
	}

	/**
	 * What the tables look like, as dbDelta() wants it written.
	 *
	 * Marks are only ever inserted and deleted: a mark never waits for a lock that another request holds. Their number
	 * grows by itself; the newest stays when it was acknowledged (state 2), as MySQL 5.7 else begins again at 1.
	 *
	 * @return string
	 */
	private static function schema() {
		global $wpdb;
		$charset = $wpdb->get_charset_collate();
		$marks   = self::name( 'marks' );
		$nonces  = self::name( 'nonces' );
		$tokens  = self::name( 'tokens' );
		$forms   = self::name( 'submissions' );
		return "CREATE TABLE $marks (
number bigint(20) unsigned NOT NULL AUTO_INCREMENT,
entity varchar(20) NOT NULL,
record bigint(20) unsigned NOT NULL,
state tinyint(3) unsigned NOT NULL DEFAULT 0,
at int(10) unsigned NOT NULL,
PRIMARY KEY  (number),
KEY record (entity,record),
KEY state (state,number)
) $charset;
CREATE TABLE $nonces (
nonce char(32) NOT NULL,
at int(10) unsigned NOT NULL,
PRIMARY KEY  (nonce),
KEY at (at)
) $charset;
CREATE TABLE $tokens (
token char(32) NOT NULL,
kind varchar(20) NOT NULL,
record bigint(20) unsigned NOT NULL DEFAULT 0,
at int(10) unsigned NOT NULL,
PRIMARY KEY  (token),
KEY at (at)
) $charset;
CREATE TABLE $forms (
id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
created datetime NOT NULL,
source varchar(40) NOT NULL,
form_id varchar(40) NOT NULL DEFAULT '',
form_title varchar(200) NOT NULL DEFAULT '',
page_url text NOT NULL,
page_title varchar(200) NOT NULL DEFAULT '',
email varchar(190) NOT NULL DEFAULT '',
content longtext NOT NULL,
status varchar(40) NOT NULL DEFAULT '',
owner varchar(190) NOT NULL DEFAULT '',
notes longtext NOT NULL,
token char(32) NOT NULL DEFAULT '',
PRIMARY KEY  (id),
KEY created (created),
KEY email (email),
KEY token (token)
) $charset;";
	}
}
