-- Rules are never deleted: one that is withdrawn has a last version that says so, and applies to nothing any more.

ALTER TABLE rule_version ADD COLUMN withdrawn boolean NOT NULL DEFAULT false;

CREATE INDEX rule_zone ON rule (zone_id) WHERE zone_id IS NOT NULL;
CREATE INDEX rule_resident ON rule (resident_id) WHERE resident_id IS NOT NULL;
CREATE INDEX rule_device ON rule (device_id) WHERE device_id IS NOT NULL;
