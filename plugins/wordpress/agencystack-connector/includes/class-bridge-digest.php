<?php
/**
 * Digests of rows, computed in the database: what the bridge saw is compared with what is there without moving it.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/**
 * A record is spread over tables. Each row of it gives 64 bits of an MD5; a record's digest is the exclusive or of its
 * rows', a range's that of its records': so a range is summed up by one pass over each table, without grouping or sorting.
 */
final class Bridge_Digest {

	/**
	 * Digests of records.
	 *
	 * @param string $kind The kind.
	 * @param int[]  $ids  Their ids; what is in the bin, a draft nobody saved or a cart has none.
	 * @return string[] 16 hex digits by id.
	 */
	public static function of( $kind, array $ids ) {
		return $ids ? self::by_record( $kind, '%1$s IN (' . implode( ',', array_map( 'intval', $ids ) ) . ')' ) : array();
	}

	/**
	 * Digests of the records of a range.
	 *
	 * @param string   $kind  The kind.
	 * @param string[] $range First id, and the first id that is beyond; empty text is no bound.
	 * @return string[] 16 hex digits by id.
	 */
	public static function rows( $kind, array $range ) {
		return self::by_record( $kind, self::within( $range ) );
	}

	/**
	 * What a range holds.
	 *
	 * @param string   $kind  The kind.
	 * @param string[] $range First id, and the first id that is beyond; empty text is no bound.
	 * @return array How many records, and the digest of all of them.
	 */
	public static function summary( $kind, array $range ) {
		global $wpdb;
		$where = self::within( $range );
		$count = 0;
		$total = str_repeat( "\0", 8 );
		foreach ( Bridge_Rows::of( $kind ) as $number => $part ) {
			$sql    = sprintf( 'SELECT COUNT(*) AS count, LPAD(HEX(BIT_XOR(%s)), 16, "0") AS hash FROM %s WHERE ', self::hash( $part['text'] ), $part['from'] ) . sprintf( $where, $part['id'] ) . " AND {$part['where']}";
			$row    = $wpdb->get_row( $sql ); // phpcs:ignore WordPress.DB
			$count  = 0 === $number ? (int) $row->count : $count;
			$total ^= hex2bin( $row->hash );
		}
		return array( $count, bin2hex( $total ) );
	}

	/**
	 * The next ids of all records.
	 *
	 * @param string $kind  The kind.
	 * @param int    $after Id of the one before.
	 * @param int    $limit At most so many.
	 * @return string[]
	 */
	public static function walk( $kind, $after, $limit ) {
		global $wpdb;
		$part = Bridge_Rows::of( $kind )[0];
		return $wpdb->get_col( $wpdb->prepare( "SELECT {$part['id']} FROM {$part['from']} WHERE {$part['id']} > %d AND {$part['where']} ORDER BY {$part['id']} LIMIT %d", $after, $limit ) ); // phpcs:ignore WordPress.DB
	}

	/**
	 * Digests by record.
	 *
	 * @param string $kind  The kind.
	 * @param string $where Which ones; `%1$s` is the column of ids.
	 * @return string[]
	 */
	private static function by_record( $kind, $where ) {
		global $wpdb;
		$found = array();
		foreach ( Bridge_Rows::of( $kind ) as $number => $part ) {
			$sql = sprintf( 'SELECT %s AS id, LPAD(HEX(BIT_XOR(%s)), 16, "0") AS hash FROM %s WHERE ', $part['id'], self::hash( $part['text'] ), $part['from'] ) . sprintf( $where, $part['id'] ) . " AND {$part['where']} GROUP BY {$part['id']}";
			foreach ( $wpdb->get_results( $sql ) as $row ) { // phpcs:ignore WordPress.DB
				if ( 0 === $number ) {
					$found[ $row->id ] = hex2bin( $row->hash );
				} elseif ( isset( $found[ $row->id ] ) ) { // Else it was made between two questions.
					$found[ $row->id ] ^= hex2bin( $row->hash );
				}
			}
		}
		return array_map( 'bin2hex', $found );
	}

	/**
	 * 64 bits of the MD5 of a row.
	 *
	 * @param string $text Expression in SQL.
	 * @return string
	 */
	private static function hash( $text ) {
		return "CAST(CONV(LEFT(MD5($text), 16), 16, 10) AS UNSIGNED)";
	}

	/**
	 * Condition for a range.
	 *
	 * @param string[] $range First id, and the first id that is beyond.
	 * @return string `%1$s` is the column of ids.
	 */
	private static function within( array $range ) {
		$where = '%1$s >= ' . (int) ltrim( (string) $range[0], '0' );
		return '' === (string) $range[1] ? $where : $where . ' AND %1$s < ' . (int) ltrim( (string) $range[1], '0' );
	}
}
