"""Source-filter synthesis of vocal bursts whose labels are true by construction."""
