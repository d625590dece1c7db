<?php
/**
 * Which account of the site belongs to a person at the provider.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** An account belongs to one subject of one issuer for good; e-mail addresses only ever make the first link. */
final class Oidc_Accounts {

	/** User meta: issuer and subject. */
	const SUBJECT = 'agencystack_sso_subject';

	/** User meta: the account was made by single sign-on. */
	const MADE = 'agencystack_sso_made';

	/** WordPress takes no longer login. */
	const LONGEST_NAME = 60;

	/**
	 * Issuer and subject as they are kept.
	 *
	 * @param array $claims Of a checked token.
	 * @return string
	 */
	public static function subject( array $claims ) {
		return $claims['iss'] . ' ' . $claims['sub'];
	}

	/**
	 * The account that belongs to a person.
	 *
	 * @param array $claims Of a checked token.
	 * @return \WP_User|null
	 */
	public static function linked( array $claims ) {
		$found = get_users(
			array(
				'meta_key'   => self::SUBJECT, // phpcs:ignore WordPress.DB.SlowDBQuery -- once in a login.
				'meta_value' => self::subject( $claims ), // phpcs:ignore WordPress.DB.SlowDBQuery -- once in a login.
				'blog_id'    => 0,
				'number'     => 1,
			)
		);
		// The database compares without regard to case.
		return $found && get_user_meta( $found[0]->ID, self::SUBJECT, true ) === self::subject( $claims ) ? $found[0] : null;
	}

	/**
	 * The person's verified address.
	 *
	 * @param array $claims Of a checked token.
	 * @return string Empty where the provider did not verify it.
	 */
	public static function verified_email( array $claims ) {
		$verified = isset( $claims['email_verified'] ) && true === $claims['email_verified'];
		return $verified && isset( $claims['email'] ) && is_string( $claims['email'] ) && is_email( $claims['email'] ) ? $claims['email'] : '';
	}

	/**
	 * The account to log in, where the person has one: the linked one, else the one with the verified address.
	 *
	 * @param array $claims Of a checked token.
	 * @return \WP_User|null|\WP_Error
	 */
	public static function match( array $claims ) {
		$user  = self::linked( $claims );
		$email = self::verified_email( $claims );
		if ( null === $user && '' !== $email ) {
			$user = get_user_by( 'email', $email );
		}
		if ( ! $user ) {
			return null;
		}
		$open = self::open_to( $user, $claims );
		return is_wp_error( $open ) ? $open : $user;
	}

	/**
	 * Whether a person may use an account.
	 *
	 * @param \WP_User $user   The account.
	 * @param array    $claims Of a checked token.
	 * @return true|\WP_Error
	 */
	public static function open_to( $user, array $claims ) {
		$owner = self::owner( $user->ID, $claims['iss'] );
		if ( '' !== $owner && self::subject( $claims ) !== $owner ) {
			return self::refused( 'taken', 'the account with your e-mail address or name belongs to somebody else at the provider; ask the site\'s owner to look at it' );
		}
		$same = 0 === strcasecmp( self::verified_email( $claims ), $user->user_email );
		if ( '' === $owner && ( ! $same || '' === $user->user_email ) ) {
			return self::refused( 'unverified', 'this site has an account with your name or e-mail address, and the provider has not verified that the address of that account is yours' );
		}
		return self::may_enter( $user );
	}

	/**
	 * Whose an account is. A provider that is no longer asked has no say: its address may have changed.
	 *
	 * @param int    $user_id The account.
	 * @param string $issuer  Of the provider that is asked.
	 * @return string Issuer and subject; empty where it is nobody's.
	 */
	private static function owner( $user_id, $issuer ) {
		$owner = (string) get_user_meta( $user_id, self::SUBJECT, true );
		return 0 === strpos( $owner, "$issuer " ) ? $owner : '';
	}

	/**
	 * Whether an account may be used by single sign-on at all: whoever rules the provider would rule the site.
	 *
	 * @param \WP_User $user The account.
	 * @return true|\WP_Error
	 */
	private static function may_enter( $user ) {
		$rules   = in_array( 'administrator', $user->roles, true );
		$managed = in_array( 'administrator', Oidc_Settings::managed_roles(), true );
		$network = is_multisite() && is_super_admin( $user->ID );
		if ( ( ( $rules && ! $managed ) || $network ) && ! Oidc_Settings::get( 'allow_admin', false ) ) {
			return self::refused( 'administrator', 'administrators of this site log in with their password (allow_admin is off)' );
		}
		if ( is_multisite() && is_user_spammy( $user ) ) {
			return self::refused( 'spam', 'this account is marked as spam in the network' );
		}
		return true;
	}

