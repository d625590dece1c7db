<?php
/**
 * Carries out what the bridge wants changed: each write under a lock, only upon what it was decided on, once.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** One write after the other; what becomes of one does not keep the others from happening. */
final class Bridge_Apply {

	/** Seconds after which the rest of a call is put off: servers end requests that take longer than 30 or 60. */
	const ENOUGH = 20;

	/** Seconds a write waits for another one of the same record. */
	const PATIENCE = 5;

	/** Seconds to wait before a write is tried again. */
	const AFTER = 2;

	const ACTIONS = array( 'create', 'update', 'trash', 'delete' );

	/**
	 * Carry out writes.
	 *
	 * @param array $writes As the bridge sends them.
	 * @return array Answers by token.
	 */
	public static function all( array $writes ) {
		$begun   = microtime( true );
		$answers = array();
		foreach ( $writes as $write ) {
			$write = self::complete( $write );
			if ( ! Bridge_Tokens::is_one( $write['token'] ) ) {
				continue; // There is no name under which to answer.
			}
			$answers[ $write['token'] ] = microtime( true ) - $begun > self::ENOUGH
				? self::later( 'agencystack_enough', 'too much for one call', 0 )
				: self::one( $write );
		}
		return self::with_natives( $answers );
	}

	/**
	 * Answers with the records as they are now, read together.
	 *
	 * @param array $answers By token; `record` names what is to be read.
	 * @return array
	 */
	private static function with_natives( array $answers ) {
		$ids = array();
		foreach ( $answers as $answer ) {
			if ( isset( $answer['record'] ) ) {
				$ids[ $answer['record'][0] ][] = $answer['record'][1];
			}
		}
		foreach ( $ids as $kind => $some ) {
			$ids[ $kind ] = Bridge_Records::read( $kind, $some );
		}
		foreach ( $answers as $token => $answer ) {
			if ( isset( $answer['record'] ) ) {
				list( $kind, $id )           = $answer['record'];
				$answers[ $token ]['native'] = isset( $ids[ $kind ][ $id ] ) ? $ids[ $kind ][ $id ] : null;
				unset( $answers[ $token ]['record'] );
			}
		}
		return $answers;
	}

	/**
	 * Carry out one.
	 *
	 * @param array $write The write.
	 * @return array The answer.
	 */
	private static function one( array $write ) {
		$refusal = self::refusal( $write );
		if ( null !== $refusal ) {
			return self::refused( $refusal );
		}
		$lock = 'create' === $write['action'] ? $write['token'] : $write['kind'] . ':' . $write['id'];
		if ( ! self::lock( $lock ) ) {
			return self::later( 'agencystack_locked', 'another write of this record is going on', self::AFTER );
		}
		Bridge_Quiet::set( $write['notify'] );
		try {
			return 'create' === $write['action'] ? self::created( $write ) : self::changed( $write );
		} catch ( \Throwable $error ) {
			// Another plugin's defect, before or after the row was written: the bridge looks again, or by token.
			return self::later( 'agencystack_broken', get_class( $error ) . ' in ' . wp_basename( $error->getFile() ) . ':' . $error->getLine(), self::AFTER );
		} finally {
			Bridge_Quiet::set( false );
			self::unlock( $lock );
		}
	}

	/**
	 * Make a record, or find what was made under the same token.
	 *
	 * @param array $write The write.
	 * @return array The answer.
	 */
	private static function created( array $write ) {
		$kind  = $write['kind'];
		$token = $write['token'];
		$known = Bridge_Tokens::state( $token );
		if ( $known ) {
			return self::done( $kind, $known );
		}
		$begun = null === $known ? array() : Bridge_Tokens::found( $kind, array( $token ) );
		if ( isset( $begun[ $token ] ) ) {
			return self::completed( $write, $begun[ $token ] );
		}
		Bridge_Tokens::intend( $token, $kind );
		$made = Bridge_Writer::create( $kind, $write['parent'], $write['values'], $token );
		if ( is_wp_error( $made ) ) {
			$there = self::with_our_token( $made, $token );
			return $there ? self::completed( $write, $there ) : self::refused( $made );
		}
		return self::made( $write, $made );
	}

