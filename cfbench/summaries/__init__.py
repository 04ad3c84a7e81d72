"""From records to what tables show."""
