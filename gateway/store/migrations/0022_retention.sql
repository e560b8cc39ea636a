-- What is kept no longer goes from what is append-only, too: by retention alone, in a transaction that says so and up to which
-- time, and nothing that is younger. (The other lawful way is the erasure of a person.)

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') AND current_setting('hjemmevakt.lawful', true) = 'erasure'
       OR TG_OP = 'DELETE' AND current_setting('hjemmevakt.lawful', true) = 'retention' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP;
END
$$;

CREATE FUNCTION refuse_what_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept_from timestamptz := nullif(current_setting('hjemmevakt.kept_from', true), '')::timestamptz;
    is_past boolean;
BEGIN
    IF current_setting('hjemmevakt.lawful', true) IS DISTINCT FROM 'retention' THEN
        RETURN OLD;
    END IF;
    IF TG_TABLE_NAME = 'audit' THEN
        is_past := OLD.at < kept_from;
    ELSE
        is_past := EXISTS (SELECT FROM alert WHERE id = OLD.alert_id AND closed_at < kept_from);
    END IF;
    IF is_past IS NOT TRUE THEN
        RAISE EXCEPTION '% keeps what is not older than %: DELETE refused', TG_TABLE_NAME, coalesce(kept_from::text, 'said');
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_what_is_kept();
CREATE TRIGGER alert_entry_kept BEFORE DELETE ON alert_entry FOR EACH ROW EXECUTE FUNCTION refuse_what_is_kept();