	/**
	 * Finish a record that a call which died had begun.
	 *
	 * @param array $write The write.
	 * @param int   $id    The record's id.
	 * @return array The answer.
	 */
	private static function completed( array $write, $id ) {
		$kind    = $write['kind'];
		$parents = Bridge_Kinds::parents( $kind, array( $id ) );
		$parent  = isset( $parents[ $id ] ) ? $parents[ $id ] : 0;
		Bridge_Outbox::forget_begun( $kind, $id, Bridge_Marks::own() ); // We have the lock of its token: the call that began it is dead.
		if ( 'order' === $kind ) {
			$read = Bridge_Records::read( $kind, array( $id ) );
			if ( ! isset( $read[ $id ] ) || ! $read[ $id ]['agencystack']['half'] ) {
				wc_maybe_reduce_stock_levels( $id ); // It asks first whether that was done.
				return self::made( $write, $id );
			}
			// Lines sent to an order are added to those it has: it is made anew.
			$removed = Bridge_Writer::remove( $kind, 0, $id, true );
			$made    = is_wp_error( $removed ) ? $removed : Bridge_Writer::create( $kind, 0, $write['values'], $write['token'] );
			return is_wp_error( $made ) ? self::refused( $made ) : self::made( $write, $made );
		}
		if ( 'refund' !== $kind ) {
			$done = Bridge_Writer::update( $kind, $parent, $id, $write['values'] );
			if ( is_wp_error( $done ) ) {
				return self::refused( $done );
			}
		}
		return self::made( $write, $id );
	}

	/**
	 * Change or remove a record, if it is still what the change was decided upon.
	 *
	 * @param array $write The write.
	 * @return array The answer.
	 */
	private static function changed( array $write ) {
		$kind   = $write['kind'];
		$id     = $write['id'];
		$update = 'update' === $write['action'];
		if ( ! Bridge_Kinds::is_there( $kind, $id ) ) {
			return $update ? self::answer( 'stale' ) : self::answer( 'done' );
		}
		$values = $write['values'];
		// The stock is looked at before the version: an order in between is seen as another version.
		$difference = $update && in_array( $kind, array( 'product', 'variation' ), true ) ? Bridge_Stock::difference( $id, $values ) : null;
		if ( '' !== $write['version'] ) {
			$now = Bridge_Digest::of( $kind, array( $id ) );
			if ( ! isset( $now[ $id ] ) || ! hash_equals( $now[ $id ], $write['version'] ) ) {
				return array( 'record' => array( $kind, $id ) ) + self::answer( 'stale' );
			}
		}
		$parents = Bridge_Kinds::parents( $kind, array( $id ) );
		$parent  = isset( $parents[ $id ] ) ? $parents[ $id ] : 0;
		$done    = null;
		Bridge_Marks::hold( $kind, $id );
		try {
			$done = $update ? Bridge_Writer::update( $kind, $parent, $id, $values, $difference ) : Bridge_Writer::remove( $kind, $parent, $id, 'delete' === $write['action'] );
		} finally {
			Bridge_Marks::hold();
			if ( null === $done || is_wp_error( $done ) ) {
				Bridge_Marks::changed( $kind, $id ); // Part of it may have been written.
			}
		}
		return is_wp_error( $done ) ? self::refused( $done ) : self::done( $kind, $id );
	}

	/**
	 * A record was made.
	 *
	 * @param array $write The write.
	 * @param int   $id    The record's id.
	 * @return array The answer.
	 */
	private static function made( array $write, $id ) {
		Bridge_Tokens::made( $write['token'], $id );
		return self::done( $write['kind'], $id );
	}

	/**
	 * It happened. The bridge gets the record with the answer, and no mark that tells it to look.
	 *
	 * @param string $kind The kind.
	 * @param int    $id   The record's id.
	 * @return array The answer.
	 */
	private static function done( $kind, $id ) {
		Bridge_Marks::forget( $kind, $id );
		return array( 'record' => array( $kind, $id ) ) + self::answer( 'done' );
	}

