<?php
/**
 * How people log in at the provider: which plugin carries it, with which effective values.
 *
 * Three ways hold the same values under their own names: our connector, which also checks what the other two are
 * given; miniOrange's free version, whose one option holds one application (contract/wordpress/miniorange.json); and
 * openid-connect-generic, whose OIDC_* constants rule over its option.
 *
 * @package AgencyStack
 */

namespace AgencyStack\Program;

const SSO_OPTIONS = array(
	'connector'              => 'agencystack_connector_sso',
	'miniorange'             => 'mo_oauth_apps_list',
	'openid-connect-generic' => 'openid_connect_generic_settings',
);

/** Folders a plugin can have; wordpress.org's name first. */
const SSO_PLUGINS = array(
	'connector'              => array( CONNECTOR ),
	'miniorange'             => array( 'miniorange-login-with-eve-online-google-facebook' ),
	'openid-connect-generic' => array( 'daggerhart-openid-connect-generic', 'openid-connect-generic' ),
);

/** Each value: its key in each way's option. What a way does not hold, the connector holds for it. */
const SSO_FIELDS = array(
	'login'           => array( 'connector' => 'login' ),
	'issuer'          => array( 'connector' => 'issuer' ),
	'client_id'       => array( 'connector' => 'client_id', 'miniorange' => 'clientid', 'openid-connect-generic' => 'client_id' ),
	'client_secret'   => array( 'connector' => 'client_secret', 'miniorange' => 'clientsecret', 'openid-connect-generic' => 'client_secret' ),
	'scope'           => array( 'connector' => 'scope', 'miniorange' => 'scope', 'openid-connect-generic' => 'scope' ),
	'authorize_url'   => array( 'connector' => 'authorize_url', 'miniorange' => 'authorizeurl', 'openid-connect-generic' => 'endpoint_login' ),
	'token_url'       => array( 'connector' => 'token_url', 'miniorange' => 'accesstokenurl', 'openid-connect-generic' => 'endpoint_token' ),
	'userinfo_url'    => array( 'connector' => 'userinfo_url', 'miniorange' => 'resourceownerdetailsurl', 'openid-connect-generic' => 'endpoint_userinfo' ),
	'jwks_url'        => array( 'connector' => 'jwks_url' ),
	'end_session_url' => array( 'connector' => 'end_session_url', 'openid-connect-generic' => 'endpoint_end_session' ),
	'roles'           => array( 'connector' => 'roles' ),
	'allow_admin'     => array( 'connector' => 'allow_admin', 'miniorange' => 'allow_admin_sso' ),
	'enforce'         => array( 'connector' => 'enforce' ),
	'label'           => array( 'connector' => 'label' ),
	'ca'              => array( 'connector' => 'ca' ),
);

/** What a value is where nobody set it; its type is the value's. */
const SSO_DEFAULTS = array(
	'login'       => 'connector',
	'roles'       => array(),
	'allow_admin' => false,
	'enforce'     => false,
);

/** Keys of a plugin that must hold this, or the login does not work or matches people otherwise. */
const SSO_FIXED = array(
	'connector'              => array(),
	'miniorange'             => array(
		'ssoprotocol'   => 'openidconnect',
		'apptype'       => 'openidconnect',
		'appId'         => 'keycloak',
		'send_headers'  => '1',
		'send_body'     => '0',
		'send_state'    => 1,
		'username_attr' => 'preferred_username',
		'email_attr'    => 'email',
	),
	'openid-connect-generic' => array(
		'identity_key'             => 'preferred_username',
		'nickname_key'             => 'preferred_username',
		'email_format'             => '{email}',
		'identify_with_username'   => 0,
		'link_existing_users'      => 1,
		'create_if_does_not_exist' => 1,
		'no_sslverify'             => 0,
	),
);

/** Keys that are only set where a plugin's settings are made, and a person's afterwards. */
const SSO_INITIAL = array(
	'connector'              => array(),
	'miniorange'             => array( 'show_on_login_page' => 1 ),
	'openid-connect-generic' => array( 'login_type' => 'button', 'redirect_on_logout' => 1 ),
);

