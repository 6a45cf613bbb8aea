-- Whom the exporter is in PostgreSQL: it may read what the server says of itself, and none of the register.
\set password `cat /run/secrets/monitor_password`
CREATE ROLE monitor LOGIN PASSWORD :'password' IN ROLE pg_monitor CONNECTION LIMIT 5;
