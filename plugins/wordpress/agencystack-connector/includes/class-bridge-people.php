<?php
/**
 * Users as WooCommerce's REST interface shows customers, for sites without WooCommerce.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Reads and writes users in the shape of `wc/v3/customers`. */
final class Bridge_People {

	const BILLING  = array( 'first_name', 'last_name', 'company', 'address_1', 'address_2', 'city', 'postcode', 'country', 'state', 'email', 'phone' );
	const SHIPPING = array( 'first_name', 'last_name', 'company', 'address_1', 'address_2', 'city', 'postcode', 'country', 'state', 'phone' );

	/**
	 * A user.
	 *
	 * @param int $id The user's.
	 * @return array|null
	 */
	public static function read( $id ) {
		$user = get_userdata( $id );
		if ( ! $user || ( is_multisite() && ! is_user_member_of_blog( $id ) ) ) {
			return null;
		}
		$native = array(
			'id'               => $user->ID,
			'date_created_gmt' => gmdate( 'Y-m-d\TH:i:s', strtotime( $user->user_registered . ' UTC' ) ),
			'email'            => $user->user_email,
			'first_name'       => $user->first_name,
			'last_name'        => $user->last_name,
			'role'             => (string) current( $user->roles ),
			'username'         => $user->user_login,
			'billing'          => array(),
			'shipping'         => array(),
			'meta_data'        => array(),
		);
		foreach ( array( 'billing' => self::BILLING, 'shipping' => self::SHIPPING ) as $which => $keys ) {
			foreach ( $keys as $key ) {
				$native[ $which ][ $key ] = (string) get_user_meta( $id, "{$which}_$key", true );
			}
		}
		foreach ( array_merge( array( Bridge_Tokens::META ), (array) Bridge_Settings::get( 'meta', array() ) ) as $key ) {
			if ( metadata_exists( 'user', $id, $key ) ) {
				$native['meta_data'][] = array( 'key' => $key, 'value' => get_user_meta( $id, $key, true ) );
			}
		}
		return $native;
	}

	/**
	 * Users by e-mail address, or by a word.
	 *
	 * @param array $params `email` or `search`.
	 * @return array
	 */
	public static function search( array $params ) {
		$wanted = array( 'fields' => 'ID', 'orderby' => 'ID', 'number' => 100 );
		if ( ! empty( $params['email'] ) ) {
			$wanted += array( 'search' => (string) $params['email'], 'search_columns' => array( 'user_email' ) );
		} elseif ( ! empty( $params['search'] ) ) {
			$wanted['search'] = '*' . $params['search'] . '*';
		}
		return array_values( array_filter( array_map( array( self::class, 'read' ), array_map( 'intval', get_users( $wanted ) ) ) ) );
	}

	/**
	 * Make or change a user.
	 *
	 * @param int   $id     The user's; 0 makes one.
	 * @param array $values As REST would be sent.
	 * @return int|\WP_Error Id of the user.
	 */
	public static function write( $id, array $values ) {
		$data = array();
		foreach ( array( 'email' => 'user_email', 'first_name' => 'first_name', 'last_name' => 'last_name', 'password' => 'user_pass' ) as $key => $column ) {
			if ( isset( $values[ $key ] ) ) {
				$data[ $column ] = (string) $values[ $key ];
			}
		}
		if ( ! $id ) {
			if ( ! isset( $data['user_email'] ) || ! is_email( $data['user_email'] ) ) {
				return new \WP_Error( 'registration-error-invalid-email', 'Please provide a valid email address.', array( 'status' => 400 ) );
			}
			$data += array( 'user_pass' => wp_generate_password( 32 ), 'role' => get_option( 'default_role' ) );
			$data += array( 'user_login' => ! empty( $values['username'] ) ? (string) $values['username'] : self::free_login( $data['user_email'] ) );
			$id    = wp_insert_user( wp_slash( $data ) );
		} elseif ( $data ) {
			$id = wp_update_user( wp_slash( $data + array( 'ID' => $id ) ) );
		}
		if ( ! is_wp_error( $id ) ) {
			self::write_meta( $id, $values );
		}
		return $id;
	}

	/**
	 * Addresses and further meta.
	 *
	 * @param int   $id     The user's.
	 * @param array $values As REST would be sent.
	 */
	private static function write_meta( $id, array $values ) {
		foreach ( array( 'billing' => self::BILLING, 'shipping' => self::SHIPPING ) as $which => $keys ) {
			foreach ( isset( $values[ $which ] ) ? (array) $values[ $which ] : array() as $key => $value ) {
				if ( in_array( $key, $keys, true ) ) {
					update_user_meta( $id, "{$which}_$key", wp_slash( sanitize_text_field( (string) $value ) ) );
				}
			}
		}
		foreach ( isset( $values['meta_data'] ) ? (array) $values['meta_data'] : array() as $meta ) {
			if ( isset( $meta['key'] ) && in_array( $meta['key'], (array) Bridge_Settings::get( 'meta', array() ), true ) ) {
				update_user_meta( $id, $meta['key'], wp_slash( isset( $meta['value'] ) ? $meta['value'] : '' ) );
			}
		}
	}

	/**
	 * A login name nobody has, made from an address.
	 *
	 * @param string $email The address.
	 * @return string
	 */
	private static function free_login( $email ) {
		$base = sanitize_user( (string) strtok( $email, '@' ), true );
		$base = '' === $base ? 'customer' : substr( $base, 0, 50 );
		$name = $base;
		for ( $number = 2; username_exists( $name ); $number++ ) {
			$name = "$base-$number";
		}
		return $name;
	}
}
