<?php
/**
 * What one request changes: marked before and after, confirmed at its end.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Notes each record once a request, whatever number of hooks tells of it; the table is Bridge_Outbox. */
final class Bridge_Marks {

	/** Records noted before they are written in the middle of a request. */
	const MANY = 500;

	/**
	 * By site, then by entity and record: number and time of the begun mark, and whether the record changed.
	 *
	 * @var array
	 */
	private static $noted = array();

	/**
	 * Whether the end of the request has come: what changes still later is written at once.
	 *
	 * @var bool
	 */
	private static $ended = false;

	/**
	 * The record that the bridge itself is writing, as entity:id.
	 *
	 * @var string
	 */
	private static $held = '';

	/** Hook in, after whatever else still writes at shutdown. */
	public function hook() {
		add_action( 'shutdown', array( self::class, 'end' ), PHP_INT_MAX - 1 );
	}

	/**
	 * A record is about to be written.
	 *
	 * @param string $entity Its entity.
	 * @param int    $record Its id.
	 */
	public static function begin( $entity, $record ) {
		$record = (int) $record;
		if ( $record < 1 || ! Bridge_Settings::configured() ) {
			return;
		}
		$site = get_current_blog_id();
		$key  = "$entity:$record";
		if ( $key === self::$held ) {
			return;
		}
		$note = isset( self::$noted[ $site ][ $key ] ) ? self::$noted[ $site ][ $key ] : null;
		if ( null !== $note && time() - $note['at'] < Bridge_Outbox::GRACE / 2 ) {
			return;
		}
		$number = Bridge_Outbox::insert( array( array( $entity, $record ) ), Bridge_Outbox::BEGUN );
		$before = null === $note ? array() : $note['numbers'];

		self::$noted[ $site ][ $key ] = array(
			'entity'  => $entity,
			'record'  => $record,
			'numbers' => $number ? array_merge( $before, array( $number ) ) : $before,
			'at'      => time(),
			'changed' => null !== $note && $note['changed'],
		);
	}

	/**
	 * A record was written.
	 *
	 * @param string $entity Its entity.
	 * @param int    $record Its id.
	 */
	public static function changed( $entity, $record ) {
		$record = (int) $record;
		self::begin( $entity, $record );
		$site = get_current_blog_id();
		if ( isset( self::$noted[ $site ]["$entity:$record"] ) ) {
			self::$noted[ $site ]["$entity:$record"]['changed'] = true;
			if ( self::$ended || count( self::$noted[ $site ] ) >= self::MANY ) {
				self::flush();
			}
		}
	}

	/**
	 * The bridge writes a record now, and looks at it whatever becomes of that: its own marks would say nothing new.
	 *
	 * @param string $entity Its entity; empty when it is done.
	 * @param int    $record Its id.
	 */
	public static function hold( $entity = '', $record = 0 ) {
		self::$held = '' === $entity ? '' : $entity . ':' . (int) $record;
	}

	/**
	 * Forget what was noted of a record: the bridge itself wrote it, in this call, and gets it back with the answer.
	 *
	 * @param string $entity Its entity.
	 * @param int    $record Its id.
	 */
	public static function forget( $entity, $record ) {
		$site = get_current_blog_id();
		$key  = $entity . ':' . (int) $record;
		if ( isset( self::$noted[ $site ][ $key ] ) ) {
			Bridge_Outbox::settle( self::$noted[ $site ][ $key ]['numbers'] );
			unset( self::$noted[ $site ][ $key ] );
		}
	}

	/** The request ends. */
	public static function end() {
		self::$ended = true;
		if ( self::flush() ) {
			Bridge_Hint::send();
		}
	}

	/**
	 * Confirm what was noted.
	 *
	 * @return bool Whether anything changed on the current site.
	 */
	public static function flush() {
		$noted       = self::$noted;
		self::$noted = array();
		$here        = false;
		foreach ( $noted as $site => $notes ) {
			$other = get_current_blog_id() !== $site;
			if ( $other ) {
				switch_to_blog( $site );
			}
			$here = self::confirm( $notes ) && ! $other ? true : $here;
			if ( $other ) {
				Bridge_Hint::due();
				restore_current_blog();
			}
		}
		return $here;
	}

	/**
	 * Numbers of the marks that this request began on the current site.
	 *
	 * @return int[]
	 */
	public static function own() {
		$site = get_current_blog_id();
		$own  = array();
		foreach ( isset( self::$noted[ $site ] ) ? self::$noted[ $site ] : array() as $note ) {
			$own = array_merge( $own, $note['numbers'] );
		}
		return $own;
	}

	/** Forget all that was noted: the pairing ends. */
	public static function drop() {
		self::$noted = array();
	}

	/**
	 * Write confirmed marks of what changed, then take away those that were begun: never the other way round.
	 *
	 * @param array $notes Of one site.
	 * @return bool Whether anything changed.
	 */
	private static function confirm( array $notes ) {
		$changed = array();
		$numbers = array();
		foreach ( $notes as $note ) {
			if ( $note['changed'] ) {
				$changed[] = array( $note['entity'], $note['record'] );
				$numbers   = array_merge( $numbers, $note['numbers'] );
			}
			// What was begun and never written (the write was refused) stays, and comes out as "look again".
		}
		foreach ( array_chunk( $changed, self::MANY ) as $part ) {
			if ( ! Bridge_Outbox::insert( $part, Bridge_Outbox::CONFIRMED ) ) {
				return true;
			}
		}
		Bridge_Outbox::delete( $numbers );
		return (bool) $changed;
	}
}
