<?php
/**
 * Looks at what a site needs to work; asks nobody outside.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Each check gives a word and what a person needs to act on it; a check that does not concern the site gives null. */
final class Health_Checks {

	/** Milliseconds that one empty question to the database may take. */
	const SLOW = 1000;

	/** Seconds that work which is due may wait. Each look at the health is a visit, which starts WP-Cron where visitors do. */
	const LATE = 2 * HOUR_IN_SECONDS;

	/** Bytes free where uploads lie, below which somebody should make room. */
	const TIGHT = 512 * MB_IN_BYTES;

	/** Rows that are counted at most. */
	const COUNTED = 10000;

	/**
	 * All checks.
	 *
	 * @return array `checks`: word by name; `detail`: array by name.
	 */
	public static function all() {
		$report = array(
			'checks' => array(),
			'detail' => array( 'updates' => self::updates(), 'software' => self::software() ),
		);
		foreach ( array( 'database', 'cron', 'disk', 'mail', 'queue', 'bridge' ) as $name ) {
			$found = self::looked_at( $name );
			if ( null !== $found ) {
				list( $report['checks'][ $name ], $report['detail'][ $name ] ) = $found;
			}
		}
		return $report;
	}

	/**
	 * One check; another plugin's defect in the middle of it must not take the others along.
	 *
	 * @param string $name Of the method.
	 * @return array|null
	 */
	private static function looked_at( $name ) {
		try {
			return self::$name();
		} catch ( \Throwable $error ) {
			return array( 'degraded', array( 'reason' => 'cannot be looked at: ' . get_class( $error ) ) );
		}
	}

	/**
	 * Whether the database answers, and how fast.
	 *
	 * @return array
	 */
	private static function database() {
		global $wpdb;
		$begun  = microtime( true );
		$answer = $wpdb->get_var( 'SELECT 1' ); // phpcs:ignore WordPress.DB.DirectDatabaseQuery -- this is what is measured.
		$took   = round( ( microtime( true ) - $begun ) * 1000, 2 );
		$detail = array( 'milliseconds' => $took );
		if ( '1' !== (string) $answer ) {
			return array( 'down', $detail + array( 'reason' => 'the database does not answer' ) );
		}
		return self::judged( $took > self::SLOW, $detail, "the database needs $took ms for nothing" );
	}

	/**
	 * How long the oldest event of WP-Cron has been due.
	 *
	 * @return array
	 */
	private static function cron() {
		$events = _get_cron_array();
		$now    = time();
		$due    = array();
		foreach ( is_array( $events ) ? $events : array() as $time => $hooks ) {
			if ( is_int( $time ) && $time <= $now && is_array( $hooks ) ) {
				$due[ $time ] = (string) key( $hooks );
			}
		}
		ksort( $due );
		$late   = $due ? $now - key( $due ) : 0;
		$detail = array(
			'late_seconds' => $late,
			'due'          => count( $due ),
			'oldest'       => $due ? reset( $due ) : '',
			'by_visitors'  => ! ( defined( 'DISABLE_WP_CRON' ) && DISABLE_WP_CRON ),
		);
		return self::judged( $late > self::LATE, $detail, "work planned by {$detail['oldest']} has been due for $late seconds: nothing calls wp-cron.php" );
	}

	/**
	 * Room where uploads lie, and whether they can be written.
	 *
	 * @return array
	 */
	private static function disk() {
		$uploads = wp_upload_dir( null, false );
		$folder  = is_dir( $uploads['basedir'] ) ? $uploads['basedir'] : WP_CONTENT_DIR;
		// Hosts switch this function off, or close the folder it would look at.
		$free     = function_exists( 'disk_free_space' ) ? @disk_free_space( $folder ) : false; // phpcs:ignore WordPress.PHP.NoSilencedErrors
		$writable = wp_is_writable( $folder );
		$detail   = array( 'free_bytes' => false === $free ? null : (int) $free, 'writable' => $writable );
		if ( ! $writable ) {
			return array( 'degraded', $detail + array( 'reason' => 'the folder of uploads cannot be written' ) );
		}
		return self::judged( false !== $free && $free < self::TIGHT, $detail, 'less than 512 MB are free where uploads lie' );
	}

	/**
	 * Who carries mail, and whether the last one that was tried could be handed over.
	 *
	 * @return array
	 */
	private static function mail() {
		$failure = Mail_Failures::last();
		$detail  = array( 'by' => self::carrier() );
		if ( null === $failure ) {
			return array( 'ok', $detail );
		}
		$detail['failed_at'] = $failure['at'];
		return self::judged( Mail_Failures::counts( $failure ), $detail, 'the last mail was not taken: ' . $failure['reason'] );
	}