const SSO_CONSTANTS = array(
	'client_id'                => 'OIDC_CLIENT_ID',
	'client_secret'            => 'OIDC_CLIENT_SECRET',
	'scope'                    => 'OIDC_CLIENT_SCOPE',
	'endpoint_login'           => 'OIDC_ENDPOINT_LOGIN_URL',
	'endpoint_token'           => 'OIDC_ENDPOINT_TOKEN_URL',
	'endpoint_userinfo'        => 'OIDC_ENDPOINT_USERINFO_URL',
	'endpoint_end_session'     => 'OIDC_ENDPOINT_LOGOUT_URL',
	'link_existing_users'      => 'OIDC_LINK_EXISTING_USERS',
	'create_if_does_not_exist' => 'OIDC_CREATE_IF_DOES_NOT_EXIST',
);

/** Plugins that log a site's staff in at another provider, or at the same one in another way; not social logins of customers. */
const SSO_FOREIGN = array(
	'miniorange-saml-20-single-sign-on',
	'auth0',
	'wp-saml-auth',
	'onelogin-saml-sso',
	'login-with-google',
	'google-apps-login',
	'wpo365-login',
	'authorizer',
	'next-active-directory-integration',
	'hello-login',
);

/**
 * Everything about the site's single sign-on in one answer.
 *
 * @return array
 */
function sso() {
	$ways = array();
	foreach ( array_keys( SSO_OPTIONS ) as $way ) {
		$ways[ $way ] = sso_way( $way );
	}
	return array(
		'ways'           => $ways,
		'foreign'        => sso_foreign(),
		'roles'          => (object) wp_roles()->get_names(),
		'redirect_uris'  => array(
			'connector'              => untrailingslashit( get_option( 'siteurl' ) ) . '/wp-login.php?action=agencystack-sso',
			'miniorange'             => site_url(),
			'openid-connect-generic' => admin_url( 'admin-ajax.php?action=openid-connect-authorize' ),
		),
		// openid-connect-generic begins with each opening of the login page, where its link is.
		'start_urls'     => array(
			'connector'              => untrailingslashit( get_option( 'siteurl' ) ) . '/wp-login.php?action=agencystack-sso',
			'miniorange'             => site_url( '/?option=oauthredirect&app_name=' . rawurlencode( sso_application() ) ),
			'openid-connect-generic' => null,
		),
		'logged_out_uri' => untrailingslashit( get_option( 'siteurl' ) ) . '/wp-login.php?loggedout=true',
		'probe_users'    => sso_probe_users(),
	);
}

/**
 * The first active plugin that logs people in at another provider.
 *
 * @return string|null Its slug.
 */
function sso_foreign() {
	foreach ( plugins() as $plugin ) {
		if ( $plugin['active'] && in_array( $plugin['slug'], SSO_FOREIGN, true ) ) {
			return $plugin['slug'];
		}
	}
	return null;
}

/**
 * The installed plugin of a way.
 *
 * @param string $way Name.
 * @return array|null
 */
function sso_plugin( $way ) {
	foreach ( SSO_PLUGINS[ $way ] as $slug ) {
		$plugin = plugin( $slug );
		if ( null !== $plugin ) {
			return $plugin;
		}
	}
	return null;
}

/**
 * One way: whether its plugin is there, its effective values, what is wrong with it, and its image for an undo.
 *
 * @param string $way Name.
 * @return array
 */
function sso_way( $way ) {
	$plugin  = sso_plugin( $way );
	$fields  = array();
	$sources = array();
	foreach ( SSO_FIELDS as $field => $keys ) {
		$holder            = isset( $keys[ $way ] ) ? $way : 'connector';
		$fields[ $field ]  = sso_value( $holder, $field );
		$sources[ $field ] = sso_source( $holder, $keys[ $holder ] );
	}
	return array(
		'slug'       => null === $plugin ? SSO_PLUGINS[ $way ][0] : $plugin['slug'],
		'installed'  => null !== $plugin,
		'active'     => null !== $plugin && $plugin['active'],
		'version'    => null === $plugin ? null : $plugin['version'],
		'configured' => '' !== sso_value( $way, 'client_id' ),
		'fields'     => $fields,
		'sources'    => $sources,
		'wrong'      => sso_wrong( $way ),
		'image'      => sso_image( $way ),
	);
}