	/**
	 * Remember whose account it is.
	 *
	 * @param int   $user_id The account.
	 * @param array $claims  Of a checked token.
	 */
	public static function link( $user_id, array $claims ) {
		update_user_meta( $user_id, self::SUBJECT, wp_slash( self::subject( $claims ) ) );
	}

	/**
	 * Make an account. No mail is sent, and nobody knows its password.
	 *
	 * @param array $claims Of a checked token.
	 * @return \WP_User|\WP_Error
	 */
	public static function make( array $claims ) {
		$name = self::free_name( $claims );
		$id   = wp_insert_user(
			wp_slash(
				array(
					'user_login' => $name,
					'user_pass'  => wp_generate_password( 64, true, true ),
					'user_email' => self::verified_email( $claims ),
				) + self::names( $claims, $name )
			)
		);
		if ( is_wp_error( $id ) ) {
			return self::refused( 'not_made', 'your account could not be made: ' . wp_strip_all_tags( $id->get_error_message() ) );
		}
		update_user_meta( $id, self::MADE, '1' );
		return get_user_by( 'id', $id );
	}

	/**
	 * Bring names and address of an account up to date.
	 *
	 * @param \WP_User $user   The account.
	 * @param array    $claims Of a checked token.
	 */
	public static function update( $user, array $claims ) {
		$fresh = array();
		$email = self::verified_email( $claims );
		$owner = '' === $email ? false : email_exists( $email );
		if ( '' !== $email && $email !== $user->user_email && ( ! $owner || $owner === $user->ID ) ) {
			$fresh['user_email'] = $email;
		}
		if ( get_user_meta( $user->ID, self::MADE, true ) ) {
			foreach ( self::names( $claims, $user->user_login ) as $field => $name ) {
				if ( $user->$field !== $name ) {
					$fresh[ $field ] = $name;
				}
			}
		}
		if ( $fresh ) {
			add_filter( 'send_email_change_email', '__return_false' );
			wp_update_user( wp_slash( array( 'ID' => $user->ID ) + $fresh ) );
		}
	}

	/**
	 * Names for people to read.
	 *
	 * @param array  $claims   Of a checked token.
	 * @param string $fallback Where the provider knows none.
	 * @return array
	 */
	private static function names( array $claims, $fallback ) {
		$names = array(
			'first_name'   => self::text( $claims, 'given_name' ),
			'last_name'    => self::text( $claims, 'family_name' ),
			'display_name' => self::text( $claims, 'name' ),
		);
		if ( '' === $names['display_name'] ) {
			$names['display_name'] = $fallback;
		}
		return $names;
	}

	/**
	 * A claim as plain text.
	 *
	 * @param array  $claims Of a checked token.
	 * @param string $name   Which.
	 * @return string
	 */
	private static function text( array $claims, $name ) {
		return isset( $claims[ $name ] ) && is_string( $claims[ $name ] ) ? mb_substr( sanitize_text_field( $claims[ $name ] ), 0, 200 ) : '';
	}

	/**
	 * A login WordPress takes and nobody has.
	 *
	 * @param array $claims Of a checked token.
	 * @return string
	 */
	private static function free_name( array $claims ) {
		$name = trim( sanitize_user( self::text( $claims, 'preferred_username' ), true ) );
		if ( ! validate_username( $name ) || self::is_illegal( $name ) ) {
			$name = 'user' . substr( hash( 'sha256', self::subject( $claims ) ), 0, 10 );
		}
		$name  = mb_substr( $name, 0, self::LONGEST_NAME - 4 );
		$free  = $name;
		$count = 1;
		while ( username_exists( $free ) ) {
			++$count;
			$free = $name . $count;
		}
		return $free;
	}

	/**
	 * Whether the site forbids a login.
	 *
	 * @param string $name Login.
	 * @return bool
	 */
	private static function is_illegal( $name ) {
		$illegal = (array) apply_filters( 'illegal_user_logins', array() ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- a filter of WordPress.
		return in_array( strtolower( $name ), array_map( 'strtolower', $illegal ), true );
	}

	/**
	 * A refusal, for a person.
	 *
	 * @param string $code A word the caller acts on.
	 * @param string $why  What to do.
	 * @return \WP_Error
	 */
	private static function refused( $code, $why ) {
		return new \WP_Error( "agencystack_sso_$code", $why );
	}
}
