<?php
/**
 * Plugins: what is installed and active, installing, activating, removing.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

const CONNECTOR = 'agencystack-connector';

/** Load what WordPress only has on admin pages. */
function load_plugin_functions() {
	require_once ABSPATH . 'wp-admin/includes/plugin.php';
	require_once ABSPATH . 'wp-admin/includes/file.php';
	require_once ABSPATH . 'wp-admin/includes/misc.php';
}

/**
 * Where plugins lie, and whether we may put one there.
 *
 * @return array `path` and `writable`.
 */
function plugins_folder() {
	load_plugin_functions();
	return array(
		'path'     => WP_PLUGIN_DIR,
		'writable' => wp_is_writable( WP_PLUGIN_DIR ),
	);
}

/**
 * The slug of a plugin file: its folder, or the file's name where it has none.
 *
 * @param string $file As WordPress lists it.
 * @return string
 */
function slug_of( $file ) {
	return false === strpos( $file, '/' ) ? basename( $file, '.php' ) : dirname( $file );
}

/**
 * Every installed plugin.
 *
 * @return array
 */
function plugins() {
	load_plugin_functions();
	$found = array();
	foreach ( get_plugins() as $file => $header ) {
		$found[] = array(
			'slug'           => slug_of( $file ),
			'file'           => $file,
			'name'           => $header['Name'],
			'version'        => $header['Version'],
			'active'         => is_plugin_active( $file ),
			'network_active' => is_multisite() && is_plugin_active_for_network( $file ),
		);
	}
	return $found;
}

/**
 * The installed plugin with that slug.
 *
 * @param string $slug Folder of the plugin.
 * @return array|null
 */
function plugin( $slug ) {
	foreach ( plugins() as $plugin ) {
		if ( $plugin['slug'] === $slug ) {
			return $plugin;
		}
	}
	return null;
}

/**
 * The plugin with that slug, or a refusal.
 *
 * @param string $slug Folder of the plugin.
 * @return array
 * @throws Refusal When it is not installed.
 */
function installed( $slug ) {
	$plugin = plugin( $slug );
	if ( null === $plugin ) {
		throw new Refusal( 'not-installed', "the plugin $slug is not installed" );
	}
	return $plugin;
}

/**
 * Activate an installed plugin; already active is fine.
 *
 * @param array $args `slug`.
 * @return array The plugin now.
 * @throws Refusal When WordPress declines.
 */
function activate( array $args ) {
	$plugin = installed( $args['slug'] );
	if ( ! $plugin['active'] ) {
		ob_start();
		$result = activate_plugin( $plugin['file'] );
		ob_end_clean();
		// Output during activation is a warning of WordPress, not a failure: the plugin is active.
		if ( is_wp_error( $result ) && 'unexpected_output' !== $result->get_error_code() ) {
			throw new Refusal( 'plugin', "{$args['slug']} cannot be activated: " . $result->get_error_message() );
		}
	}
	return plugin( $args['slug'] );
}

/**
 * Deactivate a plugin of this site; not active or not installed is fine.
 *
 * @param array $args `slug`.
 * @return array|null The plugin now.
 * @throws Refusal When it is active for the whole network.
 */
function deactivate( array $args ) {
	$plugin = plugin( $args['slug'] );
	if ( null !== $plugin && $plugin['network_active'] ) {
		throw new Refusal( 'network', "{$args['slug']} is active for the whole network and other sites may need it" );
	}
	if ( null !== $plugin && $plugin['active'] ) {
		deactivate_plugins( $plugin['file'] );
	}
	return plugin( $args['slug'] );
}

/**
 * Deactivate a plugin, run its uninstaller and delete its files; not installed is fine.
 *
 * @param array $args `slug`.
 * @return null
 * @throws Refusal When the files cannot be deleted.
 */
function delete( array $args ) {
	if ( null === deactivate( $args ) ) {
		return null;
	}
	$plugin = installed( $args['slug'] );
	if ( false === strpos( $plugin['file'], '/' ) ) {
		throw new Refusal( 'plugin', "{$args['slug']} is a single file and not ours to delete" );
	}
	if ( is_uninstallable_plugin( $plugin['file'] ) ) {
		uninstall_plugin( $plugin['file'] );
	}
	remove_tree( WP_PLUGIN_DIR . '/' . $args['slug'] );
	wp_clean_plugins_cache( false );
	return null;
}

/**
 * Install a plugin from wordpress.org and activate it; installed is fine.
 *
 * @param array $args `slug`.
 * @return array The plugin now.
 * @throws Refusal When it cannot be downloaded or written.
 */
