<?php
/**
 * The bridge's own user: may touch what is kept in step and nothing else, and can never log in.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Makes the user and its role, and lets signed calls act as it. */
final class Bridge_User {

	const ROLE  = 'agencystack_bridge';
	const LOGIN = 'agencystack-bridge';

	/** Who has one of these is never written to: the bridge keeps customers in step, not the site's staff. */
	const STAFF = array( 'edit_posts', 'manage_options', 'manage_woocommerce', 'list_users', 'edit_users', 'moderate_comments' );

	/** Kinds of posts, as capabilities name them. */
	const POSTS = array( 'post', 'page', 'product', 'shop_order' );

	/**
	 * Whether a signed call is being answered.
	 *
	 * @var bool
	 */
	private static $acting = false;

	/** Hook in. */
	public function hook() {
		add_filter( 'map_meta_cap', array( $this, 'people' ), PHP_INT_MAX, 4 );
		add_filter( 'wp_authenticate_user', array( $this, 'no_login' ), PHP_INT_MAX );
		add_filter( 'wp_is_application_passwords_available_for_user', array( $this, 'no_password' ), PHP_INT_MAX, 2 );
		add_filter( 'allow_password_reset', array( $this, 'no_reset' ), PHP_INT_MAX, 2 );
	}

	/**
	 * Make role and user, where they are not.
	 *
	 * @return int Id of the user.
	 * @throws \InvalidArgumentException WordPress refuses the user.
	 */
	public static function ensure() {
		$role = get_role( self::ROLE );
		if ( null === $role || array_filter( $role->capabilities ) !== self::capabilities() ) {
			remove_role( self::ROLE );
			add_role( self::ROLE, 'AgencyStack Bridge', self::capabilities() );
		}
		$user = get_user_by( 'login', self::LOGIN );
		$id   = $user ? $user->ID : wp_insert_user(
			array(
				'user_login'   => self::LOGIN,
				'user_pass'    => wp_generate_password( 64, true, true ),
				'display_name' => 'AgencyStack Bridge',
				'role'         => self::ROLE,
			)
		);
		if ( is_wp_error( $id ) ) {
			throw new \InvalidArgumentException( 'WordPress refuses the user ' . self::LOGIN . ': ' . esc_html( $id->get_error_message() ) );
		}
		if ( is_multisite() && ! is_user_member_of_blog( $id ) ) {
			add_user_to_blog( get_current_blog_id(), $id, self::ROLE );
		}
		if ( ! self::is_well( $id ) ) {
			( new \WP_User( $id ) )->set_role( self::ROLE );
		}
		return $id;
	}

	/**
	 * Whether a user is ours, with our role alone.
	 *
	 * @param int $id The user's.
	 * @return bool
	 */
	public static function is_well( $id ) {
		$user = get_userdata( $id );
		return $user && self::LOGIN === $user->user_login && array( self::ROLE ) === array_values( $user->roles );
	}

	/** Remove role and user; what the user made becomes nobody's. */
	public static function remove() {
		$user = get_user_by( 'login', self::LOGIN );
		if ( $user && is_multisite() ) {
			remove_user_from_blog( $user->ID, get_current_blog_id() );
			if ( ! get_blogs_of_user( $user->ID ) ) {
				require_once ABSPATH . 'wp-admin/includes/ms.php';
				require_once ABSPATH . 'wp-admin/includes/user.php';
				wpmu_delete_user( $user->ID );
			}
		} elseif ( $user ) {
			require_once ABSPATH . 'wp-admin/includes/user.php';
			self::disown( $user->ID );
			wp_delete_user( $user->ID );
		}
		remove_role( self::ROLE );
	}

	/**
	 * Act as the bridge from now on, in this request.
	 *
	 * @return bool False where the user is missing or was changed.
	 */
	public static function act() {
		$id           = (int) Bridge_Settings::get( 'user', 0 );
		self::$acting = self::is_well( $id );
		if ( self::$acting ) {
			wp_set_current_user( $id );
		}
		return self::$acting;
	}

