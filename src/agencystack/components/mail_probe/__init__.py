"""Programs that look for a submission server, one for each interpreter an application may have at hand."""
