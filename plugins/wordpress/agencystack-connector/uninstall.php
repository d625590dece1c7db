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

$agencystack_folder = WP_CONTENT_DIR . '/uploads/agencystack-connector';
foreach ( (array) glob( $agencystack_folder . '/ca-*.pem*' ) as $agencystack_file ) {
	wp_delete_file( $agencystack_file );
}
if ( is_dir( $agencystack_folder ) ) {
	rmdir( $agencystack_folder ); // phpcs:ignore WordPress.WP.AlternativeFunctions -- WP_Filesystem is for admin pages.
}
