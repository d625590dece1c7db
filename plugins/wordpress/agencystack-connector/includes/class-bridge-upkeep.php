<?php
/**
 * What the data bridge does once an hour, and when the plugin is switched off.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Keeps the tables small: old submissions, nonces and tokens go, and of each record one mark is enough. */
final class Bridge_Upkeep {

	/** Of WP-Cron. */
	const EVENT = 'agencystack_bridge_upkeep';

	/** Hook in. */
	public function hook() {
		add_action( 'init', array( $this, 'plan' ) );
		add_action( self::EVENT, array( $this, 'run' ) );
	}

	/** Plan it, where it is not. */
	public function plan() {
		if ( ! wp_next_scheduled( self::EVENT ) ) {
			wp_schedule_event( time() + HOUR_IN_SECONDS, 'hourly', self::EVENT );
		}
	}

	/** Do it. Submissions expire also where the pairing has ended. */
	public function run() {
		if ( '' === Bridge_Tables::instance() ) {
			return;
		}
		Bridge_Submissions::expire();
		Bridge_Signature::sweep();
		Bridge_Tokens::sweep();
		Bridge_Outbox::compact();
	}

	/** The plugin is switched off: nothing of it is left in WP-Cron. */
	public static function stop() {
		wp_clear_scheduled_hook( self::EVENT );
		wp_clear_scheduled_hook( Bridge_Hint::EVENT );
	}
}
