<?php
/**
 * Plugin Name:       AgencyStack Connector
 * Description:       Connects this site to the other components of an AgencyStack: its mail goes through the agency's mail server, people log in at the agency's Keycloak, and its monitoring sees whether it is well.
 * Version:           0.3.0
 * Requires at least: 5.5
 * Requires PHP:      7.4
 * License:           GPL-2.0-or-later
 * License URI:       https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:       agencystack-connector
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

const VERSION = '0.3.0';

foreach ( array( 'settings', 'crypto', 'authority', 'mail', 'mail-failures', 'health', 'health-checks', 'canary' ) as $agencystack_part ) {
	require_once __DIR__ . "/includes/class-$agencystack_part.php";
}
foreach ( array( 'settings', 'token', 'keys', 'roles', 'accounts', 'refusal', 'guard', 'login', 'logout', 'password' ) as $agencystack_part ) {
	require_once __DIR__ . "/includes/class-oidc-$agencystack_part.php";
}
require_once __DIR__ . '/includes/class-der.php';

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
