"""What the logs of each product mean: one pipeline per format, for Alloy, for Promtail and for tests here."""
