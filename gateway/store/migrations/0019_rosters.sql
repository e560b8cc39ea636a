-- Rosters as people plan them: patterns of several weeks, holidays, rotations, shifts planned for a date, overrides, swaps and
-- absences; who has checked in; calendars for phones.

-- Minutes after the beginning of a shift by which whoever serves must have checked in; 0: nobody has to; null: as the zone above.
ALTER TABLE zone ADD COLUMN check_in_minutes smallint CHECK (check_in_minutes BETWEEN 0 AND 60);

-- A shift recurs on a weekday in one of `weeks` weeks, counted from the week of `anchor`; or on the days that `on_days` names.
ALTER TABLE roster_shift
    ADD COLUMN uid     uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD COLUMN weeks   smallint NOT NULL DEFAULT 1 CHECK (weeks BETWEEN 1 AND 26),
    ADD COLUMN week    smallint NOT NULL DEFAULT 0,
    ADD COLUMN anchor  date NOT NULL DEFAULT '2024-01-01',
    ADD COLUMN on_days text[] CHECK (cardinality(on_days) > 0),
    ALTER COLUMN weekday DROP NOT NULL,
    ADD CONSTRAINT roster_shift_week CHECK (week >= 0 AND week < weeks),
    ADD CONSTRAINT roster_shift_recurs CHECK ((weekday IS NULL) = (on_days IS NOT NULL));

CREATE TABLE rotation (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid        uuid NOT NULL UNIQUE,
    version    integer NOT NULL DEFAULT 1,
    zone_id    bigint NOT NULL REFERENCES zone,
    role       text NOT NULL CHECK (role IN ('responder', 'technical')),
    name       text NOT NULL,
    first_day  date NOT NULL,
    hand_over  time NOT NULL,
    turn_days  smallint NOT NULL CHECK (turn_days BETWEEN 1 AND 84),
    start_time time,
    end_time   time,
    weekdays   smallint[] NOT NULL,
    position   smallint NOT NULL DEFAULT 0,
    to_date    date CHECK (to_date >= first_day),
    CHECK ((start_time IS NULL) = (end_time IS NULL))
);
CREATE INDEX rotation_zone ON rotation (zone_id, role);

CREATE TABLE rotation_person (
    rotation_id bigint NOT NULL REFERENCES rotation,
    turn        smallint NOT NULL,
    person_id   bigint NOT NULL REFERENCES person,
    PRIMARY KEY (rotation_id, turn)
);

-- Shifts of single dates, as a planner's calendar has them. An import replaces what the same source brought before.
CREATE TABLE planned_shift (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    zone_id   bigint NOT NULL REFERENCES zone,
    role      text NOT NULL CHECK (role IN ('responder', 'technical')),
    person_id bigint NOT NULL REFERENCES person,
    during    tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    position  smallint NOT NULL DEFAULT 0,
    source    text NOT NULL,
    event     text NOT NULL
);
CREATE INDEX planned_shift_zone ON planned_shift (zone_id, role, upper(during));

-- From and until: `leaves` is off duty, `comes` on; one of them may be nobody.
CREATE TABLE roster_override (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid          uuid NOT NULL UNIQUE,
    version      integer NOT NULL DEFAULT 1,
    zone_id      bigint NOT NULL REFERENCES zone,
    role         text NOT NULL CHECK (role IN ('responder', 'technical')),
    leaves_id    bigint REFERENCES person,
    comes_id     bigint REFERENCES person CHECK (comes_id IS DISTINCT FROM leaves_id),
    during       tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    position     smallint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    created_by   bigint NOT NULL REFERENCES person,
    withdrawn_at timestamptz
);
CREATE INDEX roster_override_zone ON roster_override (zone_id, role, upper(during)) WHERE withdrawn_at IS NULL;

-- `asks` gives away `asks_during` and takes `gives_during` of the other, who has to accept.
CREATE TABLE roster_swap (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid          uuid NOT NULL UNIQUE,
    version      integer NOT NULL DEFAULT 1,
    zone_id      bigint NOT NULL REFERENCES zone,
    role         text NOT NULL CHECK (role IN ('responder', 'technical')),
    asks_id      bigint NOT NULL REFERENCES person,
    asks_during  tstzrange NOT NULL CHECK (NOT isempty(asks_during) AND NOT upper_inf(asks_during)),
    gives_id     bigint NOT NULL REFERENCES person CHECK (gives_id <> asks_id),
    gives_during tstzrange NOT NULL CHECK (NOT isempty(gives_during) AND NOT upper_inf(gives_during)),
    state        text NOT NULL CHECK (state IN ('proposed', 'accepted', 'declined', 'withdrawn')),
    created_at   timestamptz NOT NULL,
    created_by   bigint NOT NULL REFERENCES person,
    answered_at  timestamptz
);
CREATE INDEX roster_swap_zone ON roster_swap (zone_id, role);

-- Somebody is away, until they say otherwise (an infinite end), and who serves for them. Nothing is kept of why but its kind.
CREATE TABLE absence (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid          uuid NOT NULL UNIQUE,
    version      integer NOT NULL DEFAULT 1,
    person_id    bigint NOT NULL REFERENCES person,
    during       tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    cover_id     bigint REFERENCES person CHECK (cover_id <> person_id),
    kind         text NOT NULL CHECK (kind IN ('sick', 'leave')),
    created_at   timestamptz NOT NULL,
    created_by   bigint NOT NULL REFERENCES person,
    withdrawn_at timestamptz
);
CREATE INDEX absence_person ON absence (person_id) WHERE withdrawn_at IS NULL;

CREATE TABLE check_in (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id bigint NOT NULL REFERENCES person,
    in_at     timestamptz NOT NULL,
    out_at    timestamptz CHECK (out_at >= in_at)
);
CREATE INDEX check_in_person ON check_in (person_id, id);

-- When it is looked at next who of a zone's own shifts has not checked in. Only of zones that use it.
CREATE TABLE roster_look (
    zone_id bigint PRIMARY KEY REFERENCES zone,
    due_at  timestamptz NOT NULL
);
CREATE INDEX roster_look_due ON roster_look (due_at);

-- An address with a secret in it, for a phone's calendar. Somebody's own shifts, or a zone's roster as its owner may see it.
CREATE TABLE roster_feed (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid        uuid NOT NULL UNIQUE,
    token_hash bytea NOT NULL UNIQUE,
    person_id  bigint NOT NULL REFERENCES person,
    zone_id    bigint REFERENCES zone,
    role       text NOT NULL DEFAULT 'responder' CHECK (role IN ('responder', 'technical')),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX roster_feed_person ON roster_feed (person_id);
