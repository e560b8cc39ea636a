-- Commands to devices, the last word of each part of a device, and what a page is about.

-- What somebody asks a device in a home to do. It is sent at most once: `sent` is committed before it leaves. While it is
-- open it has a `due_at`, and a device has one open command at most.
CREATE TABLE command (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid             uuid NOT NULL UNIQUE,
    site_id         bigint NOT NULL REFERENCES site,
    device_id       bigint NOT NULL REFERENCES device,
    installation_id bigint NOT NULL REFERENCES installation,
    alert_id        bigint NOT NULL REFERENCES alert,
    name            text NOT NULL,
    reason          text NOT NULL CHECK (reason IN ('get_in', 'let_in', 'secure', 'test')),
    requested_by_id bigint NOT NULL REFERENCES person,
    requested_at    timestamptz NOT NULL,
    valid_until     timestamptz NOT NULL,
    state           text NOT NULL CHECK (state IN ('requested', 'sent', 'done', 'failed', 'expired')),
    due_at          timestamptz,
    sent_at         timestamptz,
    settled_at      timestamptz,
    outcome         text,
    CHECK (valid_until > requested_at),
    CHECK ((state IN ('requested', 'sent')) = (due_at IS NOT NULL)),
    CHECK ((state IN ('requested', 'sent')) = (settled_at IS NULL)),
    CHECK ((state IN ('requested', 'sent')) = (outcome IS NULL)),
    CHECK (state <> 'requested' OR sent_at IS NULL),
    CHECK (state NOT IN ('sent', 'done') OR sent_at IS NOT NULL),
    CHECK (sent_at < valid_until)
);
CREATE UNIQUE INDEX command_open_device ON command (device_id) WHERE due_at IS NOT NULL;
CREATE INDEX command_due ON command (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX command_alert ON command (alert_id);

-- Nobody can send a command twice, whatever a program believes: once sent, always sent.
CREATE FUNCTION command_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.sent_at IS NOT NULL AND NEW.sent_at IS DISTINCT FROM OLD.sent_at THEN
        RAISE EXCEPTION 'command % was sent at %; it is sent once', OLD.uid, OLD.sent_at;
    END IF;
    IF NEW.state = 'requested' AND OLD.state <> 'requested' OR OLD.settled_at IS NOT NULL AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'command % is %, and cannot be % again', OLD.uid, OLD.state, NEW.state;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER command_goes_on BEFORE UPDATE ON command FOR EACH ROW EXECUTE FUNCTION command_goes_on();

-- The newest word about a part of a device (a lock's bolt, its door), by the device's own time.
CREATE TABLE device_part (
    device_id   bigint NOT NULL REFERENCES device,
    part        text NOT NULL,
    type        text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (device_id, part)
);

ALTER TABLE page ADD COLUMN about text;
