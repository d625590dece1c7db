<?php
/**
 * Plugin Name:       AgencyStack Connector
 * Description:       Connects this site to the other components of an AgencyStack: its mail goes through the agency's mail server.
 * Version:           0.1.0
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

const VERSION = '0.1.0';

require_once __DIR__ . '/includes/class-settings.php';
require_once __DIR__ . '/includes/class-crypto.php';
require_once __DIR__ . '/includes/class-mail.php';

/** Each module hooks itself in; one that is not configured does nothing. */
( new Mail() )->hook();
