<?php
/**
 * Gives people the roles the provider says they have, and takes them away again.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Only roles on the managed list are touched; whoever has none of them is not let in. */
final class Oidc_Roles {

	/** Code of the refusal of somebody without a role. */
	const NONE = 'agencystack_sso_roles';

	/**
	 * The managed roles a token names.
	 *
	 * @param array $claims Of a checked token.
	 * @return string[]|\WP_Error Not empty.
	 */
	public static function wanted( array $claims ) {
		$named  = isset( $claims['roles'] ) && is_array( $claims['roles'] ) ? $claims['roles'] : array();
		$wanted = array_values( array_intersect( Oidc_Settings::managed_roles(), array_filter( $named, 'is_string' ) ) );
		if ( ! $wanted ) {
			return new \WP_Error( self::NONE, 'you have no role on this site; ask its owner to put you into a group that has one' );
		}
		$unknown = array_diff( $wanted, array_keys( wp_roles()->roles ) );
		if ( $unknown ) {
			return new \WP_Error( 'agencystack_sso_unknown_role', 'this site has no role named ' . implode( ', ', $unknown ) . '; its owner must add it, or name another in stack.yaml' );
		}
		return $wanted;
	}

	/**
	 * The managed roles of somebody who logs in. Who has none any more loses them here, too, in every browser.
	 *
	 * @param array $claims Of a checked token.
	 * @return string[]|\WP_Error As wanted().
	 */
	public static function judge( array $claims ) {
		$wanted = self::wanted( $claims );
		$user   = is_wp_error( $wanted ) && self::NONE === $wanted->get_error_code() ? Oidc_Accounts::linked( $claims ) : null;
		if ( null !== $user && ( ! is_multisite() || is_user_member_of_blog( $user->ID ) ) ) {
			self::apply( $user->ID, array(), false );
			\WP_Session_Tokens::get_instance( $user->ID )->destroy_all();
		}
		return $wanted;
	}

	/**
	 * Give a user the managed roles that are wanted, and no other managed one.
	 *
	 * @param int      $user_id Whose.
	 * @param string[] $wanted  As of wanted().
	 * @param bool     $made    Whether the account was made in this login: the site's default role goes, too.
	 */
	public static function apply( $user_id, array $wanted, $made ) {
		if ( is_multisite() && ! is_user_member_of_blog( $user_id ) ) {
			add_user_to_blog( get_current_blog_id(), $user_id, $wanted[0] );
		}
		$user = new \WP_User( $user_id );
		foreach ( array_diff( $wanted, $user->roles ) as $role ) {
			$user->add_role( $role );
		}
		$removable = $made ? $user->roles : array_intersect( $user->roles, Oidc_Settings::managed_roles() );
		foreach ( array_diff( $removable, $wanted ) as $role ) {
			if ( 'administrator' !== $role || ! self::is_last_administrator( $user_id ) ) {
				$user->remove_role( $role );
			}
		}
	}

	/**
	 * Whether nobody else could administer the site.
	 *
	 * @param int $user_id Whose role would go.
	 * @return bool
	 */
	private static function is_last_administrator( $user_id ) {
		$others = get_users(
			array(
				'role'    => 'administrator',
				'exclude' => array( $user_id ),
				'number'  => 1,
				'fields'  => 'ID',
			)
		);
		return ! $others;
	}
}
