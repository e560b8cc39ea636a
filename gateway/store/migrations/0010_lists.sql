-- What lists are ordered by, and what they are asked for.
CREATE INDEX resident_name ON resident (name, id);
CREATE INDEX residency_resident ON residency (resident_id);
CREATE INDEX dwelling_address ON dwelling (address, id);
CREATE INDEX device_address ON device (address, id);
CREATE INDEX IF NOT EXISTS installation_device ON installation (device_id);
CREATE INDEX alert_device ON alert (device_id, id DESC) WHERE device_id IS NOT NULL;
CREATE INDEX command_device ON command (device_id, id DESC);
CREATE INDEX person_name ON person (name, id);
CREATE INDEX assignment_person ON assignment (person_id);