	/**
	 * What WordPress hands its mail to.
	 *
	 * @return string `connector`, `wp-mail-smtp`, or `php` for all else: PHP's own mail() unless another plugin takes it.
	 */
	private static function carrier() {
		if ( 'smtp' === Settings::get( 'mail', 'mailer' ) && '' !== Settings::get( 'smtp', 'host' ) ) {
			return 'connector';
		}
		$other = class_exists( 'WPMailSMTP\Options', false ) ? get_option( 'wp_mail_smtp' ) : null;
		return isset( $other['mail']['mailer'] ) && 'mail' !== $other['mail']['mailer'] ? 'wp-mail-smtp' : 'php';
	}

	/**
	 * Work of WooCommerce and others that Action Scheduler should have done.
	 *
	 * @return array|null Null where there is no Action Scheduler.
	 */
	private static function queue() {
		global $wpdb;
		if ( ! isset( $wpdb->actionscheduler_actions ) ) {
			return null;
		}
		$now = gmdate( 'Y-m-d H:i:s' );
		$row = $wpdb->get_row( // phpcs:ignore WordPress.DB.DirectDatabaseQuery -- its own functions load every action.
			$wpdb->prepare(
				"SELECT COUNT(*) AS waiting, MIN(due) AS oldest FROM (SELECT scheduled_date_gmt AS due
				FROM $wpdb->actionscheduler_actions WHERE status = 'pending' AND scheduled_date_gmt <= %s
				ORDER BY scheduled_date_gmt LIMIT %d) AS due_ones",
				$now,
				self::COUNTED
			)
		);
		$late   = $row && $row->oldest ? max( 0, time() - (int) strtotime( $row->oldest . ' UTC' ) ) : 0;
		$detail = array( 'waiting' => $row ? (int) $row->waiting : 0, 'late_seconds' => $late );
		return self::judged( $late > self::LATE, $detail, "work of Action Scheduler has been due for $late seconds" );
	}

	/**
	 * Changes that the data bridge should have collected.
	 *
	 * @return array|null Null where the site is not joined to one.
	 */
	private static function bridge() {
		if ( ! Bridge_Settings::configured() ) {
			return null;
		}
		$late   = Bridge_Outbox::late();
		$detail = array( 'late_seconds' => $late, 'contact' => (int) get_option( Bridge_Settings::CONTACT, 0 ), 'tables' => Bridge_Tables::complete() );
		if ( ! $detail['tables'] ) {
			return array( 'degraded', $detail + array( 'reason' => 'tables of the data bridge are missing: changes are not noted' ) );
		}
		return self::judged( $late > self::LATE, $detail, "changes have waited for $late seconds: no bridge collects them" );
	}

	/**
	 * Updates that WordPress knows of; it looks twice a day by itself. Shown to nobody without the token.
	 *
	 * @return array
	 */
	private static function updates() {
		$core    = get_site_transient( 'update_core' );
		$offered = isset( $core->updates ) && is_array( $core->updates ) ? $core->updates : array();
		$newer   = array_filter(
			$offered,
			function ( $update ) {
				return isset( $update->response ) && 'upgrade' === $update->response;
			}
		);
		$counts  = array( 'core' => count( $newer ) ? 1 : 0 );
		foreach ( array( 'plugins', 'themes' ) as $kind ) {
			$known           = get_site_transient( "update_$kind" );
			$counts[ $kind ] = isset( $known->response ) && is_array( $known->response ) ? count( $known->response ) : 0;
		}
		return $counts + array( 'looked_at' => isset( $core->last_checked ) ? (int) $core->last_checked : null );
	}

	/**
	 * Versions.
	 *
	 * @return array
	 */
	private static function software() {
		global $wpdb;
		return array(
			'wordpress'   => get_bloginfo( 'version' ),
			'php'         => PHP_VERSION,
			'database'    => $wpdb->db_version(),
			'woocommerce' => defined( 'WC_VERSION' ) ? WC_VERSION : null,
			'connector'   => VERSION,
		);
	}

	/**
	 * A check that is either well or needs somebody.
	 *
	 * @param bool   $bad    Whether it needs somebody.
	 * @param array  $detail Numbers.
	 * @param string $reason What to tell them.
	 * @return array
	 */
	private static function judged( $bad, array $detail, $reason ) {
		return $bad ? array( 'degraded', $detail + array( 'reason' => $reason ) ) : array( 'ok', $detail );
	}
}
