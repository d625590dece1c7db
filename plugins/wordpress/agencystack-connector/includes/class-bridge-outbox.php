<?php
/**
 * The table of marks: what the bridge has still to look at.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * Rows are only ever inserted and deleted, so no request waits for another one here.
 *
 * A mark is begun before a record is written, and confirmed at the end of the request by a mark with a new number. A begun
 * mark whose request died comes out after GRACE seconds: look again.
 */
final class Bridge_Outbox {

	const BEGUN        = 0;
	const CONFIRMED    = 1;
	const ACKNOWLEDGED = 2;

	/** Seconds after which a request that began a mark is taken for dead, or for so long that looking now is right. */
	const GRACE = 60;

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
	 * Records of an entity whose change the bridge has not taken note of yet, those that are being written among them.
	 *
	 * @param string $entity Of what.
	 * @return string[]
	 */
	public static function untold( $entity ) {
		global $wpdb;
		$table = Bridge_Tables::name( 'marks' );
		return (array) $wpdb->get_col( $wpdb->prepare( "SELECT DISTINCT record FROM `$table` WHERE entity = %s AND state <> %d", $entity, self::ACKNOWLEDGED ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Forget exactly these marks; the newest number of all stays known.
	 *
	 * @param string[] $marks As waiting() gave them.
	 */
	public static function acknowledge( array $marks ) {
		global $wpdb;
		$table  = Bridge_Tables::name( 'marks' );
		$newest = self::epoch();
		self::settle( array_filter( array_map( 'intval', $marks ) ) );
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
	 * How long the oldest change has waited.
	 *
	 * @return int Seconds.
	 */
	public static function late() {
		global $wpdb;
		$table = Bridge_Tables::name( 'marks' );
		return max( 0, (int) $wpdb->get_var( $wpdb->prepare( "SELECT UNIX_TIMESTAMP() - at FROM `$table` WHERE state = %d ORDER BY number LIMIT 1", self::CONFIRMED ) ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Records among these that another request is writing at this moment.
	 *
	 * @param string $entity  Their entity.
	 * @param int[]  $records Their ids.
	 * @param int[]  $own     Numbers of marks that this request began.
	 * @return array Ids as keys.
	 */
	public static function in_writing( $entity, array $records, array $own ) {
		global $wpdb;
		if ( ! $records ) {
			return array();
		}
		$table = Bridge_Tables::name( 'marks' );
		$found = $wpdb->get_col( // phpcs:ignore WordPress.DB
			$wpdb->prepare(
				"SELECT DISTINCT record FROM `$table` WHERE entity = %s AND record IN (" . implode( ',', array_map( 'intval', $records ) ) . ') AND state = %d AND at >= UNIX_TIMESTAMP() - %d AND number NOT IN (' . implode( ',', array_merge( array( 0 ), $own ) ) . ')', // phpcs:ignore WordPress.DB
				$entity,
				self::BEGUN,
				self::GRACE
			)
		);
		return array_fill_keys( array_map( 'intval', $found ), true );
	}

	/**
	 * Settle marks that a request began which is known to be dead.
	 *
	 * @param string $entity The record's entity.
	 * @param int    $record Its id.
	 * @param int[]  $own    Numbers of marks that this request began.
	 */
	public static function forget_begun( $entity, $record, array $own ) {
		$table = Bridge_Tables::name( 'marks' );
		self::quietly( sprintf( "UPDATE `$table` SET state = %d WHERE entity = '%s' AND record = %d AND state = %d AND number NOT IN (%s)", self::ACKNOWLEDGED, esc_sql( $entity ), $record, self::BEGUN, implode( ',', array_merge( array( 0 ), $own ) ) ) );
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
		if ( '' === Bridge_Tables::instance() ) {
			return;
		}
		$table = Bridge_Tables::name( 'marks' );
		$wpdb->query( $wpdb->prepare( "UPDATE `$table` SET state = %d", self::ACKNOWLEDGED ) ); // phpcs:ignore WordPress.DB
		$wpdb->query( $wpdb->prepare( "DELETE FROM `$table` WHERE number < %d", self::epoch() ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Insert marks. Whatever goes wrong stays here: it must not show on the page that is being answered.
	 *
	 * @param array $records Pairs of entity and id.
	 * @param int   $state   Theirs.
	 * @return int Number of the first; 0 where they could not be written.
	 */
	public static function insert( array $records, $state ) {
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
	 * Nothing is to be looked at any more for these marks. They go with the next call of the bridge, all but the newest:
	 * its number was told, and may not go back.
	 *
	 * @param int[] $numbers Theirs.
	 */
	public static function settle( array $numbers ) {
		$table = Bridge_Tables::name( 'marks' );
		foreach ( array_chunk( array_map( 'intval', $numbers ), 1000 ) as $part ) {
			self::quietly( sprintf( "UPDATE `$table` SET state = %d WHERE number IN (%s)", self::ACKNOWLEDGED, implode( ',', $part ) ) );
		}
	}

	/**
	 * Delete marks by their numbers, where a newer one stands.
	 *
	 * @param int[] $numbers Theirs.
	 */
	public static function delete( array $numbers ) {
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