/**
 * Where an effective value comes from: `constant`, `option` or `default`.
 *
 * @param string $way Name.
 * @param string $key In its option.
 * @return string
 */
function sso_source( $way, $key ) {
	if ( 'openid-connect-generic' === $way && isset( SSO_CONSTANTS[ $key ] ) && defined( SSO_CONSTANTS[ $key ] ) ) {
		return 'constant';
	}
	return isset( sso_stored( $way )[ $key ] ) ? 'option' : 'default';
}

/**
 * The effective value under a key of a plugin.
 *
 * @param string $way Name.
 * @param string $key In its option.
 * @return mixed Null where nobody set it.
 */
function sso_effective( $way, $key ) {
	if ( 'constant' === sso_source( $way, $key ) ) {
		return constant( SSO_CONSTANTS[ $key ] );
	}
	$stored = sso_stored( $way );
	return isset( $stored[ $key ] ) ? $stored[ $key ] : null;
}

/**
 * The effective value of a field, of the field's type.
 *
 * @param string $way   Who holds it.
 * @param string $field Name.
 * @return mixed
 */
function sso_value( $way, $field ) {
	$value   = sso_effective( $way, SSO_FIELDS[ $field ][ $way ] );
	$default = isset( SSO_DEFAULTS[ $field ] ) ? SSO_DEFAULTS[ $field ] : '';
	if ( null === $value ) {
		return $default;
	}
	if ( 'connector' === $way && 'client_secret' === $field ) {
		return decrypt( 'connector', (string) $value );
	}
	if ( is_array( $default ) ) {
		return array_values( array_filter( (array) $value, 'is_string' ) );
	}
	return is_bool( $default ) ? (bool) $value : (string) $value;
}

/**
 * A way's settings: for miniOrange those of its one application.
 *
 * @param string $way Name.
 * @return array
 */
function sso_stored( $way ) {
	$option = get_option( SSO_OPTIONS[ $way ], array() );
	$option = is_array( $option ) ? $option : array();
	if ( 'miniorange' !== $way ) {
		return $option;
	}
	$application = reset( $option );
	return is_array( $application ) ? $application : array();
}

/**
 * The name of miniOrange's one application.
 *
 * @return string
 */
function sso_application() {
	$option = get_option( SSO_OPTIONS['miniorange'], array() );
	return is_array( $option ) && $option ? (string) key( $option ) : 'keycloak';
}

/**
 * Keys of a way that do not hold what the login needs, and fields in which plugin and connector disagree.
 *
 * @param string $way Name.
 * @return string[] Their names.
 */
function sso_wrong( $way ) {
	$wrong = array();
	foreach ( sso_fixed( $way ) as $key => $needed ) {
		// As text: the plugin's own form stores '1' where we store 1.
		if ( (string) $needed !== (string) sso_scalar( sso_effective( $way, $key ) ) ) {
			$wrong[] = $key;
		}
	}
	foreach ( SSO_FIELDS as $field => $keys ) {
		if ( 'connector' !== $way && 'client_secret' !== $field && isset( $keys[ $way ] ) && sso_value( $way, $field ) !== sso_value( 'connector', $field ) ) {
			$wrong[] = "connector.$field";
		}
	}
	return $wrong;
}

/**
 * A value that can be compared as text.
 *
 * @param mixed $value As stored.
 * @return string|int|float
 */
function sso_scalar( $value ) {
	if ( is_bool( $value ) ) {
		return (int) $value;
	}
	return is_scalar( $value ) ? $value : '';
}

/**
 * Keys of a way that must hold a value, with this site's own.
 *
 * @param string $way Name.
 * @return array
 */
function sso_fixed( $way ) {
	// The callback of miniOrange is the site's address, with no path and no slash at the end.
	return SSO_FIXED[ $way ] + ( 'miniorange' === $way ? array( 'redirecturi' => site_url() ) : array() );
}

/**
 * All that an undo puts back: the rows of the way's option and of the connector's.
 *
 * @param string $way Name.
 * @return array Rows by name of the option.
 */
function sso_image( $way ) {
	$image = array();
	foreach ( array_unique( array( SSO_OPTIONS[ $way ], SSO_OPTIONS['connector'] ) ) as $name ) {
		$image[ $name ] = option_image( $name );
	}
	return $image;
}