	/**
	 * Why a write is not even tried.
	 *
	 * @param array $write The write.
	 * @return \WP_Error|null
	 */
	private static function refusal( array $write ) {
		if ( ! in_array( $write['action'], self::ACTIONS, true ) || ( 'create' !== $write['action'] && $write['id'] < 1 ) ) {
			return new \WP_Error( 'agencystack_bad_write', 'it names no action, or no record', array( 'status' => 400 ) );
		}
		if ( ! Bridge_Kinds::are_kept( $write['kind'] ) ) {
			return new \WP_Error( 'agencystack_not_kept', 'this site keeps no such records', array( 'status' => 404 ) );
		}
		if ( ! Bridge_Kinds::may_be_written( $write['kind'] ) ) {
			return new \WP_Error( 'agencystack_not_shared', 'this site does not let them be written', array( 'status' => 403 ) );
		}
		if ( 'customer' === $write['kind'] && $write['id'] && Bridge_User::is_staff( $write['id'] ) ) {
			return new \WP_Error( 'agencystack_staff', 'people who work on this site are not written to', array( 'status' => 403 ) );
		}
		return null;
	}

	/**
	 * The product that has the SKU already, if our token made it.
	 *
	 * @param \WP_Error $error What WooCommerce answered.
	 * @param string    $token The token.
	 * @return int 0 where it is somebody else's.
	 */
	private static function with_our_token( $error, $token ) {
		$data = $error->get_error_data();
		$id   = is_array( $data ) && isset( $data['resource_id'] ) ? (int) $data['resource_id'] : 0;
		return $id && get_post_meta( $id, Bridge_Tokens::META, true ) === $token ? $id : 0;
	}

	/**
	 * A write with all its parts.
	 *
	 * @param mixed $write As it was sent.
	 * @return array
	 */
	private static function complete( $write ) {
		$write = is_array( $write ) ? $write : array();
		$text  = static function ( $key ) use ( $write ) {
			return isset( $write[ $key ] ) && is_scalar( $write[ $key ] ) ? (string) $write[ $key ] : '';
		};
		return array(
			'token'   => $text( 'token' ),
			'kind'    => $text( 'kind' ),
			'action'  => $text( 'action' ),
			'id'      => (int) $text( 'id' ),
			'parent'  => (int) $text( 'parent' ),
			'values'  => isset( $write['values'] ) && is_array( $write['values'] ) ? $write['values'] : array(),
			'version' => $text( 'version' ),
			'notify'  => ! empty( $write['notify'] ),
		);
	}

	/**
	 * WordPress says no, or not now.
	 *
	 * @param \WP_Error $error What it says.
	 * @return array The answer.
	 */
	private static function refused( $error ) {
		$status = Bridge_Writer::status( $error );
		if ( in_array( $status, array( 429, 503 ), true ) ) {
			return self::later( $error->get_error_code(), $error->get_error_message(), self::AFTER );
		}
		$data = $error->get_error_data();
		return array(
			'code'    => (string) $error->get_error_code(),
			'message' => wp_strip_all_tags( $error->get_error_message() ),
			'data'    => (object) ( is_array( $data ) ? $data : array() ),
		) + self::answer( 'refused' );
	}

	/**
	 * It may work later.
	 *
	 * @param string $code    A word for why.
	 * @param string $message Why.
	 * @param int    $after   Seconds to wait.
	 * @return array The answer.
	 */
	private static function later( $code, $message, $after ) {
		return array( 'code' => (string) $code, 'message' => $message, 'after' => $after ) + self::answer( 'later' );
	}

	/**
	 * An answer.
	 *
	 * @param string $result Its word.
	 * @return array
	 */
	private static function answer( $result ) {
		return array( 'result' => $result, 'native' => null, 'code' => '', 'message' => '', 'data' => (object) array() );
	}

	/**
	 * Lock a name, on this database and site.
	 *
	 * @param string $name The name.
	 * @return bool
	 */
	private static function lock( $name ) {
		global $wpdb;
		return '1' === (string) $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, %d)', self::lock_name( $name ), self::PATIENCE ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Let go of a name.
	 *
	 * @param string $name The name.
	 */
	private static function unlock( $name ) {
		global $wpdb;
		$wpdb->query( $wpdb->prepare( 'DO RELEASE_LOCK(%s)', self::lock_name( $name ) ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Locks are the whole server's, and their names at most 64 characters long.
	 *
	 * @param string $name The name.
	 * @return string
	 */
	private static function lock_name( $name ) {
		global $wpdb;
		return 'agencystack:' . md5( DB_NAME . "\n" . $wpdb->prefix . "\n" . $name );
	}
}
