"""The store: one file a noun, one function a query. The only place that knows psycopg and SQL.

Lock order everywhere: seen, device_state, dose_schedule, watches, home words, commands, silences, alerts, pages; each set sorted
by its key. Domain time comes in as an argument; what follows the database's own clock says so.
"""
