"""A fall alarm in some sixty lines: it connects, says that it is there, reports a fall, and keeps it until the receipt comes.

python device.py --host 127.0.0.1 --port 1883 --site stavanger --device fall-001
"""

import argparse
import json
import threading
import time
import uuid
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

given = argparse.ArgumentParser()
given.add_argument("--host", default="127.0.0.1")
given.add_argument("--port", type=int, default=1883)
given.add_argument("--site", default="stavanger")
given.add_argument("--device", default="fall-001")
given.add_argument("--password")
given.add_argument("--ca-file", help="the authority that signed the broker's certificate; switches TLS on")
options = given.parse_args()

topic = f"hv/v1/{options.site}/fall_alarm/{options.device}"
receipts: dict[str, threading.Event] = {}
listening = threading.Event()


def connected(client: mqtt.Client, *_: object) -> None:
    client.subscribe(f"{topic}/receipt", qos=1)
    client.publish(f"{topic}/status", json.dumps({"online": True}), qos=1, retain=True)


def receipt(_client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
    receipts.setdefault(json.loads(message.payload)["id"], threading.Event()).set()


client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"device-{options.device}")
client.will_set(f"{topic}/status", json.dumps({"online": False}), qos=1, retain=True)
client.on_connect, client.on_message = connected, receipt
client.on_subscribe = lambda *_: listening.set()
if options.password:
    client.username_pw_set(f"{options.site}/fall_alarm/{options.device}", options.password)
if options.ca_file:
    client.tls_set(options.ca_file)
client.connect(options.host, options.port)
client.loop_start()
if not listening.wait(10):
    raise SystemExit(f"no connection to {options.host}:{options.port}; is the password right?")

fall_id = str(uuid.uuid4())
fall = {"id": fall_id, "time": datetime.now(UTC).isoformat(), "type": "fall", "impact_g": 4.2}
stored = receipts.setdefault(fall_id, threading.Event())
wait = 2.0
began = time.monotonic()
while True:
    client.publish(f"{topic}/alarm", json.dumps(fall), qos=1)
    if stored.wait(wait):
        break
    wait = min(2 * wait, 30.0)
print(f"stored after {time.monotonic() - began:.1f} s, receipt {fall_id}")

client.publish(f"{topic}/status", json.dumps({"online": False}), qos=1, retain=True).wait_for_publish()
client.disconnect()
client.loop_stop()
