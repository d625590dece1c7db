<?php
/**
 * Plugin Name:       AgencyStack Connector
 * Description:       Connects this site to the other components of an AgencyStack: its mail goes through the agency's mail server, people log in at the agency's Keycloak, its monitoring sees whether it is well, and its data is kept in step with ERPNext.
 * Version:           0.4.0
 * Requires at least: 5.5
 * Requires PHP:      7.4
 * License:           GPL-2.0-or-later
 * License URI:       https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:       agencystack-connector
 * Domain Path:       /languages
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

const VERSION = '0.4.0';

foreach ( array( 'settings', 'crypto', 'authority', 'mail', 'mail-failures', 'health', 'health-checks', 'canary' ) as $agencystack_part ) {
	require_once __DIR__ . "/includes/class-$agencystack_part.php";
}
foreach ( array( 'settings', 'token', 'keys', 'roles', 'accounts', 'refusal', 'guard', 'login', 'logout', 'password' ) as $agencystack_part ) {
	require_once __DIR__ . "/includes/class-oidc-$agencystack_part.php";
}
require_once __DIR__ . '/includes/class-der.php';
foreach ( array( 'tables', 'settings', 'user', 'signature', 'outbox', 'marks', 'capture', 'capture-shop', 'tokens', 'kinds', 'rows', 'digest', 'half', 'stock', 'people', 'submissions', 'privacy', 'records', 'writer', 'apply', 'quiet', 'api', 'hint', 'upkeep', 'page' ) as $agencystack_part ) {
	require_once __DIR__ . "/includes/class-bridge-$agencystack_part.php";
}

/** Each module hooks itself in; one that is not configured does nothing. */
( new Mail() )->hook();
( new Mail_Failures() )->hook();
( new Health() )->hook();
( new Canary() )->hook();
if ( Oidc_Settings::complete() ) {
	( new Oidc_Guard() )->hook();
	( new Oidc_Login() )->hook();
	( new Oidc_Logout() )->hook();
	( new Oidc_Password() )->hook();
}
add_action(
	'init',
	static function () {
		load_plugin_textdomain( 'agencystack-connector', false, basename( __DIR__ ) . '/languages' );
	},
	0
);
( new Bridge_Tables() )->hook();
( new Bridge_Upkeep() )->hook();
( new Bridge_User() )->hook();
( new Bridge_Privacy() )->hook();
if ( Bridge_Settings::configured() ) {
	( new Bridge_Quiet() )->hook();
	( new Bridge_Marks() )->hook();
	( new Bridge_Capture() )->hook();
	( new Bridge_Capture_Shop() )->hook();
	( new Bridge_Submissions() )->hook();
	( new Bridge_Api() )->hook();
	( new Bridge_Hint() )->hook();
}
if ( is_admin() ) {
	( new Bridge_Page() )->hook();
}
register_activation_hook( __FILE__, array( Bridge_Tables::class, 'update' ) );
register_deactivation_hook( __FILE__, array( Bridge_Upkeep::class, 'stop' ) );
