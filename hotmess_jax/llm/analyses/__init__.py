"""The analyses of a table of records: one a module, named in order by `catalogue`."""
