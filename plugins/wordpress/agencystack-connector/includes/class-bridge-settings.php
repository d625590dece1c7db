<?php
/**
 * What the site knows of its data bridge: AgencyStack writes it, the settings page may narrow it.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Reads and writes the pairing of the current site. */
final class Bridge_Settings {

	/** Holds `pairing`, `hook`, `ca`, `keys`, `user`, `entities`, `meta`. */
	const OPTION = 'agencystack_bridge';

	/** Holds `revision` and `entities`: what this site's own people do not want to share. */
	const NARROWED = 'agencystack_bridge_narrowed';

	/** When the bridge last called, seconds since 1970. */
	const CONTACT = 'agencystack_bridge_contact';

	const ENTITIES = array( 'category', 'customer', 'product', 'variation', 'order', 'payment', 'refund', 'submission', 'post', 'page' );

	const DIRECTIONS = array( 'both', 'to_erpnext', 'to_wordpress', 'off' );

	/** Two keys are good while one is exchanged for the other. */
	const KEYS = 2;

	/**
	 * Pair this site. Called by AgencyStack; a second call with the same values changes nothing.
	 *
	 * @param array $given `pairing`: its id; `hook`: address that hints go to; `ca`: certificates of a private
	 *                     authority, or nothing; `keys`: list of `id` and `secret`, readable; `entities`: direction by
	 *                     entity, the most that may be shared; `meta`: further meta keys that are kept in step.
	 * @return array As state().
	 * @throws \InvalidArgumentException It cannot be used; the text says why and holds no secret.
	 */
	public static function configure( array $given ) {
		$pairing = isset( $given['pairing'] ) ? (string) $given['pairing'] : '';
		$hook    = isset( $given['hook'] ) ? (string) $given['hook'] : '';
		if ( 1 !== preg_match( '/^[A-Za-z0-9._-]{1,100}$/', $pairing ) ) {
			throw new \InvalidArgumentException( 'the pairing must be 1 to 100 letters, digits, dots, dashes and underscores' );
		}
		if ( '' !== $hook && ! in_array( wp_parse_url( $hook, PHP_URL_SCHEME ), array( 'http', 'https' ), true ) ) {
			throw new \InvalidArgumentException( 'the address for hints must begin with http:// or https://' );
		}
		$keys     = self::sealed( isset( $given['keys'] ) ? (array) $given['keys'] : array() );
		$entities = self::directions( isset( $given['entities'] ) ? (array) $given['entities'] : array() );
		Bridge_Tables::update();
		$user = Bridge_User::ensure();
		self::store(
			array(
				'pairing'  => $pairing,
				'hook'     => $hook,
				'ca'       => isset( $given['ca'] ) ? (string) $given['ca'] : '',
				'keys'     => $keys,
				'user'     => $user,
				'entities' => $entities,
				'meta'     => array_values( array_filter( isset( $given['meta'] ) ? (array) $given['meta'] : array(), 'is_string' ) ),
			)
		);
		return self::state();
	}

	/** End the pairing: nothing is noted or answered any more. What was noted goes; submissions stay until they expire. */
	public static function clear() {
		delete_option( self::OPTION );
		delete_option( self::NARROWED );
		delete_option( self::CONTACT );
		delete_option( Bridge_Hint::OPTION );
		Bridge_Marks::drop();
		Bridge_Outbox::empty_out();
		Bridge_User::remove();
	}

	/**
	 * What is configured, without secrets.
	 *
	 * @return array|null Null where nothing is.
	 */
	public static function state() {
		if ( ! self::configured() ) {
			return null;
		}
		$keys = array();
		foreach ( (array) self::get( 'keys', array() ) as $key ) {
			$secret = Crypto::decrypt( $key['secret'] );
			$keys[] = array(
				'id'       => $key['id'],
				'readable' => null !== $secret && '' !== $secret,
				// Tells the caller, who knows the secret, whether it is this one.
				'hash'     => null === $secret ? '' : hash_hmac( 'sha256', 'agencystack bridge key', $secret ),
			);
		}
		return array(
			'pairing'  => (string) self::get( 'pairing' ),
			'hook'     => (string) self::get( 'hook' ),
			'ca'       => (string) self::get( 'ca' ),
			'keys'     => $keys,
			'user'     => Bridge_User::is_well( (int) self::get( 'user', 0 ) ),
			'entities' => self::get( 'entities', array() ),
			'meta'     => self::get( 'meta', array() ),
			'narrowed' => self::narrowed(),
			'instance' => Bridge_Tables::instance(),
			'tables'   => Bridge_Tables::complete(),
			'contact'  => (int) get_option( self::CONTACT, 0 ),
		);
	}

	/**
	 * Whether this site is paired. Costs no question to the database: WordPress loads the option with each request.
	 *
	 * @return bool
	 */
	public static function configured() {
		return '' !== (string) self::get( 'pairing' );
	}

	/**
	 * One value.
	 *
	 * @param string $key      For example `pairing`.
	 * @param mixed  $fallback Where it is not set.
	 * @return mixed
	 */
	public static function get( $key, $fallback = '' ) {
		$option = get_option( self::OPTION );
		return is_array( $option ) && isset( $option[ $key ] ) ? $option[ $key ] : $fallback;
	}

