<?php
/**
 * Removes what the connector stored, when it is deleted.
 *
 * @package AgencyStack\Connector
 */

if ( ! defined( 'WP_UNINSTALL_PLUGIN' ) ) {
	exit;
}

delete_option( 'agencystack_connector' );
delete_option( 'agencystack_connector_sso' );
delete_option( 'agencystack_connector_health' );
delete_option( 'agencystack_connector_mail_failed' );
delete_transient( 'agencystack_health' );
delete_transient( 'agencystack_sso_keys' );
foreach ( array( 'agencystack_sso_subject', 'agencystack_sso_made', 'agencystack_password_login' ) as $agencystack_meta ) {
	delete_metadata( 'user', 0, $agencystack_meta, '', true );
}

$agencystack_folder = WP_CONTENT_DIR . '/uploads/agencystack-connector';
foreach ( (array) glob( $agencystack_folder . '/ca-*.pem*' ) as $agencystack_file ) {
	wp_delete_file( $agencystack_file );
}
if ( is_dir( $agencystack_folder ) ) {
	rmdir( $agencystack_folder ); // phpcs:ignore WordPress.WP.AlternativeFunctions -- WP_Filesystem is for admin pages.
}
