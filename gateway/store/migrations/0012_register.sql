-- The gateway remembers which device is fitted where while the register stands as it is. A row for each transaction that
-- changed it: their count, sum and maximum change with every one that commits, in whatever order. Old ones are pruned.
CREATE TABLE register_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id xid8 NOT NULL UNIQUE DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION note_register_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO register_change DEFAULT VALUES ON CONFLICT (transaction_id) DO NOTHING;
    RETURN NULL;
END $$;

-- A new device changes nothing that is remembered; a device that nobody registered must not make us forget all others.
CREATE TRIGGER device_register AFTER UPDATE OR DELETE ON device
    FOR EACH STATEMENT EXECUTE FUNCTION note_register_change();
CREATE TRIGGER installation_register AFTER INSERT OR UPDATE OR DELETE ON installation
    FOR EACH STATEMENT EXECUTE FUNCTION note_register_change();
CREATE TRIGGER residency_register AFTER INSERT OR UPDATE OR DELETE ON residency
    FOR EACH STATEMENT EXECUTE FUNCTION note_register_change();
CREATE TRIGGER dwelling_register AFTER UPDATE OR DELETE ON dwelling
    FOR EACH STATEMENT EXECUTE FUNCTION note_register_change();
CREATE TRIGGER site_register AFTER UPDATE OR DELETE ON site
    FOR EACH STATEMENT EXECUTE FUNCTION note_register_change();

-- Checked for each message, it cost more than all else about it: identities are written of devices that are there, in the
-- same transaction, and no device is ever deleted.
ALTER TABLE seen DROP CONSTRAINT seen_device_id_fkey;
