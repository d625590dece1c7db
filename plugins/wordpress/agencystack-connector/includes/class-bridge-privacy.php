<?php
/**
 * Submissions in WordPress's own tools for personal data: export and erasure.
 *
 * @package AgencyStack\Connector
 */

namespace AgencyStack\Connector;

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Finds submissions by the e-mail address that was given in them. */
final class Bridge_Privacy {

	/** Hook in. */
	public function hook() {
		add_filter( 'wp_privacy_personal_data_exporters', array( $this, 'exporter' ) );
		add_filter( 'wp_privacy_personal_data_erasers', array( $this, 'eraser' ) );
	}

	/**
	 * Make the exporter known.
	 *
	 * @param array $exporters Those of others.
	 * @return array
	 */
	public function exporter( $exporters ) {
		$exporters['agencystack-submissions'] = array(
			'exporter_friendly_name' => __( 'Form submissions (AgencyStack)', 'agencystack-connector' ),
			'callback'               => array( $this, 'export' ),
		);
		return $exporters;
	}

	/**
	 * Make the eraser known.
	 *
	 * @param array $erasers Those of others.
	 * @return array
	 */
	public function eraser( $erasers ) {
		$erasers['agencystack-submissions'] = array(
			'eraser_friendly_name' => __( 'Form submissions (AgencyStack)', 'agencystack-connector' ),
			'callback'             => array( $this, 'erase' ),
		);
		return $erasers;
	}

	/**
	 * What a person sent.
	 *
	 * @param string $email The person's address.
	 * @return array
	 */
	public function export( $email ) {
		$data = array();
		foreach ( $this->of( $email ) as $submission ) {
			$lines = array(
				array( 'name' => __( 'Form', 'agencystack-connector' ), 'value' => $submission['form']['title'] ),
				array( 'name' => __( 'Sent at (UTC)', 'agencystack-connector' ), 'value' => $submission['date_created_gmt'] ),
				array( 'name' => __( 'Page', 'agencystack-connector' ), 'value' => $submission['page']['url'] ),
			);
			foreach ( $submission['fields'] as $field ) {
				$lines[] = array( 'name' => $field['name'], 'value' => implode( ', ', (array) $field['value'] ) );
			}
			$data[] = array(
				'group_id'    => 'agencystack-submissions',
				'group_label' => __( 'Form submissions', 'agencystack-connector' ),
				'item_id'     => 'agencystack-submission-' . $submission['id'],
				'data'        => $lines,
			);
		}
		return array( 'data' => $data, 'done' => true );
	}

	/**
	 * Remove what a person sent. In ERPNext it stays until somebody removes it there.
	 *
	 * @param string $email The person's address.
	 * @return array
	 */
	public function erase( $email ) {
		$ids = array_column( $this->of( $email ), 'id' );
		Bridge_Submissions::remove( $ids );
		$told = $ids && Bridge_Settings::configured()
			? array( __( 'Leads that were made of form submissions in ERPNext are not removed from here: run `agencystack bridge forget`.', 'agencystack-connector' ) )
			: array();
		return array( 'items_removed' => count( $ids ) > 0, 'items_retained' => false, 'messages' => $told, 'done' => true );
	}

	/**
	 * Submissions of a person.
	 *
	 * @param string $email The person's address.
	 * @return array
	 */
	private function of( $email ) {
		return '' === (string) $email ? array() : Bridge_Submissions::search( array( 'email' => $email ) );
	}
}
