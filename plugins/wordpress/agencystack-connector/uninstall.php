<?php
/**
 * Removes what the connector stored, when it is deleted.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'WP_UNINSTALL_PLUGIN' ) ) {
	exit;
}

foreach ( array( 'crypto', 'bridge-tables', 'bridge-settings', 'bridge-user', 'bridge-marks', 'bridge-outbox', 'bridge-hint', 'bridge-tokens', 'bridge-upkeep' ) as $agencystack_part ) {
	require_once __DIR__ . "/includes/class-$agencystack_part.php";
}

/** Remove what one site stored. */
function agencystack_uninstall_site() {
	foreach ( array( 'agencystack_connector', 'agencystack_connector_sso', 'agencystack_connector_health', 'agencystack_connector_mail_failed' ) as $option ) {
		delete_option( $option );
	}
	delete_transient( 'agencystack_health' );
	delete_transient( 'agencystack_sso_keys' );
	Bridge_Settings::clear();
	Bridge_Upkeep::stop();
	Bridge_Tokens::remove_all();
	Bridge_Tables::remove();
}

if ( is_multisite() ) {
	foreach ( get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) as $agencystack_site ) {
		switch_to_blog( $agencystack_site );
		agencystack_uninstall_site();
		restore_current_blog();
	}
} else {
	agencystack_uninstall_site();
}
foreach ( array( 'agencystack_sso_subject', 'agencystack_sso_made', 'agencystack_password_login', Bridge_Tokens::META ) as $agencystack_meta ) {
	delete_metadata( 'user', 0, $agencystack_meta, '', true );
}

$agencystack_folder = WP_CONTENT_DIR . '/uploads/agencystack-connector';
foreach ( (array) glob( $agencystack_folder . '/ca-*.pem*' ) as $agencystack_file ) {
	wp_delete_file( $agencystack_file );
}
if ( is_dir( $agencystack_folder ) ) {
	rmdir( $agencystack_folder ); // phpcs:ignore WordPress.WP.AlternativeFunctions -- WP_Filesystem is for admin pages.
}
