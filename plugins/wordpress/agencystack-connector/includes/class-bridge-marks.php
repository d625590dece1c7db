<?php
/**
 * Which records changed: marks that the bridge collects and acknowledges.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * A mark is begun before a record is written (or right after, where its id was not known before) and confirmed at the
 * end of the request, by a mark with a new number. A begun mark whose request died comes out after GRACE seconds: look again.
 */
final class Bridge_Marks {

	const BEGUN        = 0;
	const CONFIRMED    = 1;
	const ACKNOWLEDGED = 2;

	/** Seconds after which a request that began a mark is taken for dead, or for so long that looking now is right. */
	const GRACE = 60;

	/** Marks noted before they are written in the middle of a request. */
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
		$note = isset( self::$noted[ $site ][ $key ] ) ? self::$noted[ $site ][ $key ] : null;
		if ( null !== $note && time() - $note['at'] < self::GRACE / 2 ) {
			return;
		}
		$number = self::insert( array( array( $entity, $record ) ), self::BEGUN );
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
	 * Forget what was noted of a record: the bridge itself wrote it, in this call, and gets it back with the answer.
	 *
	 * @param string $entity Its entity.
	 * @param int    $record Its id.
	 */
	public static function forget( $entity, $record ) {
		$site = get_current_blog_id();
		$key  = $entity . ':' . (int) $record;
		if ( isset( self::$noted[ $site ][ $key ] ) ) {
			self::delete( self::$noted[ $site ][ $key ]['numbers'] );
			unset( self::$noted[ $site ][ $key ] );
		}
	}

