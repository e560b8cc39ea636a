-- Where devices were, and nowhere else: observations, alerts and audit have no coordinates. Rows live for days.
-- `occurred_at`: when the position was found; `installation_id`: where the device was fitted then.
CREATE TABLE position (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id       bigint NOT NULL REFERENCES device,
    installation_id bigint REFERENCES installation,
    occurred_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    latitude        double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude       double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    accuracy_m      double precision CHECK (accuracy_m >= 0),
    source          text
);
CREATE INDEX position_device ON position (device_id, occurred_at DESC, id DESC);
CREATE INDEX position_installation ON position (installation_id, occurred_at DESC, id DESC);
CREATE INDEX position_occurred ON position (occurred_at);