	/**
	 * Whether a signed call is being answered.
	 *
	 * @return bool
	 */
	public static function acting() {
		return self::$acting;
	}

	/**
	 * Whether somebody is staff, whom the bridge never writes to.
	 *
	 * @param int $id The user's.
	 * @return bool
	 */
	public static function is_staff( $id ) {
		if ( is_multisite() && is_super_admin( $id ) ) {
			return true;
		}
		foreach ( self::STAFF as $capability ) {
			if ( user_can( $id, $capability ) ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * People may be changed in a signed call only, and never staff. The role itself holds no right to change people.
	 *
	 * @param string[] $caps    What is needed.
	 * @param string   $cap     What is asked.
	 * @param int      $user_id Who asks.
	 * @param array    $args    Whom it is about.
	 * @return string[]
	 */
	public function people( $caps, $cap, $user_id, $args ) {
		$about = array( 'edit_user', 'edit_users', 'delete_user', 'delete_users', 'promote_user', 'promote_users', 'create_users', 'remove_user', 'remove_users' );
		if ( ! self::$acting || ! in_array( $cap, $about, true ) || (int) Bridge_Settings::get( 'user', 0 ) !== (int) $user_id ) {
			return $caps;
		}
		$whom = isset( $args[0] ) ? (int) $args[0] : 0;
		return $whom && self::is_staff( $whom ) ? array( 'do_not_allow' ) : array( self::ROLE );
	}

	/**
	 * No password opens this user.
	 *
	 * @param \WP_User|\WP_Error $user Who logs in.
	 * @return \WP_User|\WP_Error
	 */
	public function no_login( $user ) {
		if ( $user instanceof \WP_User && self::LOGIN === $user->user_login ) {
			return new \WP_Error( 'agencystack_no_login', __( 'This user belongs to AgencyStack and cannot log in.', 'agencystack-connector' ) );
		}
		return $user;
	}

	/**
	 * No application password either.
	 *
	 * @param bool     $available Whether others allow it.
	 * @param \WP_User $user      For whom.
	 * @return bool
	 */
	public function no_password( $available, $user ) {
		return $available && self::LOGIN !== $user->user_login;
	}

	/**
	 * And no new password.
	 *
	 * @param bool $allow Whether others allow it.
	 * @param int  $id    For whom.
	 * @return bool
	 */
	public function no_reset( $allow, $id ) {
		$user = get_userdata( $id );
		return $user && self::LOGIN === $user->user_login ? false : $allow;
	}

	/**
	 * What the role may do.
	 *
	 * @return array
	 */
	private static function capabilities() {
		$names = array( self::ROLE, 'read', 'list_users', 'create_customers', 'upload_files', 'manage_categories' );
		foreach ( self::POSTS as $post ) {
			foreach ( array( 'edit_', 'edit_others_', 'edit_published_', 'edit_private_', 'publish_', 'read_private_', 'delete_', 'delete_others_', 'delete_published_', 'delete_private_' ) as $may ) {
				$names[] = $may . $post . 's';
			}
		}
		foreach ( array( 'manage_', 'edit_', 'delete_', 'assign_' ) as $may ) {
			$names[] = $may . 'product_terms';
		}
		foreach ( array( 'read_', 'edit_', 'delete_' ) as $may ) {
			$names[] = $may . 'product'; // WooCommerce asks so for variations, past the mapping of capabilities.
		}
		return array_fill_keys( $names, true );
	}

	/**
	 * Posts of the user stay when it goes: wp_delete_user() would put them into the bin.
	 *
	 * @param int $id The user's.
	 */
	private static function disown( $id ) {
		global $wpdb;
		$wpdb->update( $wpdb->posts, array( 'post_author' => 0 ), array( 'post_author' => $id ) ); // phpcs:ignore WordPress.DB
	}
}