function install( array $args ) {
	if ( null === plugin( $args['slug'] ) ) {
		download( $args['slug'] );
	}
	return activate( $args );
}

/**
 * Download a plugin from wordpress.org into the plugins folder.
 *
 * @param string $slug As wordpress.org calls it.
 * @throws Refusal When wordpress.org cannot be reached or the folder cannot be written.
 */
function download( $slug ) {
	require_once ABSPATH . 'wp-admin/includes/plugin-install.php';
	require_once ABSPATH . 'wp-admin/includes/class-wp-upgrader.php';
	if ( ! wp_is_writable( WP_PLUGIN_DIR ) ) {
		throw new Refusal( 'not-writable', 'the plugins folder ' . WP_PLUGIN_DIR . ' cannot be written' );
	}
	$found = plugins_api( 'plugin_information', array( 'slug' => $slug, 'fields' => array( 'sections' => false ) ) );
	if ( is_wp_error( $found ) ) {
		throw new Refusal( 'no-download', "$slug cannot be had from wordpress.org: " . wp_strip_all_tags( $found->get_error_message() ) );
	}
	$upgrader = new \Plugin_Upgrader( new \Automatic_Upgrader_Skin() );
	$result   = $upgrader->install( $found->download_link );
	if ( true !== $result ) {
		$why = is_wp_error( $result ) ? $result->get_error_message() : 'WordPress gave no reason';
		throw new Refusal( 'no-download', "$slug cannot be installed: " . wp_strip_all_tags( $why ) );
	}
}

/**
 * Put the connector's files in place as a whole, and activate it.
 *
 * @param array $args `files`: base64 contents by path below the plugin's folder.
 * @return array The plugin now.
 * @throws Refusal When the folder cannot be written.
 */
function install_connector( array $args ) {
	load_plugin_functions();
	$target = WP_PLUGIN_DIR . '/' . CONNECTOR;
	$fresh  = WP_PLUGIN_DIR . '/.' . CONNECTOR . '-' . bin2hex( random_bytes( 6 ) );
	$old    = $fresh . '-old';
	if ( ! wp_is_writable( WP_PLUGIN_DIR ) ) {
		throw new Refusal( 'not-writable', 'the plugins folder ' . WP_PLUGIN_DIR . ' cannot be written' );
	}
	sweep( WP_PLUGIN_DIR . '/.' . CONNECTOR . '-*' );
	try {
		write_files( $fresh, $args['files'] );
		// Two renames: a request in between finds no connector rather than half of one.
		if ( is_dir( $target ) && ! rename( $target, $old ) ) {
			throw new Refusal( 'not-writable', "$target cannot be replaced" );
		}
		if ( ! rename( $fresh, $target ) ) {
			if ( is_dir( $old ) ) {
				rename( $old, $target );
			}
			throw new Refusal( 'not-writable', "$target cannot be written" );
		}
	} finally {
		remove_tree( $fresh );
		remove_tree( $old );
	}
	wp_clean_plugins_cache( false );
	return activate( array( 'slug' => CONNECTOR ) );
}

/**
 * Remove what a killed installation left behind.
 *
 * @param string $pattern For glob.
 */
function sweep( $pattern ) {
	foreach ( glob( $pattern, GLOB_ONLYDIR ) as $left ) {
		remove_tree( $left );
	}
}

/**
 * Write files below a new folder.
 *
 * @param string $folder New folder.
 * @param array  $files  Base64 contents by relative path.
 * @throws Refusal When one cannot be written.
 */
function write_files( $folder, array $files ) {
	foreach ( $files as $path => $content ) {
		if ( 0 !== validate_file( $path ) ) {
			throw new Refusal( 'path', "a file of the connector has the path $path" );
		}
		$bytes = base64_decode( $content, true );
		if ( ! wp_mkdir_p( dirname( "$folder/$path" ) ) || file_put_contents( "$folder/$path", $bytes ) !== strlen( $bytes ) ) {
			throw new Refusal( 'not-writable', "$folder/$path cannot be written" );
		}
	}
}

/**
 * Delete a folder with all it holds; links are removed, not followed. Missing is fine.
 *
 * @param string $folder Absolute path.
 * @throws Refusal When something stays.
 */
function remove_tree( $folder ) {
	if ( is_link( $folder ) || is_file( $folder ) ) {
		unlink( $folder );
		return;
	}
	if ( ! is_dir( $folder ) ) {
		return;
	}
	foreach ( array_diff( scandir( $folder ), array( '.', '..' ) ) as $name ) {
		remove_tree( "$folder/$name" );
	}
	if ( ! rmdir( $folder ) ) {
		throw new Refusal( 'not-writable', "$folder cannot be deleted" );
	}
}
