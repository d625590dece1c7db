<?php
/**
 * Refuses passwords of people who log in at the provider, once that is enforced.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Shop customers keep their passwords, application passwords and WP-CLI work as before, and
 * wp-login.php?agencystack-password is the way back in for administrators.
 */
final class Oidc_Password {

	/** Parameter of the way back in. */
	const WAY_IN = 'agencystack-password';

	/** User meta: may always use the password (break-glass). */
	const MARK = 'agencystack_password_login';

	/** After WordPress has checked the password. */
	const LATE = 1000;

	/** Hook in. */
	public function hook() {
		if ( ! Oidc_Settings::get( 'enforce', false ) ) {
			return;
		}
		add_filter( 'authenticate', array( $this, 'judge' ), self::LATE, 3 );
		add_action( 'login_form', array( $this, 'carry_on' ) );
	}

	/**
	 * Refuse a right password where it is not to be used.
	 *
	 * @param \WP_User|\WP_Error|null $user     What WordPress found.
	 * @param string                  $name     Given.
	 * @param string                  $password Given; empty where a cookie is looked at.
	 * @return \WP_User|\WP_Error|null
	 */
	public function judge( $user, $name, $password ) {
		if ( ! $user instanceof \WP_User || '' === (string) $password || did_action( 'application_password_did_authenticate' ) ) {
			return $user;
		}
		$back_in = isset( $_REQUEST[ self::WAY_IN ] ) && $user->has_cap( 'manage_options' ); // phpcs:ignore WordPress.Security.NonceVerification -- only says which way was taken.
		if ( $back_in || ! $this->concerns( $user ) || get_user_meta( $user->ID, self::MARK, true ) ) {
			return $user;
		}
		return new \WP_Error( 'agencystack_sso_enforced', '<strong>Error:</strong> passwords are not taken here; log in with your company account.' );
	}

	/**
	 * Whether somebody is one of those who log in at the provider.
	 *
	 * @param \WP_User $user The account.
	 * @return bool
	 */
	private function concerns( $user ) {
		return array_intersect( $user->roles, Oidc_Settings::managed_roles() )
			|| $user->has_cap( 'edit_posts' )
			|| get_user_meta( $user->ID, Oidc_Accounts::SUBJECT, true );
	}

	/** Keep to the way back in when the form is sent. */
	public function carry_on() {
		if ( isset( $_REQUEST[ self::WAY_IN ] ) ) { // phpcs:ignore WordPress.Security.NonceVerification -- only carried along.
			echo '<input type="hidden" name="' . esc_attr( self::WAY_IN ) . '" value="1">';
		}
	}
}