	/**
	 * Forget marks that a request began which is known to be dead.
	 *
	 * @param string $entity The record's entity.
	 * @param int    $record Its id.
	 */
	public static function forget_begun( $entity, $record ) {
		$table = Bridge_Tables::name( 'marks' );
		self::quietly( sprintf( "DELETE FROM `$table` WHERE entity = '%s' AND record = %d AND state = %d AND number NOT IN (%s)", esc_sql( $entity ), $record, self::BEGUN, self::own() ) );
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
	 * Records that changed and were not acknowledged, oldest first, each once.
	 *
	 * @param int $limit At most so many.
	 * @return array `changes` and `more`.
	 */
	public static function waiting( $limit ) {
		global $wpdb;
		$table = Bridge_Tables::name( 'marks' );
		$read  = 3 * $limit + 1;
		$rows  = $wpdb->get_results( // phpcs:ignore WordPress.DB
			$wpdb->prepare(
				"SELECT number, entity, record FROM `$table` WHERE state = %d OR (state = %d AND at < UNIX_TIMESTAMP() - %d) ORDER BY number LIMIT %d", // phpcs:ignore WordPress.DB
				self::CONFIRMED,
				self::BEGUN,
				self::GRACE,
				$read
			)
		);
		$found = array();
		$older = array();
		foreach ( (array) $rows as $row ) {
			$key = "$row->entity:$row->record";
			if ( isset( $found[ $key ] ) ) {
				// Covered by the newer mark, which stands: both were seen here, so nothing unseen is lost.
				$older[] = (int) $found[ $key ]['mark'];
			} elseif ( count( $found ) >= $limit ) {
				continue;
			}
			$found[ $key ] = array( 'mark' => (string) $row->number, 'entity' => $row->entity, 'id' => (string) $row->record );
		}
		self::delete( $older );
		return array( 'changes' => array_values( $found ), 'more' => count( (array) $rows ) - count( $older ) > count( $found ) );
	}

	/**
	 * Forget exactly these marks; the newest number of all stays known.
	 *
	 * @param string[] $marks As waiting() gave them.
	 */
	public static function acknowledge( array $marks ) {
		global $wpdb;
		$numbers = array_filter( array_map( 'intval', $marks ) );
		if ( ! $numbers ) {
			return;
		}
		$table  = Bridge_Tables::name( 'marks' );
		$newest = self::epoch();
		self::delete( array_diff( $numbers, array( $newest ) ) );
		if ( in_array( $newest, $numbers, true ) ) {
			$wpdb->query( $wpdb->prepare( "UPDATE `$table` SET state = %d WHERE number = %d", self::ACKNOWLEDGED, $newest ) ); // phpcs:ignore WordPress.DB
		}
		$wpdb->query( $wpdb->prepare( "DELETE FROM `$table` WHERE state = %d AND number < %d", self::ACKNOWLEDGED, $newest ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Highest number that was ever given.
	 *
	 * @return int
	 */
	public static function epoch() {
		global $wpdb;
		$table = Bridge_Tables::name( 'marks' );
		return (int) $wpdb->get_var( "SELECT MAX(number) FROM `$table`" ); // phpcs:ignore WordPress.DB
	}

	/**
	 * How many marks wait, for people.
	 *
	 * @return int
	 */
	public static function backlog() {
		global $wpdb;
		$table = Bridge_Tables::name( 'marks' );
		return (int) $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM `$table` WHERE state <> %d", self::ACKNOWLEDGED ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Records among these that another request is writing at this moment.
	 *
	 * @param string $entity  Their entity.
	 * @param int[]  $records Their ids.
	 * @return array Ids as keys.
	 */
	public static function in_writing( $entity, array $records ) {
		global $wpdb;
		if ( ! $records ) {
			return array();
		}
		$table = Bridge_Tables::name( 'marks' );
		$found = $wpdb->get_col( // phpcs:ignore WordPress.DB
			$wpdb->prepare(
				"SELECT DISTINCT record FROM `$table` WHERE entity = %s AND record IN (" . implode( ',', array_map( 'intval', $records ) ) . ') AND state = %d AND at >= UNIX_TIMESTAMP() - %d AND number NOT IN (' . self::own() . ')', // phpcs:ignore WordPress.DB
				$entity,
				self::BEGUN,
				self::GRACE
			)
		);
		return array_fill_keys( array_map( 'intval', $found ), true );
	}

	/** Keep one mark of each record while no bridge collects them. */
	public static function compact() {
		global $wpdb;
		$table = Bridge_Tables::name( 'marks' );
		$older = $wpdb->get_col( $wpdb->prepare( "SELECT o.number FROM `$table` o WHERE o.state = %d AND EXISTS (SELECT 1 FROM `$table` n WHERE n.entity = o.entity AND n.record = o.record AND n.state = %d AND n.number > o.number) LIMIT 20000", self::CONFIRMED, self::CONFIRMED ) ); // phpcs:ignore WordPress.DB
		foreach ( array_chunk( $older, 1000 ) as $numbers ) {
			self::delete( $numbers );
		}
	}

	/** Forget all marks but the newest number. */
	public static function empty_out() {
		global $wpdb;
		self::$noted = array();
		if ( '' === Bridge_Tables::instance() ) {
			return;
		}
		$table = Bridge_Tables::name( 'marks' );
		$wpdb->query( $wpdb->prepare( "UPDATE `$table` SET state = %d", self::ACKNOWLEDGED ) ); // phpcs:ignore WordPress.DB
		$wpdb->query( $wpdb->prepare( "DELETE FROM `$table` WHERE number < %d", self::epoch() ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Numbers of the marks that this request began, for a list in SQL.
	 *
	 * @return string
	 */
	private static function own() {
		$site = get_current_blog_id();
		$own  = array( 0 );
		foreach ( isset( self::$noted[ $site ] ) ? self::$noted[ $site ] : array() as $note ) {
			$own = array_merge( $own, $note['numbers'] );
		}
		return implode( ',', $own );
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
			if ( ! self::insert( $part, self::CONFIRMED ) ) {
				return true;
			}
		}
		self::delete( $numbers );
		return (bool) $changed;
	}

	/**
	 * Insert marks. Whatever goes wrong stays here: it must not show on the page that is being answered.
	 *
	 * @param array $records Pairs of entity and id.
	 * @param int   $state   Theirs.
	 * @return int Number of the first; 0 where they could not be written.
	 */
	private static function insert( array $records, $state ) {
		global $wpdb;
		$table  = Bridge_Tables::name( 'marks' );
		$values = array();
		foreach ( $records as list( $entity, $record ) ) {
			$values[] = $wpdb->prepare( '(%s, %d, %d, UNIX_TIMESTAMP())', $entity, $record, $state );
		}
		$sql = "INSERT INTO `$table` (entity, record, state, at) VALUES " . implode( ', ', $values );
		return self::quietly( $sql ) ? self::$inserted : 0;
	}

	/**
	 * Number that the last insert was given.
	 *
	 * @var int
	 */
	private static $inserted = 0;

	/**
	 * Delete marks by their numbers.
	 *
	 * @param int[] $numbers Theirs.
	 */
	private static function delete( array $numbers ) {
		$table = Bridge_Tables::name( 'marks' );
		foreach ( array_chunk( array_map( 'intval', $numbers ), 1000 ) as $part ) {
			self::quietly( "DELETE FROM `$table` WHERE number IN (" . implode( ',', $part ) . ')' );
		}
	}

	/**
	 * Run a statement between those of others: what they look at afterwards (last error, last id) is as it was.
	 *
	 * @param string $sql The statement.
	 * @return bool Whether it worked.
	 */
	private static function quietly( $sql ) {
		global $wpdb;
		$kept   = array( $wpdb->insert_id, $wpdb->rows_affected, $wpdb->last_error, $wpdb->last_query, $wpdb->last_result, $wpdb->num_rows );
		$before = $wpdb->suppress_errors();
		$worked = false !== $wpdb->query( $sql ); // phpcs:ignore WordPress.DB
		$wpdb->suppress_errors( $before );
		self::$inserted = (int) $wpdb->insert_id;
		list( $wpdb->insert_id, $wpdb->rows_affected, $wpdb->last_error, $wpdb->last_query, $wpdb->last_result, $wpdb->num_rows ) = $kept;
		return $worked;
	}
}