	/**
	 * The secret of a key.
	 *
	 * @param string $id The key's.
	 * @return string|null Null where there is no such key, or it cannot be read any more.
	 */
	public static function secret( $id ) {
		foreach ( (array) self::get( 'keys', array() ) as $key ) {
			if ( hash_equals( (string) $key['id'], $id ) ) {
				$secret = Crypto::decrypt( $key['secret'] );
				return '' === $secret ? null : $secret;
			}
		}
		return null;
	}

	/**
	 * The way records of an entity may go: what was agreed, less what this site's people took away.
	 *
	 * @param string $entity Its name.
	 * @return string|null One of DIRECTIONS; null where the entity is no part of the pairing.
	 */
	public static function direction( $entity ) {
		$agreed = self::get( 'entities', array() );
		if ( ! isset( $agreed[ $entity ] ) ) {
			return null;
		}
		$narrowed = self::narrowed();
		return isset( $narrowed['entities'][ $entity ] ) ? self::both_allow( $agreed[ $entity ], $narrowed['entities'][ $entity ] ) : $agreed[ $entity ];
	}

	/**
	 * What this site's people took away.
	 *
	 * @return array `revision` and `entities`: direction by entity.
	 */
	public static function narrowed() {
		$option = get_option( self::NARROWED );
		return array(
			'revision' => is_array( $option ) && isset( $option['revision'] ) ? (int) $option['revision'] : 0,
			'entities' => is_array( $option ) && isset( $option['entities'] ) ? (array) $option['entities'] : array(),
		);
	}

	/**
	 * Take directions away, or give back what was taken: never more than was agreed.
	 *
	 * @param array $entities Direction by entity.
	 */
	public static function narrow( array $entities ) {
		update_option( self::NARROWED, self::narrower( $entities ), true );
	}

	/**
	 * What is stored of directions that somebody chose; another choice has another revision.
	 *
	 * @param array $entities Direction by entity.
	 * @return array `revision` and `entities`.
	 */
	public static function narrower( array $entities ) {
		$agreed = self::get( 'entities', array() );
		$wanted = array();
		foreach ( array_intersect_key( $entities, $agreed ) as $entity => $direction ) {
			$direction = in_array( $direction, self::DIRECTIONS, true ) ? self::both_allow( $agreed[ $entity ], $direction ) : $agreed[ $entity ];
			if ( $direction !== $agreed[ $entity ] ) {
				$wanted[ $entity ] = $direction;
			}
		}
		ksort( $wanted );
		$narrowed = self::narrowed();
		if ( $wanted === $narrowed['entities'] ) {
			return $narrowed;
		}
		Bridge_Hint::due();
		return array( 'revision' => $narrowed['revision'] + 1, 'entities' => $wanted );
	}

	/**
	 * The direction that two directions have in common.
	 *
	 * @param string $one   A direction.
	 * @param string $other Another.
	 * @return string
	 */
	public static function both_allow( $one, $other ) {
		if ( $one === $other || 'both' === $other ) {
			return $one;
		}
		return 'both' === $one ? $other : 'off';
	}

	/**
	 * Only directions of entities that we know.
	 *
	 * @param array $given By entity.
	 * @return array
	 * @throws \InvalidArgumentException One is unknown.
	 */
	private static function directions( array $given ) {
		foreach ( $given as $entity => $direction ) {
			if ( ! in_array( $entity, self::ENTITIES, true ) || ! in_array( $direction, self::DIRECTIONS, true ) ) {
				throw new \InvalidArgumentException( 'unknown entity or direction: ' . sanitize_key( $entity ) );
			}
		}
		return $given;
	}

	/**
	 * Keys as they are stored; a secret that did not change keeps its sealed text, so that nothing changes.
	 *
	 * @param array $given List of `id` and `secret`.
	 * @return array
	 * @throws \InvalidArgumentException They cannot be used.
	 */
	private static function sealed( array $given ) {
		if ( count( $given ) < 1 || count( $given ) > self::KEYS ) {
			throw new \InvalidArgumentException( 'one or two keys are needed' );
		}
		$before = array_column( (array) self::get( 'keys', array() ), 'secret', 'id' );
		$keys   = array();
		foreach ( $given as $key ) {
			$id     = isset( $key['id'] ) ? (string) $key['id'] : '';
			$secret = isset( $key['secret'] ) ? (string) $key['secret'] : '';
			if ( 1 !== preg_match( '/^[A-Za-z0-9._-]{1,64}$/', $id ) || strlen( $secret ) < 32 ) {
				throw new \InvalidArgumentException( 'a key needs an id of up to 64 letters and digits, and a secret of 32 characters or more' );
			}
			$same   = isset( $before[ $id ] ) && Crypto::decrypt( $before[ $id ] ) === $secret;
			$keys[] = array( 'id' => $id, 'secret' => $same ? $before[ $id ] : Crypto::encrypt( $secret ) );
		}
		return $keys;
	}

	/**
	 * Store the pairing, loaded with each request.
	 *
	 * @param array $value What to store.
	 */
	private static function store( array $value ) {
		if ( get_option( self::OPTION ) !== $value ) {
			update_option( self::OPTION, $value, true );
		}
	}
}
