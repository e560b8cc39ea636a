-- Erasing a resident: what is under way, and that it was done.

-- While an erasure is under way, `scope` says what belongs to it, so that one that was cut short goes on; nothing of it
-- remains. `mark` is a salted hash of the resident's uid: whoever has the uid, as an old backup has, can see that it was
-- erased, and nobody can get from it to a person. `register_gone`: the resident is in no list any more.
CREATE TABLE erasure (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resident_id   bigint UNIQUE,
    begun_at      timestamptz NOT NULL,
    done_at       timestamptz,
    operator      text NOT NULL,
    salt          bytea NOT NULL,
    mark          bytea NOT NULL UNIQUE,
    counts        jsonb NOT NULL DEFAULT '{}',
    scope         jsonb,
    register_gone boolean NOT NULL DEFAULT false,
    schema        integer NOT NULL DEFAULT 1,
    CHECK ((done_at IS NULL) = (scope IS NOT NULL)),
    CHECK ((done_at IS NULL) = (resident_id IS NOT NULL)),
    CHECK (done_at IS NULL OR register_gone)
);

-- The only lawful ways past "append-only", each for one transaction that says so.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') AND current_setting('hjemmevakt.lawful', true) = 'erasure' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP;
END
$$;
